/**
 * Which of a chunk's candidates are reported, as core/cellstorm/presence.py has it (the reasons stand there): the judge revises
 * them by what many frames together show; then those are reported with which the expected efficiency is highest.
 */
import type { Judge } from "../generated/models";
import { JUDGING, PRESENCE } from "../generated/tables";
import { ROW_VALUES, columnIndex } from "../live/messages";
import { type Scale, revise } from "./judging";

const PROBABILITY = columnIndex("probability");
const PRECISION = columnIndex("precision_nm");

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
    const chosen = this.#chosen(candidates);
    let next = 0;
    return candidates.map((rows) => picked(rows, chosen.slice(next, (next += rows.length / ROW_VALUES))));
  }

  #chosen(candidates: readonly Float32Array[]): boolean[] {
    const { threshold } = this;
    const probability = candidates.flatMap((rows) => column(rows, PROBABILITY));
    if (threshold !== null) return probability.map((value) => value > threshold);
    const { framePixels, pixelSizeNm } = this.scale;
    const precisionPx = candidates.flatMap((rows) => column(rows, PRECISION)).map((value) => value / pixelSizeNm);
    return best(probability, precisionPx, candidates.length * framePixels);
  }
}

/** Which candidates to report, for the highest expected efficiency; where these are few, more is asked of each. */
export function best(probability: readonly number[], precisionPx: readonly number[], volumePx: number): boolean[] {
  const squared = precisionPx.map((sigma) => 2 * (PRESENCE.rmse_weight * sigma) ** 2);
  const chosen = mostEfficient(probability, squared);
  const expected = sum(probability, chosen) / (volumePx / JUDGING.unit_volume_px + JUDGING.usual_volume);
  const alone = (PRESENCE.least_alone - PRESENCE.least) * Math.exp(-expected / PRESENCE.company);
  return probability.map((value, at) => chosen[at]! && value > PRESENCE.least + alone);
}

/** Those with the least (1 - J)² + (w R)², `squared` being what each would have (w R)² be; all over `PRESENCE.least`. */
function mostEfficient(probability: readonly number[], squared: readonly number[]): boolean[] {
  const every = sum(probability);
  const weighted = probability.map((value, at) => value * squared[at]!);
  const threshold = Math.max(PRESENCE.least, bestThreshold(probability));
  let chosen = probability.map((value) => value > threshold);
  let [kept, least] = [chosen, Infinity];
  for (let round = 0; round < PRESENCE.rounds; round++) {
    const true_ = sum(probability, chosen);
    if (true_ === 0) break;
    const union = chosen.filter(Boolean).length + every - true_;
    const jaccard = true_ / union;
    const meanSquared = sum(weighted, chosen) / true_;
    const loss = (1 - jaccard) ** 2 + meanSquared;
    if (loss >= least) break;
    [kept, least] = [chosen, loss];
    chosen = probability.map((value, at) => {
      const byJaccard = (2 * (1 - jaccard) * (value * (1 + jaccard) - jaccard)) / union;
      const byRmse = (value * (meanSquared - squared[at]!)) / true_;
      return value > PRESENCE.least && byJaccard + byRmse > 0;
    });
  }
  return kept;
}

/** Candidates over it, reported, give the highest expected Jaccard index. */
function bestThreshold(probability: readonly number[]): number {
  const all = sum(probability);
  let [jaccard, true_] = [0, 0];
  for (const [index, value] of [...probability].sort((a, b) => b - a).entries()) {
    true_ += value;
    jaccard = Math.max(jaccard, true_ / (index + 1 + all - true_));
  }
  return jaccard / (1 + jaccard);
}

function sum(values: readonly number[], chosen?: readonly boolean[]): number {
  return values.reduce((total, value, at) => (chosen === undefined || chosen[at] ? total + value : total), 0);
}

function column(rows: Float32Array, which: number): number[] {
  return [...rows].filter((_, index) => index % ROW_VALUES === which);
}

function picked(rows: Float32Array, chosen: readonly boolean[]): Float32Array {
  const kept = chosen.flatMap((isChosen, row) => (isChosen ? [row * ROW_VALUES] : []));
  const values = new Float32Array(kept.length * ROW_VALUES);
  for (const [index, row] of kept.entries()) {
    // Of integers, too, the bits are copied as they are.
    const bits = new Uint32Array(rows.buffer, rows.byteOffset + row * rows.BYTES_PER_ELEMENT, ROW_VALUES);
    new Uint32Array(values.buffer).set(bits, index * ROW_VALUES);
  }
  return values;
}
