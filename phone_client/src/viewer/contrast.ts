/** From localizations per pixel to colours, as core/cellstorm/rendering.py does it. */
import { COLORMAPS, DEFAULT_GAMMA, DEFAULT_PERCENTILE } from "../generated/tables";

export type Colormap = keyof typeof COLORMAPS;

/** How brightness becomes colour. */
export interface Look {
  readonly colormap: Colormap;
  /** Of the lit pixels in view; it is drawn in the brightest colour. */
  readonly percentile: number;
  readonly gamma: number;
  readonly invert: boolean;
}

export const DEFAULT_LOOK: Look = {
  colormap: "hot",
  percentile: DEFAULT_PERCENTILE,
  gamma: DEFAULT_GAMMA,
  invert: false,
};

export const COLORMAP_NAMES = Object.keys(COLORMAPS) as Colormap[];

/** Steps of brightness in a colour table. */
export const LEVELS = 1024;
/** A prime, so that samples fall in step neither with rows nor with camera pixels. */
const STRIDE = 29;
const ENOUGH_SAMPLES = 4096;

/** The percentile of all values that are not zero; 0 when there are none. Large images are sampled. */
export function whiteLevel(values: Float32Array, percentile: number = DEFAULT_PERCENTILE): number {
  let lit = litValues(values, STRIDE);
  if (lit.length < ENOUGH_SAMPLES) lit = litValues(values, 1);
  if (lit.length === 0) return 0;
  lit.sort();
  const place = (percentile / 100) * (lit.length - 1);
  const below = lit[Math.floor(place)]!;
  return below + (lit[Math.ceil(place)]! - below) * (place - Math.floor(place));
}

/** Every `stride`th value, without zeros. */
function litValues(values: Float32Array, stride: number): Float32Array {
  const lit = new Float32Array(Math.ceil(values.length / stride));
  let count = 0;
  for (let index = 0; index < values.length; index += stride) {
    if (values[index]! > 0) lit[count++] = values[index]!;
  }
  return lit.subarray(0, count);
}

/** Colours of LEVELS steps of brightness; each as one little-endian RGBA word of ImageData. */
export function colourTable({ colormap, gamma, invert }: Look = DEFAULT_LOOK): Uint32Array<ArrayBuffer> {
  const colours = COLORMAPS[colormap];
  const table = new Uint32Array(LEVELS);
  for (let level = 0; level < LEVELS; level++) {
    const bright = Math.round(255 * (level / (LEVELS - 1)) ** gamma);
    const step = invert ? 255 - bright : bright;
    const [red, green, blue] = [0, 2, 4].map((digit) =>
      Number.parseInt(colours.substring(6 * step + digit, 6 * step + digit + 2), 16),
    );
    table[level] = ((255 << 24) | (blue! << 16) | (green! << 8) | red!) >>> 0;
  }
  return table;
}

/** Levels per unit of value, such that `white` is the last; 0 where nothing is lit. */
export function brightnessScale(white: number): number {
  return white > 0 ? (LEVELS - 1) / white : 0;
}

/** Place in the colour table. Called for every pixel: the integer conversion is the quick one. */
export function levelOf(value: number, levelsPerUnit: number): number {
  return (Math.min(value * levelsPerUnit, LEVELS - 1) + 0.5) | 0;
}
