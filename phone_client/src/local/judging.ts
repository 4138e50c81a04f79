/**
 * What many candidates together tell of each, as core/cellstorm/judging.py has it (the reasons stand there): a judge revises
 * probability and precision by what a group of frames shows.
 */
import type { Judge } from "../generated/models";
import { JUDGING } from "../generated/tables";
import { ROW_VALUES, columnIndex } from "../live/messages";

const X = columnIndex("x_nm");
const Y = columnIndex("y_nm");
const PHOTONS = columnIndex("photons");
const PRECISION = columnIndex("precision_nm");
const WIDTH = columnIndex("psf_sigma_nm");
const PROBABILITY = columnIndex("probability");

export interface Scale {
  /** Camera pixels of a frame. */
  readonly framePixels: number;
  readonly pixelSizeNm: number;
}

/** Sets what probability and precision become in the rows of all frames of a group, as they lie in memory. */
export function revise(judge: Judge, frames: readonly Float32Array[], scale: Scale): void {
  const places = frames.map((rows) => placesOf(rows, scale.pixelSizeNm));
  const inputs = features(places, scale);
  const shared = places.flatMap(overlaps);
  let at = 0;
  for (const rows of frames) {
    for (let row = 0; row < rows.length; row += ROW_VALUES) {
      const own = inputs[at]!;
      const standard = own.map((value, index) =>
        within(JUDGING.farthest, (value - judge.centre[index]!) / judge.spread[index]!),
      );
      const active = judge.hidden.map((weights) => Math.tanh(affine(weights, standard)));
      const [logit, logSigma] = judge.output.map((weights) => within(JUDGING.farthest_apart, affine(weights, active)));
      rows[row + PROBABILITY] = 1 / (1 + Math.exp(-own[JUDGING.logit]! - logit!));
      rows[row + PRECISION]! *= Math.exp(logSigma! + judge.overlap * shared[at]!);
      at++;
    }
  }
}

/** Of each candidate, in the order that the judge's weights have. */
function features(places: readonly Place[][], scale: Scale): number[][] {
  const elsewhere = places.flatMap((own, frame) => {
    const [before, after] = [there(own, places[frame - 1]), there(own, places[frame + 1])];
    return before.map((probability, index) => Math.max(probability, after[index]!));
  });
  const candidates = places.flat();
  const weights = candidates.map(({ probability }) => probability ** 2 + JUDGING.least_weight);
  const logSignal = candidates.map(({ signal }) => log(signal));
  const logSigma = candidates.map(({ sigmaPx }) => log(sigmaPx));
  const logWidth = candidates.map(({ widthPx }) => log(widthPx));
  const once = candidates.map(({ probability }) => probability + JUDGING.least_weight);
  const usual = average(logSignal, weights);
  const unlikely = elsewhere.filter((_, index) => candidates[index]!.probability < JUDGING.likely[1]);
  const counts = JUDGING.likely.map((least, index) => number(candidates, least, JUDGING.likely[index + 1]));
  const volume = (places.length * scale.framePixels) / JUDGING.unit_volume_px + JUDGING.usual_volume;
  const group = [
    ...counts.map((count) => Math.log((count + JUDGING.usual_count) / volume)),
    average(elsewhere, weights),
    average(logSigma, weights),
    spread(logSignal, usual, once),
    average(logWidth, weights),
    spread(logWidth, average(logWidth, once), once),
    spread(logSigma, average(logSigma, once), once),
    Math.log((counts.at(-1)! + JUDGING.usual_count) / (counts[0]! + JUDGING.usual_unlikely)),
    unlikely.length === 0 ? 0 : unlikely.reduce((total, value) => total + value, 0) / unlikely.length,
  ];
  return candidates.map(({ probability }, index) => [
    ...group,
    Math.log(probability / (1 - probability)),
    within(JUDGING.farthest_brightness, logSignal[index]! - usual),
    logSigma[index]!,
    logWidth[index]!,
    elsewhere[index]!,
  ]);
}

interface Place {
  readonly xPx: number;
  readonly yPx: number;
  readonly probability: number;
  readonly signal: number;
  readonly sigmaPx: number;
  readonly widthPx: number;
}

function placesOf(rows: Float32Array, pixelSizeNm: number): Place[] {
  return Array.from({ length: rows.length / ROW_VALUES }, (_, index) => {
    const value = (column: number) => rows[index * ROW_VALUES + column]!;
    return {
      xPx: value(X) / pixelSizeNm,
      yPx: value(Y) / pixelSizeNm,
      probability: Math.min(value(PROBABILITY), JUDGING.sure),
      signal: value(PHOTONS),
      sigmaPx: value(PRECISION) / pixelSizeNm,
      widthPx: value(WIDTH) / pixelSizeNm,
    };
  });
}

/** Of each, the probability of the nearest one at the same place in another frame. Both are sorted by y. */
function there(places: readonly Place[], others: readonly Place[] = []): number[] {
  let first = 0; // of the others that may be near this place or those that follow
  return places.map((place) => {
    while (first < others.length && others[first]!.yPx < place.yPx - JUDGING.same_place_px) first++;
    let [nearest, probability] = [JUDGING.same_place_px ** 2, 0];
    for (let at = first; at < others.length; at++) {
      const other = others[at]!;
      if (other.yPx > place.yPx + JUDGING.same_place_px) break;
      const squared = (other.xPx - place.xPx) ** 2 + (other.yPx - place.yPx) ** 2;
      if (squared < nearest) [nearest, probability] = [squared, other.probability];
    }
    return probability;
  });
}

/** How much of each spot of a frame lies under others there; sorted by y. */
function overlaps(places: readonly Place[]): number[] {
  const covered = places.map(() => 0);
  places.forEach((place, index) => {
    for (let at = index + 1; at < places.length; at++) {
      const other = places[at]!;
      if (other.yPx > place.yPx + JUDGING.overlap_reach_px) break;
      const squared = (other.xPx - place.xPx) ** 2 + (other.yPx - place.yPx) ** 2;
      if (squared > JUDGING.overlap_reach_px ** 2) continue;
      const widths = Math.max(place.widthPx ** 2 + other.widthPx ** 2, JUDGING.least_value);
      const shared = Math.exp(-squared / (2 * widths));
      covered[index]! += shared * other.probability;
      covered[at]! += shared * place.probability;
    }
  });
  return covered.map((value) => Math.log1p(value / JUDGING.overlap_unit));
}

/** How many candidates are at least so likely, and less than the next class asks for. */
function number(candidates: readonly Place[], least: number, most = Infinity): number {
  return candidates.filter(({ probability }) => probability >= least && probability < most).length;
}

function spread(values: readonly number[], middle: number, weights: readonly number[]): number {
  const squared = values.map((value) => (value - middle) ** 2);
  return Math.sqrt(average(squared, weights));
}

function average(values: readonly number[], weights: readonly number[]): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return values.reduce((sum, value, index) => sum + value * weights[index]!, 0) / total;
}

function affine(weights: readonly number[], values: readonly number[]): number {
  return values.reduce((sum, value, index) => sum + value * weights[index]!, weights[values.length]!);
}

const within = (farthest: number, value: number): number => Math.max(-farthest, Math.min(farthest, value));

const log = (value: number): number => Math.log(Math.max(value, JUDGING.least_value));
