/**
 * From the camera's track to the track that is encoded: the active square alone, monochrome, frame by frame.
 *
 *   frames        Chromium: luma is copied in a worker, exact
 *   worker_track  Safari: the same, in a worker that is handed the track
 *   canvas        others: drawn, so that luma is computed from colours, and rounds
 */
import { PageError } from "../app/errors";
import { texts } from "../app/texts";
import { CanvasCrop } from "./canvas_crop";
import type { FromCropper, ToCropper } from "./crop_messages";
import type { Luma, Measurement } from "./measure";
import type { Fidelity } from "./monochrome";
import { type FrameCounts, NO_FRAMES } from "./pacing";
import type { Square } from "./square";

export type CropPath = "frames" | "worker_track" | "canvas";

/** What stands between camera and encoder, whichever way it works. */
export interface CropEngine {
  readonly path: CropPath;
  readonly track: MediaStreamTrack;
  /** Frames come from this camera from now on. */
  feed(camera: MediaStreamTrack): void;
  send(message: ToCropper): void;
  close(): void;
}

export type OnCropped = (message: FromCropper) => void;

const MEASURE_EVERY_MS = 250;

export interface CroppingEvents {
  inset: (inset: Luma) => void;
  measured: (measurement: Measurement) => void;
  failed: (detail: string) => void;
}

/** The cropped stream and what is known of its frames. It outlives cameras: another may be fed in its place. */
export class Cropping {
  readonly stream: MediaStream;
  #counts: FrameCounts = NO_FRAMES;
  #cameraFps: number | null = null;
  #fidelity: Fidelity = "exact";
  readonly #measurer: Worker;
  readonly #timer: ReturnType<typeof setInterval>;
  #isMeasuring = false;

  private constructor(
    private readonly engine: CropEngine,
    private readonly events: CroppingEvents,
  ) {
    this.stream = new MediaStream([engine.track]);
    this.#measurer = new Worker(new URL("./measure_worker.ts", import.meta.url), { type: "module" });
    this.#measurer.onmessage = ({ data }: MessageEvent<Measurement>) => {
      this.#isMeasuring = false;
      events.measured(data);
    };
    this.#timer = setInterval(() => {
      if (!this.#isMeasuring) engine.send({ kind: "sample" });
    }, MEASURE_EVERY_MS);
  }

  static async begin(events: CroppingEvents): Promise<Cropping> {
    let cropping: Cropping | null = null;
    const engine = await openEngine((message) => cropping?.handle(message));
    cropping = new Cropping(engine, events);
    return cropping;
  }

  get path(): CropPath {
    return this.engine.path;
  }

  get counts(): FrameCounts {
    return this.#counts;
  }

  get cameraFps(): number | null {
    return this.#cameraFps;
  }

  get fidelity(): Fidelity {
    return this.#fidelity;
  }

  feed(camera: MediaStreamTrack): void {
    this.engine.feed(camera);
  }

  crop(square: Square): void {
    this.engine.send({ kind: "square", square });
  }

  look(x: number, y: number): void {
    this.engine.send({ kind: "look", x, y });
  }

  /** As many frames a second at most; counts begin anew. */
  pace(fps: number | null): void {
    this.#counts = NO_FRAMES;
    this.engine.send({ kind: "pace", fps });
  }

  close(): void {
    clearInterval(this.#timer);
    this.#measurer.terminate();
    this.engine.close();
  }

  private handle(message: FromCropper): void {
    if (message.kind === "counts") {
      this.#counts = message.counts;
      this.#cameraFps = message.cameraFps;
      this.#fidelity = message.fidelity;
    } else if (message.kind === "inset") {
      this.events.inset(message.inset);
    } else if (message.kind === "luma") {
      this.#isMeasuring = true;
      this.#measurer.postMessage(message.luma, [message.luma.data.buffer as ArrayBuffer]);
    } else if (message.kind === "failed") {
      this.events.failed(message.detail);
    }
  }
}

async function openEngine(on: OnCropped): Promise<CropEngine> {
  if (typeof MediaStreamTrackProcessor !== "undefined" && typeof MediaStreamTrackGenerator !== "undefined") {
    return new FramesCrop(on);
  }
  const inWorker = await WorkerTrackCrop.open(on);
  if (inWorker !== null) return inWorker;
  if ("requestVideoFrameCallback" in HTMLVideoElement.prototype) return new CanvasCrop(on);
  throw new PageError("no_codec", texts.problems.cannotCrop);
}

function newWorker(on: OnCropped): Worker {
  const worker = new Worker(new URL("./crop_worker.ts", import.meta.url), { type: "module" });
  worker.addEventListener("message", ({ data }: MessageEvent<FromCropper>) => on(data));
  return worker;
}

class FramesCrop implements CropEngine {
  readonly path = "frames";
  readonly track: MediaStreamTrack;
  readonly #worker: Worker;

  constructor(on: OnCropped) {
    this.#worker = newWorker(on);
    const generator = new MediaStreamTrackGenerator({ kind: "video" });
    this.track = generator;
    const { writable } = generator;
    this.#worker.postMessage({ kind: "sink", writable } satisfies ToCropper, [writable]);
  }

  feed(camera: MediaStreamTrack): void {
    const { readable } = new MediaStreamTrackProcessor({ track: camera, maxBufferSize: 8 });
    this.#worker.postMessage({ kind: "source", readable } satisfies ToCropper, [readable]);
  }

  send(message: ToCropper): void {
    this.#worker.postMessage(message);
  }

  close(): void {
    this.track.stop();
    this.#worker.terminate();
  }
}

class WorkerTrackCrop implements CropEngine {
  readonly path = "worker_track";

  private constructor(
    private readonly worker: Worker,
    readonly track: MediaStreamTrack,
  ) {}

  /** Null where this browser's workers know no tracks. */
  static async open(on: OnCropped): Promise<WorkerTrackCrop | null> {
    const worker = newWorker(on);
    const answer = new Promise<MediaStreamTrack | null>((resolve) => {
      worker.addEventListener("message", ({ data }: MessageEvent<FromCropper>) => {
        if (data.kind === "sink_track") resolve(data.track);
      });
    });
    worker.postMessage({ kind: "sink_track" } satisfies ToCropper);
    const track = await answer;
    if (track !== null) return new WorkerTrackCrop(worker, track);
    worker.terminate();
    return null;
  }

  feed(camera: MediaStreamTrack): void {
    const track = camera.clone(); // the page goes on showing the camera itself
    this.worker.postMessage({ kind: "source_track", track } satisfies ToCropper, [track as unknown as Transferable]);
  }

  send(message: ToCropper): void {
    this.worker.postMessage(message);
  }

  close(): void {
    this.track.stop();
    this.worker.terminate();
  }
}
