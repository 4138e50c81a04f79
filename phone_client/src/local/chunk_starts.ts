/**
 * Where a recorded video is cut into chunks: at a key frame, once the chunk before has enough frames
 * (core/cellstorm/cutting.py). No window of frames reaches over a cut.
 */
import { FILE_CHUNK } from "../generated/tables";

export class ChunkStarts {
  readonly #least: number;
  #length: number | null = null; // frames of the open chunk; null before the first

  /** Bytes of a frame's counts. */
  constructor(frameBytes: number) {
    const enough = Math.max(FILE_CHUNK.least_frames, Math.ceil(FILE_CHUNK.bytes / frameBytes));
    this.#least = Math.min(FILE_CHUNK.frames, enough);
  }

  /** Whether a frame begins a chunk; to be asked of each, in order. */
  isNext(isKey: boolean): boolean {
    const begins = this.#length === null || (isKey && this.#length >= this.#least);
    this.#length = begins ? 1 : this.#length! + 1;
    return begins;
  }
}
