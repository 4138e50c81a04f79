/**
 * Where a recorded video is cut into chunks, as the server does. No window of frames reaches over a cut.
 *
 * H.264 is cut at a key frame, once the chunk before has enough frames (core/cellstorm/cutting.py), or anew where no key frame comes for
 * too long; every other video by its length alone (core/cellstorm/raw_chunks.py).
 */
import { FILE_CHUNK, RAW_CHUNK } from "../generated/tables";

export class ChunkStarts {
  readonly #least: number;
  readonly #most: number;
  #length: number | null = null; // frames of the open chunk; null before the first
  #isCutAnew = false;

  /** Bytes of a frame's counts. */
  constructor(frameBytes: number, isH264: boolean) {
    const enough = Math.max(FILE_CHUNK.least_frames, Math.ceil(FILE_CHUNK.bytes / frameBytes));
    this.#least = isH264 ? Math.min(FILE_CHUNK.frames, enough) : Infinity;
    const room = isH264 ? RAW_CHUNK.frames : Math.floor(RAW_CHUNK.bytes / frameBytes);
    this.#most = Math.max(1, Math.min(RAW_CHUNK.frames, room));
  }

  /** Whether a frame begins a chunk; to be asked of each, in order. */
  isNext(isKey: boolean): boolean {
    const isFull = this.#length === this.#most;
    const endsAtKey = isKey && (this.#length ?? 0) >= (this.#isCutAnew ? 1 : this.#least);
    const begins = this.#length === null || isFull || endsAtKey;
    if (begins) this.#isCutAnew = isFull && !isKey && this.#least !== Infinity;
    this.#length = begins ? 1 : this.#length! + 1;
    return begins;
  }
}
