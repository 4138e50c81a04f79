/** What a picture's figures mean to the person at the microscope: one word each, and what to do. */
import type { Measurement } from "./measure";

export type Light = "clipped" | "dark" | "black_clipped" | "good";
export type Focus = "unknown" | "soft" | "sharp";
export type Blinking = "none" | "few" | "good" | "crowded";

export interface Advice {
  readonly light: Light;
  readonly focus: Focus;
  readonly blinking: Blinking;
}

const CLIPPED_WHITE = 1e-4;
const CLIPPED_BLACK = 0.05;
const DARK_PEAK = 0.2;
/** Wider than the narrowest that was seen lately by so much is out of focus. */
const SOFT = 1.12;
/** Spots per pixel: above, most overlap with a neighbour (a spot is some ten pixels across its tails). */
const CROWDED = 0.006;
const FEW = 0.0001;

export function adviceOf({ white, black, peak, density, spotSigmaPx }: Measurement, sharpestPx: number | null): Advice {
  return {
    light:
      white > CLIPPED_WHITE ? "clipped" : black > CLIPPED_BLACK ? "black_clipped" : peak < DARK_PEAK ? "dark" : "good",
    focus: spotSigmaPx === null ? "unknown" : spotSigmaPx > SOFT * (sharpestPx ?? spotSigmaPx) ? "soft" : "sharp",
    blinking: density === 0 ? "none" : density < FEW ? "few" : density > CROWDED ? "crowded" : "good",
  };
}

const REMEMBERED_MS = 60_000;

/** Spots jitter with those that happen to shine: medians over a second, and the best of them over a minute. */
export class Sharpest {
  #recent: number[] = [];
  #medians: { atMs: number; sigmaPx: number }[] = [];

  /** The narrowest of late; null before there was any. */
  get sigmaPx(): number | null {
    return this.#medians.length === 0 ? null : Math.min(...this.#medians.map((each) => each.sigmaPx));
  }

  /** The present width, calmed; null while nothing is seen. */
  add(sigmaPx: number | null, nowMs: number): number | null {
    if (sigmaPx === null) {
      this.#recent = [];
      return null;
    }
    this.#recent = [...this.#recent, sigmaPx].slice(-5);
    const calm = [...this.#recent].sort((a, b) => a - b)[this.#recent.length >> 1]!;
    if (this.#recent.length === 5) this.#medians.push({ atMs: nowMs, sigmaPx: calm });
    this.#medians = this.#medians.filter(({ atMs }) => nowMs - atMs < REMEMBERED_MS);
    return calm;
  }
}
