/**
 * How a localization becomes an image, the same as core/cellstorm/reconstruction.py: a normal distribution of its own
 * precision, integrated over each pixel, cut at three sigma and normalised to one before the border cuts it; sigma is at
 * least half an output pixel and at most one camera pixel. The centre of camera pixel (0, 0) is (0 nm, 0 nm).
 */
export interface Field {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly pixelSizeNm: number;
}

/** A part of the image: output pixels, counted from the field's left upper corner. */
export interface Grid {
  readonly pixelNm: number;
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

export const RADIUS_SIGMAS = 3;
export const MIN_SIGMA_PX = 0.5;

/** From a region of interest as the server writes it, `X,Y,W,H`. */
export function fieldOf(roi: string, pixelSizeNm: number): Field {
  const [, , widthPx, heightPx] = roi.split(",").map(Number);
  if (widthPx === undefined || heightPx === undefined || !(widthPx > 0) || !(heightPx > 0)) {
    throw new Error(`${roi} is not a region of interest`);
  }
  return { widthPx, heightPx, pixelSizeNm };
}

/** All of the field. */
export function wholeGrid(field: Field, pixelNm: number): Grid {
  const width = wholePixels((field.widthPx * field.pixelSizeNm) / pixelNm);
  const height = wholePixels((field.heightPx * field.pixelSizeNm) / pixelNm);
  return { pixelNm, left: 0, top: 0, width, height };
}

/** Output pixels that cover a side, which rounding may have made a trifle longer than a whole number. */
function wholePixels(side: number): number {
  return Math.max(1, Math.ceil(Math.round(side * 1e6) / 1e6));
}

/** In output pixels. */
export function maxSigmaPx(field: Field, pixelNm: number): number {
  return Math.max(field.pixelSizeNm / pixelNm, MIN_SIGMA_PX);
}

/** Pixels on either side of the middle one. */
export function radiusPx(sigma: number): number {
  return Math.ceil(RADIUS_SIGMAS * sigma);
}

/** Each pixel's share along one axis, for a centre `offset` into the middle pixel; returns what they sum to. */
export function fillShares(shares: Float64Array, offset: number, sigma: number, radius: number): number {
  const scale = ERF_STEPS / (Math.SQRT2 * sigma);
  const first = erfOfSteps((-radius - offset) * scale);
  let before = first;
  for (let pixel = 0; pixel <= 2 * radius; pixel++) {
    const after = erfOfSteps((pixel - radius + 1 - offset) * scale);
    shares[pixel] = after - before;
    before = after;
  }
  return before - first;
}

/** Coefficients of the error function to 1.5e-7; Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26. */
export const ERF = { p: 0.3275911, a: [0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429] } as const;

export function erf(x: number): number {
  const [a1, a2, a3, a4, a5] = ERF.a;
  const t = 1 / (1 + ERF.p * Math.abs(x));
  const series = ((((a5 * t + a4) * t + a3) * t + a2) * t + a1) * t;
  return Math.sign(x) * (1 - series * Math.exp(-x * x));
}

/** Per unit of the table: between its entries a line is right to 1.2e-7, a twelfth of the time of computing each anew. */
const ERF_STEPS = 1024;
const ERF_TABLE = Float64Array.from({ length: 4 * ERF_STEPS + 2 }, (_, step) => erf(step / ERF_STEPS));

/** The error function at so many steps, which beyond 4 is 1 to 1.5e-8. */
function erfOfSteps(steps: number): number {
  const size = Math.min(Math.abs(steps), 4 * ERF_STEPS);
  const step = size | 0; // the quick conversion to an integer: called for every edge of a pixel
  const below = ERF_TABLE[step]!;
  const value = below + (ERF_TABLE[step + 1]! - below) * (size - step);
  return steps < 0 ? -value : value;
}
