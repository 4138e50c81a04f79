/** How this person likes images to look, kept in this browser. */
import { COLORMAP_NAMES, DEFAULT_LOOK, type Look } from "./contrast";
import type { DrawWith } from "./stage";

/** The ways to look at two images. */
export const COMPARE_MODES = ["side", "swipe", "difference"] as const;
export type CompareMode = (typeof COMPARE_MODES)[number];

export interface Preferences {
  readonly look: Look;
  readonly drawWith: DrawWith;
  readonly compareAs: CompareMode;
}

export const PERCENTILES = { min: 90, max: 100 } as const;
export const GAMMAS = { min: 0.2, max: 2 } as const;

const KEY = "cellstorm.viewer";
const DRAW_WITH: readonly DrawWith[] = ["auto", "webgl", "canvas"];

/** Of the browser, e.g. localStorage. */
export type Keep = Pick<Storage, "getItem" | "setItem">;

export function keptPreferences(keep: Keep): Preferences {
  const kept = parsed(keep.getItem(KEY));
  const look = isObject(kept["look"]) ? kept["look"] : {};
  return {
    look: {
      colormap: COLORMAP_NAMES.find((name) => name === look["colormap"]) ?? DEFAULT_LOOK.colormap,
      percentile: within(look["percentile"], PERCENTILES, DEFAULT_LOOK.percentile),
      gamma: within(look["gamma"], GAMMAS, DEFAULT_LOOK.gamma),
      invert: look["invert"] === true,
    },
    drawWith: DRAW_WITH.find((name) => name === kept["drawWith"]) ?? "auto",
    compareAs: COMPARE_MODES.find((name) => name === kept["compareAs"]) ?? "side",
  };
}

export function keepPreferences(preferences: Preferences, keep: Keep): void {
  keep.setItem(KEY, JSON.stringify(preferences));
}

/** Whatever another release, or another hand, has left there. */
function parsed(text: string | null): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text ?? "{}");
    return isObject(value) ? value : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function within(value: unknown, { min, max }: { min: number; max: number }, otherwise: number): number {
  return typeof value === "number" && value >= min && value <= max ? value : otherwise;
}
