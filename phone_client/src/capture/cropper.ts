/** Crops one camera frame after another, counts all, and lets some of them be looked at. Knows no worker and no stream. */
import type { FromCropper } from "./crop_messages";
import type { Luma } from "./measure";
import { type Fidelity, MonochromeCropper } from "./monochrome";
import { Pacer } from "./pacing";
import type { Square } from "./square";

export const INSET_PX = 48;
const INSET_EVERY_MS = 90;

export class Cropper {
  #square: Square = { x: 0, y: 0, side: 512 };
  #look: { x: number; y: number } | null = null;
  #pacer = new Pacer();
  #isSampleWanted = false;
  #insetAtMs = -Infinity;
  readonly #monochrome = new MonochromeCropper();

  constructor(
    private readonly tell: (message: FromCropper, transfer?: Transferable[]) => void,
    private readonly nowMs: () => number,
  ) {}

  set square(square: Square) {
    this.#square = square;
  }

  set look(at: { x: number; y: number }) {
    this.#look = at;
  }

  /** Counts begin anew. */
  pace(fps: number | null): void {
    this.#pacer = new Pacer(fps);
  }

  sample(): void {
    this.#isSampleWanted = true;
  }

  /** The frame to be encoded, or null where this one is left out. Closes what it is given. */
  async handle(frame: VideoFrame): Promise<VideoFrame | null> {
    try {
      const isDue = this.#pacer.take(frame.timestamp);
      if (!isDue) return null;
      const { data, side, fidelity } = await this.#monochrome.crop(frame, this.#square);
      this.#show({ data: data.subarray(0, side * side), width: side, height: side });
      this.#count(fidelity);
      return new VideoFrame(data, {
        format: "I420",
        codedWidth: side,
        codedHeight: side,
        timestamp: frame.timestamp,
        ...(frame.duration !== null && { duration: frame.duration }),
        colorSpace: frame.colorSpace,
      });
    } finally {
      frame.close();
    }
  }

  #count(fidelity: Fidelity): void {
    this.tell({ kind: "counts", counts: this.#pacer.counts, cameraFps: this.#pacer.cameraFps, fidelity });
  }

  #show(luma: Luma): void {
    const now = this.nowMs();
    if (now - this.#insetAtMs >= INSET_EVERY_MS) {
      this.#insetAtMs = now;
      const inset = insetOf(luma, this.#look ?? { x: luma.width / 2, y: luma.height / 2 });
      this.tell({ kind: "inset", inset }, [inset.data.buffer as ArrayBuffer]);
    }
    if (!this.#isSampleWanted) return;
    this.#isSampleWanted = false;
    const copy = luma.data.slice();
    this.tell({ kind: "luma", luma: { ...luma, data: copy } }, [copy.buffer]);
  }
}

/** The pixels about a place, as many as fit an inset; at the edges the nearest that are there. */
export function insetOf({ data, width, height }: Luma, middle: { x: number; y: number }): Luma {
  const side = Math.min(INSET_PX, width, height);
  const start = (at: number, all: number) => Math.max(0, Math.min(Math.round(at) - side / 2, all - side));
  const [left, top] = [start(middle.x, width), start(middle.y, height)];
  const pixels = new Uint8Array(side * side);
  for (let row = 0; row < side; row++) {
    const from = (top + row) * width + left;
    pixels.set(data.subarray(from, from + side), row * side);
  }
  return { data: pixels, width: side, height: side };
}
