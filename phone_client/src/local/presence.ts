/**
 * Which of a chunk's candidates are reported, as core/cellstorm/presence.py has it (the reasons stand there): the fewer
 * molecules many frames together show, the less likely is each candidate; of those the ones are reported with which the
 * expected Jaccard index is highest.
 */
import { PRESENCE } from "../generated/tables";
import { ROW_VALUES, columnIndex } from "../live/messages";

const PROBABILITY = columnIndex("probability");
const SETTLED = 1e-4;

/** Rows of a group of frames on their way: at most `PRESENCE.group_frames` of them are judged together. */
export class Group {
  #candidates: Float32Array[] = []; // of each frame
  #frames = 0;

  constructor(
    private readonly framePixels: number,
    private readonly threshold: number | null,
  ) {}

  /** What is reported now that a further frame's candidates have come: nothing until the group is full. */
  add(candidates: Float32Array): Float32Array[] {
    this.#candidates.push(candidates);
    this.#frames++;
    return this.#frames < PRESENCE.group_frames ? [] : this.end();
  }

  /** What is reported of the frames that have come: their chunk is over. */
  end(): Float32Array[] {
    if (this.#frames === 0) return [];
    const usual = PRESENCE.usual_per_pixel * this.framePixels * this.#frames;
    const candidates = this.#candidates;
    this.#candidates = [];
    this.#frames = 0;
    const probability = shifted(candidates.flatMap(probabilities), usual);
    const least = this.threshold ?? bestThreshold(probability);
    let first = 0;
    return candidates.map((rows) => {
      const own = probability.slice(first, first + rows.length / ROW_VALUES);
      first += own.length;
      return likely(rows, own, least);
    });
  }
}

/** Probabilities where molecules are fewer than the usual number; as they are where there are as many. */
export function shifted(probability: readonly number[], usual: number): number[] {
  const odds = probability.map((value) => {
    const sure = Math.min(value, PRESENCE.sure);
    return sure / (1 - sure);
  });
  for (let share = 1; ;) {
    const found = odds.map((value) => (share * value) / (1 + share * value));
    const sum = found.reduce((total, value) => total + value, 0);
    const next = Math.max(PRESENCE.fewest, Math.min(1, sum / usual));
    if (next >= share * (1 - SETTLED)) return found;
    share = next;
  }
}

/** Candidates over it, reported, give the highest expected Jaccard index. */
export function bestThreshold(probability: readonly number[]): number {
  const falling = [...probability].sort((a, b) => b - a);
  const all = falling.reduce((total, value) => total + value, 0);
  let [jaccard, true_] = [0, 0];
  for (const [index, value] of falling.entries()) {
    true_ += value;
    jaccard = Math.max(jaccard, true_ / (index + 1 + all - true_));
  }
  return Math.max(PRESENCE.least, jaccard / (1 + jaccard));
}

function probabilities(rows: Float32Array): number[] {
  return [...rows].filter((_, index) => index % ROW_VALUES === PROBABILITY);
}

function likely(rows: Float32Array, probability: readonly number[], least: number): Float32Array {
  const kept: number[] = [];
  for (const [row, value] of probability.entries()) if (value > least) kept.push(row);
  const values = new Float32Array(kept.length * ROW_VALUES);
  for (const [index, row] of kept.entries()) {
    // Of integers, too, the bits are copied as they are.
    const bits = new Uint32Array(rows.buffer, rows.byteOffset + row * ROW_VALUES * rows.BYTES_PER_ELEMENT, ROW_VALUES);
    new Uint32Array(values.buffer).set(bits, index * ROW_VALUES);
    values[index * ROW_VALUES + PROBABILITY] = probability[row]!;
  }
  return values;
}
