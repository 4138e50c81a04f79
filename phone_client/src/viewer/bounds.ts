/** Sliders with which one chooses a range: their ends stand for "any", and between them steps are equal ratios. */
import { EVERYTHING, type Range } from "./table";

export const STEPS = 100;

export interface Span {
  readonly low: number;
  readonly high: number;
}

export const PHOTONS: Span = { low: 10, high: 20_000 };
export const PRECISION_NM: Span = { low: 1, high: 100 };

/** What a slider's place stands for, without its ends. */
export function valueAt(step: number, { low, high }: Span): number {
  const value = low * (high / low) ** (step / STEPS);
  return Number(value.toPrecision(2));
}

/** The range between two sliders; they may be crossed. */
export function rangeOf(one: number, other: number, span: Span): Range {
  const [from, to] = [Math.min(one, other), Math.max(one, other)];
  if (from <= 0 && to >= STEPS) return EVERYTHING;
  return { from: from <= 0 ? -Infinity : valueAt(from, span), to: to >= STEPS ? Infinity : valueAt(to, span) };
}

/** As it is said beside them. */
export function rangeLabel({ from, to }: Range, any: string): string {
  if (from === -Infinity && to === Infinity) return any;
  if (to === Infinity) return `≥ ${from}`;
  return from === -Infinity ? `≤ ${to}` : `${from} – ${to}`;
}
