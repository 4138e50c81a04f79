/**
 * From an `emitters` generator's output to rows of the localization table, as core/cellstorm/emitters.py does it.
 *
 * An emitter near a pixel's edge is seen by two pixels or four, each with a share of the probability. Neighbours that
 * point to the same place speak of the same emitter: the likeliest of them reports it, with the probability of all.
 */
import { type ColumnName, ROW_VALUES, columnIndex } from "../live/messages";
import { EMITTER_CHANNELS } from "../generated/tables";

export interface Readout {
  readonly threshold: number;
  readonly pixelSizeNm: number;
  /** Electrons per count. */
  readonly gain: number;
  /** Counts in the dark. */
  readonly offset: number;
}

const SAME_PX = 1; // neighbouring pixels whose predictions are nearer to each other mean one emitter
const SHARE = 0.25; // least share of the threshold in one pixel: an emitter where four pixels meet

type Channel = (typeof EMITTER_CHANNELS)[number];

const channelIndex = (name: Channel): number => EMITTER_CHANNELS.indexOf(name);
const PROBABILITY = channelIndex("probability");
const DX = channelIndex("dx");
const DY = channelIndex("dy");

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

  /** (n) rows of the table as they travel, sorted by y, then x; `frame` is an unsigned integer in them. */
  localizations(frame: number, readout: Readout): Float32Array<ArrayBuffer> {
    const found = this.#reports(readout.threshold).map((report) => this.#row(report, frame, readout));
    found.sort((a, b) => a[Y]! - b[Y]! || a[X]! - b[X]!);
    const values = new Float32Array(found.length * ROW_VALUES);
    for (const [index, row] of found.entries()) values.set(row, index * ROW_VALUES);
    return values;
  }

  #reports(threshold: number): Report[] {
    const least = Math.fround(SHARE * threshold);
    const reports: Report[] = [];
    for (let row = 0; row < this.rows; row++) {
      const start = (PROBABILITY * this.height + row) * this.width;
      for (let column = 0; column < this.columns; column++) {
        if (!(this.output[start + column]! > least)) continue;
        const probability = this.#joined(row, column);
        if (probability !== null && probability > threshold) reports.push({ row, column, probability });
      }
    }
    return reports;
  }

  /** The probability of a pixel and those neighbours that agree with it; null where another one is to report it. */
  #joined(row: number, column: number): number | null {
    const own = this.value(PROBABILITY, row, column);
    const [x, y] = this.#place(row, column);
    let sum = 0;
    for (let r = Math.max(0, row - 1); r <= Math.min(this.rows - 1, row + 1); r++) {
      for (let c = Math.max(0, column - 1); c <= Math.min(this.columns - 1, column + 1); c++) {
        const [otherX, otherY] = this.#place(r, c);
        if (Math.hypot(otherX - x, otherY - y) >= SAME_PX) continue;
        const other = this.value(PROBABILITY, r, c);
        const isBefore = r < row || (r === row && c < column); // of equals the left or upper one reports
        if (isBefore ? other >= own : other > own) return null;
        sum += other;
      }
    }
    return sum;
  }

  /** Where a pixel points to, in pixels. */
  #place(row: number, column: number): [number, number] {
    return [column + this.value(DX, row, column), row + this.value(DY, row, column)];
  }

  #row({ row, column, probability }: Report, frame: number, readout: Readout): Float32Array {
    const { gain, offset, pixelSizeNm } = readout;
    const of = (name: Channel) => this.value(channelIndex(name), row, column);
    const [x, y] = this.#place(row, column);
    const values = new Float32Array(ROW_VALUES);
    const set = (name: ColumnName, value: number) => (values[columnIndex(name)] = value);
    new Uint32Array(values.buffer)[columnIndex("frame")] = frame;
    set("x_nm", x * pixelSizeNm);
    set("y_nm", y * pixelSizeNm);
    set("photons", of("signal") * gain);
    set("background_photons", Math.max(0, (of("background") - offset) * gain));
    set("precision_nm", pixelSizeNm * Math.sqrt((of("sigma_x") ** 2 + of("sigma_y") ** 2) / 2));
    set("psf_sigma_nm", of("psf_sigma") * pixelSizeNm);
    set("probability", Math.min(1, probability));
    return values;
  }
}

interface Report {
  readonly row: number;
  readonly column: number;
  readonly probability: number;
}

const X = columnIndex("x_nm");
const Y = columnIndex("y_nm");
