/**
 * The way of a frame on this device: windows, generator, candidates, those of a group of frames that are reported. What it
 * found waits until it is taken.
 */
import type { GeneratorSpec } from "../generated/models";
import { EmitterMap, type Readout } from "./emitters";
import { Group } from "./presence";
import { type Frame, type Window, Windows } from "./windows";

/** (1, time, height, width) float32 counts to one frame's (channels, height, width). */
export type Predict = (windows: Float32Array, height: number, width: number) => Promise<Float32Array>;

/** What was found since the last time. */
export interface Found {
  /** Rows of the localization table as they lie in memory. */
  readonly table: Float32Array<ArrayBuffer>;
  readonly framesProcessed: number;
  /** 1 + highest frame index processed. */
  readonly endFrame: number;
}

export interface Size {
  readonly height: number;
  readonly width: number;
}

export class Localizer {
  readonly #windows: Windows;
  readonly #padded: Size;
  readonly #input: Float32Array;
  readonly #group: Group;
  #waiting: Float32Array[] = [];
  #framesProcessed = 0;
  #endFrame = 0;
  #nextIndex = 0;

  constructor(
    private readonly predict: Predict,
    spec: GeneratorSpec,
    private readonly size: Size,
    private readonly readout: Readout,
  ) {
    this.#windows = new Windows(spec.context_frames);
    const multiple = spec.size_multiple;
    this.#padded = {
      height: Math.ceil(size.height / multiple) * multiple,
      width: Math.ceil(size.width / multiple) * multiple,
    };
    const scale = { framePixels: size.height * size.width, pixelSizeNm: readout.pixelSizeNm };
    this.#group = new Group(scale, spec.judge, readout.threshold);
    this.#input = new Float32Array(spec.context_frames * this.#padded.height * this.#padded.width);
  }

  /** (height * width) counts of the next frame. */
  async add(counts: Frame["counts"], beginsChunk: boolean): Promise<void> {
    if (beginsChunk) await this.end();
    for (const window of this.#windows.add({ index: this.#nextIndex++, counts })) await this.#localize(window);
  }

  /** No frame of this chunk comes any more. */
  async end(): Promise<void> {
    for (const window of this.#windows.endChunk()) await this.#localize(window);
    this.#waiting.push(...this.#group.end());
  }

  take(): Found {
    const table = new Float32Array(this.#waiting.reduce((sum, rows) => sum + rows.length, 0));
    let at = 0;
    for (const rows of this.#waiting) {
      table.set(rows, at);
      at += rows.length;
    }
    this.#waiting = [];
    return { table, framesProcessed: this.#framesProcessed, endFrame: this.#endFrame };
  }

  async #localize(window: Window): Promise<void> {
    const { height, width } = this.#padded;
    for (const [place, counts] of window.frames.entries()) {
      pad(counts, this.size, this.#padded, this.#input.subarray(place * height * width));
    }
    const output = await this.predict(this.#input, height, width);
    const map = new EmitterMap(output, height, width, this.size.height, this.size.width);
    this.#waiting.push(...this.#group.add(map.candidates(window.index, this.readout)));
    this.#framesProcessed++;
    this.#endFrame = window.index + 1;
  }
}

/** Enlarges to the size that the generator takes by repeating the border. */
function pad(counts: Uint8Array, from: Size, to: Size, target: Float32Array): void {
  for (let row = 0; row < to.height; row++) {
    const source = Math.min(row, from.height - 1) * from.width;
    for (let column = 0; column < to.width; column++) {
      target[row * to.width + column] = counts[source + Math.min(column, from.width - 1)]!;
    }
  }
}
