/**
 * Figures over the frames, computed from rows as they come: a fixed number of bins, each twice as wide when they are
 * used up, so that neither memory nor the cost of a message grows with the acquisition.
 */
import type { Rows } from "../live/messages";

export const BINS = 240;

/** Steps of a median: a factor of 1.04 each, from 0.5 on; within a step it is interpolated. */
const LEVELS = 320;
const LOWEST = 0.5;
const STEP = Math.log(1.04);

/**
 * The level of each float32 by its upper half, which is all that comes over the wire; -1 of what is not above zero. A
 * table, since logarithms of millions of values would take longer than all else that is done with them.
 */
function levelsOfHalves(): Int16Array {
  const values = new Float32Array(Uint32Array.from({ length: 1 << 16 }, (_, half) => half << 16).buffer);
  return Int16Array.from(values, (value) => {
    if (!(value > 0)) return -1;
    return Math.min(LEVELS - 1, Math.max(0, Math.floor(Math.log(value / LOWEST) / STEP)));
  });
}

const LEVEL_OF_HALF = levelsOfHalves();

/** Float32 values, of which the upper halves are read. */
function bitsOf(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}

class Histogram {
  readonly counts: Uint32Array;

  constructor(bins: number) {
    this.counts = new Uint32Array(bins * LEVELS);
  }

  /** A value by the bits of its float32. */
  add(bin: number, bits: number): void {
    const level = LEVEL_OF_HALF[bits >>> 16]!;
    if (level >= 0) this.counts[bin * LEVELS + level]!++;
  }

  /** Pairs of bins become one. */
  halve(bins: number): void {
    for (let bin = 0; bin < bins / 2; bin++) {
      for (let level = 0; level < LEVELS; level++) {
        const [first, second] = [2 * bin * LEVELS + level, (2 * bin + 1) * LEVELS + level];
        this.counts[bin * LEVELS + level] = this.counts[first]! + this.counts[second]!;
      }
    }
    this.counts.fill(0, (bins / 2) * LEVELS);
  }

  /** Of bins `from` to `to` - 1; null where they hold nothing. */
  median(from: number, to: number): number | null {
    const sums = new Float64Array(LEVELS);
    let total = 0;
    for (let bin = from; bin < to; bin++) {
      for (let level = 0; level < LEVELS; level++) {
        const count = this.counts[bin * LEVELS + level]!;
        sums[level]! += count;
        total += count;
      }
    }
    if (total === 0) return null;
    let level = 0;
    let below = 0;
    while (2 * (below + sums[level]!) < total) below += sums[level++]!;
    return LOWEST * Math.exp((level + (total / 2 - below) / sums[level]!) * STEP);
  }
}

/** Frames `from` to `to` - 1. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** One value per bin; null where nothing is known. */
export type Plot = readonly (number | null)[];

export class FrameSeries {
  /** Frames per bin. */
  width = 1;
  endFrame = 0;
  readonly #counts = new Uint32Array(BINS);
  readonly #backgrounds = new Float64Array(BINS);
  readonly #photons = new Histogram(BINS);
  readonly #precisions = new Histogram(BINS);

  clear(): void {
    this.width = 1;
    this.endFrame = 0;
    this.#counts.fill(0);
    this.#backgrounds.fill(0);
    this.#photons.counts.fill(0);
    this.#precisions.counts.fill(0);
  }

  /** `endFrame`: 1 + the highest frame that was processed, whether anything was found in it or not. */
  add(rows: Rows, endFrame: number): void {
    this.endFrame = Math.max(this.endFrame, endFrame);
    const { count, frame, background_photons: backgrounds } = rows;
    const [photons, precisions] = [bitsOf(rows.photons), bitsOf(rows.precision_nm)];
    let last = this.endFrame - 1;
    for (let row = 0; row < count; row++) last = Math.max(last, frame[row]!);
    while (last >= BINS * this.width) this.#halve();
    for (let row = 0; row < count; row++) {
      const bin = Math.floor(frame[row]! / this.width);
      this.#counts[bin]!++;
      this.#backgrounds[bin]! += backgrounds[row]!;
      this.#photons.add(bin, photons[row]!);
      this.#precisions.add(bin, precisions[row]!);
    }
  }

  /** Of frames that were processed: the others lie in `missing`, whose spans do not overlap. */
  localizationsPerFrame(missing: readonly Span[] = []): Plot {
    return this.#plot((bin) => {
      const frames = this.#framesIn(bin, missing);
      return frames <= 0 ? null : this.#counts[bin]! / frames;
    });
  }

  get photons(): Plot {
    return this.#plot((bin) => this.#photons.median(bin, bin + 1));
  }

  get precisionNm(): Plot {
    return this.#plot((bin) => this.#precisions.median(bin, bin + 1));
  }

  /** Mean, per camera pixel. */
  get background(): Plot {
    return this.#plot((bin) => meanOf(this.#backgrounds[bin]!, this.#counts[bin]!));
  }

  get meanBackground(): number | null {
    const rows = this.#counts.reduce((total, count) => total + count, 0);
    return meanOf(
      this.#backgrounds.reduce((total, background) => total + background, 0),
      rows,
    );
  }

  get medianPhotons(): number | null {
    return this.#photons.median(0, BINS);
  }

  get medianPrecisionNm(): number | null {
    return this.#precisions.median(0, BINS);
  }

  #plot(value: (bin: number) => number | null): Plot {
    return Array.from({ length: Math.ceil(this.endFrame / this.width) }, (_, bin) => value(bin));
  }

  /** The last bin may have begun just now. */
  #framesIn(bin: number, missing: readonly Span[]): number {
    const [from, to] = [bin * this.width, Math.min((bin + 1) * this.width, this.endFrame)];
    const without = missing.map((span) => Math.max(0, Math.min(to, span.to) - Math.max(from, span.from)));
    return without.reduce((frames, absent) => frames - absent, to - from);
  }

  #halve(): void {
    for (let bin = 0; bin < BINS / 2; bin++) {
      this.#counts[bin] = this.#counts[2 * bin]! + this.#counts[2 * bin + 1]!;
      this.#backgrounds[bin] = this.#backgrounds[2 * bin]! + this.#backgrounds[2 * bin + 1]!;
    }
    this.#counts.fill(0, BINS / 2);
    this.#backgrounds.fill(0, BINS / 2);
    this.#photons.halve(BINS);
    this.#precisions.halve(BINS);
    this.width *= 2;
  }
}

/** Null of no values, and where a generator tells none. */
function meanOf(sum: number, count: number): number | null {
  return count === 0 || Number.isNaN(sum) ? null : sum / count;
}

/** What is told from time to time, e.g. the lag: thinned out by half whenever it gets too long. */
export class TimeSeries {
  #values: (number | null)[] = [];
  #every = 1;
  #skipped = 0;

  add(value: number | null): void {
    this.#skipped++;
    if (this.#skipped < this.#every) return;
    this.#skipped = 0;
    this.#values.push(value);
    if (this.#values.length <= BINS) return;
    this.#values = this.#values.filter((_, place) => place % 2 === 0);
    this.#every *= 2;
  }

  get plot(): Plot {
    return this.#values;
  }
}
