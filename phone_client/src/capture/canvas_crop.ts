/** Cropping by drawing, where a browser gives no access to its camera's frames: one canvas frame for each camera frame. */
import { insetOf } from "./cropper";
import type { ToCropper } from "./crop_messages";
import type { CropEngine, OnCropped } from "./cropping";
import type { Luma } from "./measure";
import { lumaOfPixels } from "./monochrome";
import { Pacer } from "./pacing";
import { type Square, within } from "./square";

const INSET_EVERY_MS = 90;

export class CanvasCrop implements CropEngine {
  readonly path = "canvas";
  readonly track: MediaStreamTrack;
  readonly #video = document.createElement("video");
  readonly #canvas = document.createElement("canvas");
  readonly #context: CanvasRenderingContext2D;
  readonly #emit: () => void;
  #square: Square = { x: 0, y: 0, side: 512 };
  #look: { x: number; y: number } | null = null;
  #pacer = new Pacer();
  #isSampleWanted = false;
  #insetAtMs = -Infinity;
  #isClosed = false;

  constructor(private readonly on: OnCropped) {
    const context = this.#canvas.getContext("2d", { alpha: false, willReadFrequently: true });
    if (context === null) throw new Error("this browser draws no canvas");
    this.#context = context;
    this.#canvas.width = this.#canvas.height = this.#square.side;
    [this.track, this.#emit] = captured(this.#canvas);
    this.#video.muted = true;
    this.#video.playsInline = true;
    this.#await();
  }

  feed(camera: MediaStreamTrack): void {
    this.#video.srcObject = new MediaStream([camera]);
    this.#video.play().catch((error: unknown) => {
      if (!(error instanceof DOMException)) throw error; // another camera has taken its place
    });
  }

  send(message: ToCropper): void {
    if (message.kind === "square") this.#square = message.square;
    else if (message.kind === "look") this.#look = message;
    else if (message.kind === "pace") this.#pacer = new Pacer(message.fps);
    else if (message.kind === "sample") this.#isSampleWanted = true;
  }

  close(): void {
    this.#isClosed = true;
    this.#video.srcObject = null;
    this.track.stop();
  }

  #await(): void {
    this.#video.requestVideoFrameCallback((nowMs, { captureTime, mediaTime }) => {
      if (this.#isClosed) return;
      // Where a browser tells when the light fell on the sensor, that is the frame's time.
      if (this.#pacer.take(captureTime === undefined ? 1e6 * mediaTime : 1e3 * captureTime)) this.#draw(nowMs);
      this.#await();
    });
  }

  #draw(nowMs: number): void {
    const { videoWidth: width, videoHeight: height } = this.#video;
    const { x, y, side } = within({ width, height }, this.#square);
    if (this.#canvas.width !== side) this.#canvas.width = this.#canvas.height = side;
    this.#context.drawImage(this.#video, x, y, side, side, 0, 0, side, side);
    const picture = this.#context.getImageData(0, 0, side, side);
    const luma = { data: new Uint8Array(side * side), width: side, height: side };
    lumaOfPixels(picture.data, luma.data);
    makeGrey(picture.data, luma.data);
    this.#context.putImageData(picture, 0, 0);
    this.#emit();
    this.on({ kind: "counts", counts: this.#pacer.counts, cameraFps: this.#pacer.cameraFps, fidelity: "converted" });
    this.#show(luma, nowMs);
  }

  #show(luma: Luma, nowMs: number): void {
    if (nowMs - this.#insetAtMs >= INSET_EVERY_MS) {
      this.#insetAtMs = nowMs;
      this.on({ kind: "inset", inset: insetOf(luma, this.#look ?? { x: luma.width / 2, y: luma.height / 2 }) });
    }
    if (!this.#isSampleWanted) return;
    this.#isSampleWanted = false;
    this.on({ kind: "luma", luma });
  }
}

/** A canvas as a track, and what sends its picture: the standard has that at the track, Firefox at the stream. */
function captured(canvas: HTMLCanvasElement): [MediaStreamTrack, () => void] {
  const stream = canvas.captureStream(0) as MediaStream & Partial<Pick<CanvasCaptureMediaStreamTrack, "requestFrame">>;
  const track = stream.getVideoTracks()[0] as CanvasCaptureMediaStreamTrack;
  return [track, () => (stream.requestFrame === undefined ? track.requestFrame() : stream.requestFrame())];
}

/** The grey whose luma the encoder will find to be this one. */
function makeGrey(rgba: Uint8ClampedArray, luma: Uint8Array): void {
  for (let at = 0, to = 0; to < rgba.length; at++, to += 4) {
    rgba[to] = rgba[to + 1] = rgba[to + 2] = ((luma[at]! - 16) * 255) / 219;
  }
}
