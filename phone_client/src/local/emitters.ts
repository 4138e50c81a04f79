/**
 * From an `emitters` generator's output to candidates, rows of the localization table, as core/cellstorm/emitters.py does it.
 *
 * An emitter near a pixel's edge is seen by two pixels or four, each with a share of the probability. Neighbours that
 * point to the same place speak of the same emitter: the likeliest of them stands for it, with the probability of all, at
 * their mean place, weighted by probability and precision.
 */
import { type ColumnName, ROW_VALUES, columnIndex } from "../live/messages";
import { EMITTER_CHANNELS, LEAST_OF_A_PIXEL, LEAST_PROBABILITY } from "../generated/tables";

export interface Readout {
  /** Null for the one that suits the video. */
  readonly threshold: number | null;
  readonly pixelSizeNm: number;
  /** Electrons per count. */
  readonly gain: number;
  /** Counts in the dark. */
  readonly offset: number;
}

const SAME_PX = 1; // neighbouring pixels whose predictions are nearer to each other mean one emitter
const LEAST_VARIANCE = 1e-6; // squared pixels: whoever states none at all does not weigh infinitely
const LEAST_THERE = Math.fround(LEAST_OF_A_PIXEL); // as numpy compares float32

type Channel = (typeof EMITTER_CHANNELS)[number];

const channelIndex = (name: Channel): number => EMITTER_CHANNELS.indexOf(name);
const PROBABILITY = channelIndex("probability");
const DX = channelIndex("dx");
const DY = channelIndex("dy");
const SIGMA_X = channelIndex("sigma_x");
const SIGMA_Y = channelIndex("sigma_y");

/** One frame's emitters: (channels, height, width) float32, of which `rows` x `columns` hold the picture. */
export class EmitterMap {
  constructor(
    readonly output: Float32Array,
    readonly height: number,
    readonly width: number,
    readonly rows: number = height,
    readonly columns: number = width,
  ) {
    const wanted = EMITTER_CHANNELS.length * height * width;
    if (output.length !== wanted) throw new Error(`an output of ${output.length} values, not ${wanted}`);
  }

  value(channel: number, row: number, column: number): number {
    return this.output[(channel * this.height + row) * this.width + column]!;
  }

  /** (n) rows of the table as they lie in memory, sorted by y, then x; `frame` is an unsigned integer in them. */
  candidates(frame: number, readout: Readout): Float32Array<ArrayBuffer> {
    const rows = this.#likely().map((candidate) => this.#row(candidate, frame, readout));
    // Where a network has gone astray, the frame's other candidates still count.
    const found = rows.filter((row) => row.every((value, at) => at === FRAME || Number.isFinite(value)));
    found.sort((a, b) => a[Y]! - b[Y]! || a[X]! - b[X]!);
    const values = new Float32Array(found.length * ROW_VALUES);
    for (const [index, row] of found.entries()) values.set(row, index * ROW_VALUES);
    return values;
  }

  #likely(): Candidate[] {
    const found: Candidate[] = [];
    for (let row = 0; row < this.rows; row++) {
      const start = (PROBABILITY * this.height + row) * this.width;
      for (let column = 0; column < this.columns; column++) {
        if (!(this.output[start + column]! > LEAST_THERE)) continue;
        const candidate = this.#joined(row, column);
        if (candidate !== null && candidate.probability > LEAST_PROBABILITY) found.push(candidate);
      }
    }
    return found;
  }

  /** What a pixel and those neighbours that agree with it say together; null where another one stands for them. */
  #joined(row: number, column: number): Candidate | null {
    const own = this.value(PROBABILITY, row, column);
    const [x, y] = this.#place(row, column);
    let [probability, weights, meanX, meanY, variance] = [0, 0, 0, 0, 0];
    for (let r = Math.max(0, row - 1); r <= Math.min(this.rows - 1, row + 1); r++) {
      for (let c = Math.max(0, column - 1); c <= Math.min(this.columns - 1, column + 1); c++) {
        const [otherX, otherY] = this.#place(r, c);
        if (!(Math.hypot(otherX - x, otherY - y) < SAME_PX)) continue; // nor what points nowhere
        const other = this.value(PROBABILITY, r, c);
        const isBefore = r < row || (r === row && c < column); // of equals the left or upper one stands for both
        if (isBefore ? other >= own : other > own) return null;
        const spread = (this.value(SIGMA_X, r, c) ** 2 + this.value(SIGMA_Y, r, c) ** 2) / 2;
        const weight = other / Math.max(spread, LEAST_VARIANCE);
        probability += other;
        weights += weight;
        meanX += weight * otherX;
        meanY += weight * otherY;
        variance += weight * spread;
      }
    }
    return { row, column, probability, x: meanX / weights, y: meanY / weights, variance: variance / weights };
  }

  /** Where a pixel points to, in pixels. */
  #place(row: number, column: number): [number, number] {
    return [column + this.value(DX, row, column), row + this.value(DY, row, column)];
  }

  #row({ row, column, ...joined }: Candidate, frame: number, readout: Readout): Float32Array {
    const { gain, offset, pixelSizeNm } = readout;
    const of = (name: Channel) => this.value(channelIndex(name), row, column);
    const values = new Float32Array(ROW_VALUES);
    const set = (name: ColumnName, value: number) => (values[columnIndex(name)] = value);
    new Uint32Array(values.buffer)[FRAME] = frame;
    set("x_nm", joined.x * pixelSizeNm);
    set("y_nm", joined.y * pixelSizeNm);
    set("photons", of("signal") * gain);
    set("background_photons", Math.max(0, (of("background") - offset) * gain));
    set("precision_nm", pixelSizeNm * Math.sqrt(joined.variance));
    set("psf_sigma_nm", of("psf_sigma") * pixelSizeNm);
    set("probability", Math.min(1, joined.probability));
    return values;
  }
}

/** A pixel that stands for an emitter. */
interface Candidate {
  readonly row: number;
  readonly column: number;
  readonly probability: number;
  /** Where it is, in pixels. */
  readonly x: number;
  readonly y: number;
  /** Of the place, along an axis. */
  readonly variance: number;
}

const FRAME = columnIndex("frame");
const X = columnIndex("x_nm");
const Y = columnIndex("y_nm");
