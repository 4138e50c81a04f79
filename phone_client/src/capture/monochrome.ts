/**
 * A camera frame's square as monochrome I420: its luma as it came, its colour neutral. Frames that hold luma keep every
 * value; of others (RGB, or in the graphics memory) it is computed, which rounds.
 */
import { lumaOfColours } from "../app/bt601";
import { type Size, type Square, onSensor } from "./square";

/** How the luma came about: copied, or computed from colours. */
export type Fidelity = "exact" | "converted";

export interface Monochrome {
  /** (3 / 2 * side * side) I420: luma, then both colour planes. Written over by the next one. */
  readonly data: Uint8Array<ArrayBuffer>;
  readonly side: number;
  readonly fidelity: Fidelity;
}

const NEUTRAL = 128;
const WITH_LUMA: ReadonlySet<string | null> = new Set(["I420", "I420A", "I422", "I444", "NV12"]);

export class MonochromeCropper {
  #buffer = new Uint8Array(0);
  #canvas: OffscreenCanvas | null = null;

  async crop(frame: VideoFrame, chosen: Square): Promise<Monochrome> {
    const visible = frame.visibleRect ?? new DOMRectReadOnly(0, 0, frame.codedWidth, frame.codedHeight);
    const { x, y, side } = onSensor(visible, chosen, rotationOf(frame));
    const rect = { x: visible.x + x, y: visible.y + y, width: side, height: side };
    const fidelity = WITH_LUMA.has(frame.format) ? await this.#copy(frame, rect) : this.#convert(frame, rect);
    const data = this.#buffer.subarray(0, (side * side * 3) / 2);
    data.fill(NEUTRAL, side * side);
    return { data, side, fidelity };
  }

  async #copy(frame: VideoFrame, rect: DOMRectInit & Size): Promise<Fidelity> {
    this.#makeRoom(frame.allocationSize({ rect }));
    // Packed tightly by default: luma comes first, in rows of the rectangle's width.
    await frame.copyTo(this.#buffer, { rect });
    return "exact";
  }

  #convert(frame: VideoFrame, rect: DOMRectInit & Size): Fidelity {
    const { width: side } = rect;
    if (this.#canvas?.width !== side) this.#canvas = new OffscreenCanvas(side, side);
    const context = this.#canvas.getContext("2d", { willReadFrequently: true, alpha: false });
    if (context === null) throw new Error("this browser draws no canvas in a worker");
    context.drawImage(frame, rect.x ?? 0, rect.y ?? 0, side, side, 0, 0, side, side);
    this.#makeRoom((side * side * 3) / 2);
    lumaOfPixels(context.getImageData(0, 0, side, side).data, this.#buffer);
    return "converted";
  }

  #makeRoom(bytes: number): void {
    if (this.#buffer.length < bytes) this.#buffer = new Uint8Array(bytes);
  }
}

/** (n) luma of (4 n) sRGB values. */
export function lumaOfPixels(rgba: Uint8ClampedArray, luma: Uint8Array): void {
  for (let at = 0, from = 0; from < rgba.length; at++, from += 4) {
    luma[at] = lumaOfColours(rgba[from]!, rgba[from + 1]!, rgba[from + 2]!);
  }
}

/** Not in every browser, and not in TypeScript's library. */
function rotationOf(frame: VideoFrame): number {
  return "rotation" in frame && typeof frame.rotation === "number" ? frame.rotation : 0;
}
