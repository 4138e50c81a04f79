/**
 * Windows of consecutive frames, as a generator sees them. A window never reaches beyond its chunk: the first and the last
 * frame repeat themselves there (core/cellstorm/pipeline.py), so that this device and the server agree.
 */
export interface Frame {
  readonly index: number;
  /** (height * width) counts of the region of interest, row 0 at the top. */
  readonly counts: Uint8Array;
}

export interface Window {
  /** Of the middle frame. */
  readonly index: number;
  readonly frames: readonly Uint8Array[];
}

export class Windows {
  readonly #reach: number;
  #chunk: Frame[] = []; // of the open chunk, those that a window may still need
  #next = 0; // place in #chunk of the next window's middle frame

  constructor(contextFrames: number) {
    this.#reach = (contextFrames - 1) / 2;
  }

  /** The windows that a further frame of the same chunk completes. */
  add(frame: Frame): Window[] {
    this.#chunk.push(frame);
    return this.#until(this.#chunk.length - this.#reach);
  }

  /** Those that are left when the chunk is over. */
  endChunk(): Window[] {
    const rest = this.#until(this.#chunk.length);
    this.#chunk = [];
    this.#next = 0;
    return rest;
  }

  #until(end: number): Window[] {
    const windows: Window[] = [];
    for (; this.#next < end; this.#next++) windows.push(this.#around(this.#next));
    const unneeded = Math.max(0, this.#next - this.#reach);
    this.#chunk.splice(0, unneeded);
    this.#next -= unneeded;
    return windows;
  }

  #around(middle: number): Window {
    const frames: Uint8Array[] = [];
    for (let place = middle - this.#reach; place <= middle + this.#reach; place++) {
      frames.push(this.#chunk[Math.min(this.#chunk.length - 1, Math.max(0, place))]!.counts);
    }
    return { index: this.#chunk[middle]!.index, frames };
  }
}
