/**
 * Where a recorded video is cut into chunks: at a key frame, once the chunk before has enough frames
 * (core/cellstorm/cutting.py). No window of frames reaches over a cut.
 */
import { MIN_CHUNK_FRAMES } from "../generated/tables";

export class ChunkStarts {
  #length: number | null = null; // frames of the open chunk; null before the first

  /** Whether a frame begins a chunk; to be asked of each, in order. */
  isNext(isKey: boolean): boolean {
    const begins = this.#length === null || (isKey && this.#length >= MIN_CHUNK_FRAMES);
    this.#length = begins ? 1 : this.#length! + 1;
    return begins;
  }
}
