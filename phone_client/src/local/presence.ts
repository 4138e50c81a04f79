/**
 * Which of a chunk's candidates are reported, as core/cellstorm/presence.py has it (the reasons stand there): the judge revises
 * them by what many frames together show; then the ones are reported with which the expected Jaccard index is highest.
 */
import type { Judge } from "../generated/models";
import { JUDGING, PRESENCE } from "../generated/tables";
import { ROW_VALUES, columnIndex } from "../live/messages";
import { type Scale, revise } from "./judging";

const PROBABILITY = columnIndex("probability");

/** Rows of a group of frames on their way: at most `PRESENCE.group_frames` of them are judged together. */
export class Group {
  #candidates: Float32Array[] = []; // of each frame

  constructor(
    private readonly scale: Scale,
    private readonly judge: Judge | null,
    private readonly threshold: number | null,
  ) {}

  /** What is reported now that a further frame's candidates have come: nothing until the group is full. */
  add(candidates: Float32Array): Float32Array[] {
    this.#candidates.push(candidates);
    return this.#candidates.length < PRESENCE.group_frames ? [] : this.end();
  }

  /** What is reported of the frames that have come: their chunk is over. */
  end(): Float32Array[] {
    const candidates = this.#candidates;
    this.#candidates = [];
    if (this.judge !== null) revise(this.judge, candidates, this.scale);
    const volumePx = candidates.length * this.scale.framePixels;
    const least = this.threshold ?? bestThreshold(candidates.flatMap(probabilities), volumePx);
    return candidates.map((rows) => likely(rows, least));
  }
}

/** Candidates over it, reported, give the highest expected Jaccard index; where few would be, more is asked of each. */
export function bestThreshold(probability: readonly number[], volumePx: number): number {
  const falling = [...probability].sort((a, b) => b - a);
  const all = falling.reduce((total, value) => total + value, 0);
  let [jaccard, true_] = [0, 0];
  for (const [index, value] of falling.entries()) {
    true_ += value;
    jaccard = Math.max(jaccard, true_ / (index + 1 + all - true_));
  }
  const best = Math.max(PRESENCE.least, jaccard / (1 + jaccard));
  const over = falling.filter((value) => value > best).reduce((total, value) => total + value, 0);
  const expected = over / (volumePx / JUDGING.unit_volume_px + JUDGING.usual_volume);
  const alone = (PRESENCE.least_alone - PRESENCE.least) * Math.exp(-expected / PRESENCE.company);
  return Math.max(best, PRESENCE.least + alone);
}

function probabilities(rows: Float32Array): number[] {
  return [...rows].filter((_, index) => index % ROW_VALUES === PROBABILITY);
}

function likely(rows: Float32Array, least: number): Float32Array {
  const kept: number[] = [];
  for (let row = 0; row < rows.length; row += ROW_VALUES) if (rows[row + PROBABILITY]! > least) kept.push(row);
  const values = new Float32Array(kept.length * ROW_VALUES);
  for (const [index, row] of kept.entries()) {
    // Of integers, too, the bits are copied as they are.
    const bits = new Uint32Array(rows.buffer, rows.byteOffset + row * rows.BYTES_PER_ELEMENT, ROW_VALUES);
    new Uint32Array(values.buffer).set(bits, index * ROW_VALUES);
  }
  return values;
}
