/**
 * What a student must know of the picture before filming: light, focus, blinking. Luma in, numbers out.
 *
 * Focus: the width of the spots from the picture's autocorrelation at one and two pixels (after Vollath, J. Microsc.
 * 147, 279, 1987). Noise is not correlated between pixels and has no part in it, nor have brightness and number of spots.
 * A Gaussian spot of sigma s has the autocorrelation exp(-d^2 / 4 s^2), hence s^2 = 3 / (4 ln(C1 / C2)).
 *
 * Blinking: spots by the wavelet filter of Izeddin et al. (Opt. Express 20, 2081, 2012): local maxima of the second plane
 * of the a-trous transform, above the noise of the first.
 */
export interface Luma {
  /** (height * width) uint8, row 0 is the top. */
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

export interface Measurement {
  /** Pixels of each of the 256 levels. */
  readonly histogram: readonly number[];
  /** Share of pixels at the darkest and at the brightest level that the camera knows, 0 to 1. */
  readonly black: number;
  readonly white: number;
  /** The level that one pixel in a thousand exceeds, 0 (black) to 1 (white). */
  readonly peak: number;
  /** Sigma of the spots in camera pixels; null where nothing stands out of the noise. */
  readonly spotSigmaPx: number | null;
  readonly spots: number;
  /** Spots per pixel. */
  readonly density: number;
}

const VIDEO_BLACK = 16;
const VIDEO_WHITE = 235;
/** In units of the first plane's noise; white noise has a quarter of it in the second plane (Starck & Murtagh). */
const SPOT_THRESHOLD = 1.25;
/** Without any noise, as in a drawing or behind a strong filter, levels themselves are coarse. */
const LEAST_THRESHOLD = 1;
const BACKGROUND_PX = 16;

export function measure(luma: Luma): Measurement {
  const histogram = histogramOf(luma);
  const first = smoothed(Float32Array.from(luma.data), luma.width, luma.height, 1);
  const spots = countSpots(luma, first);
  const pixels = luma.data.length;
  return { histogram, ...lightOf(histogram, pixels), spotSigmaPx: spotSigmaPx(luma), spots, density: spots / pixels };
}

function histogramOf({ data }: Luma): number[] {
  const histogram = new Array<number>(256).fill(0);
  for (const level of data) histogram[level]!++;
  return histogram;
}

/** Video often leaves levels below 16 and above 235 unused: then these are where it is clipped. */
function lightOf(histogram: readonly number[], pixels: number): Pick<Measurement, "black" | "white" | "peak"> {
  const share = (from: number, to: number) => histogram.slice(from, to).reduce((sum, n) => sum + n, 0) / pixels;
  const isLimited = share(0, VIDEO_BLACK) + share(VIDEO_WHITE + 1, 256) < 1e-4;
  const [black, white] = isLimited ? [VIDEO_BLACK, VIDEO_WHITE] : [0, 255];
  let above = 0;
  let level = 255;
  while (level > 0 && above + histogram[level]! <= pixels / 1000) above += histogram[level--]!;
  const peak = Math.max(0, Math.min(1, (level - black) / (white - black)));
  return { black: share(0, black + 1), white: share(white, 256), peak };
}

/** Null where the structure is not above the noise. */
function spotSigmaPx({ data, width, height }: Luma): number | null {
  const background = boxMean(data, width, height, BACKGROUND_PX);
  let [c0, c1, c2, n] = [0, 0, 0, 0];
  for (let y = BACKGROUND_PX; y < height - BACKGROUND_PX - 2; y++) {
    for (let x = BACKGROUND_PX; x < width - BACKGROUND_PX - 2; x++) {
      const at = y * width + x;
      const value = data[at]! - background[at]!;
      c0 += value * value;
      c1 += value * (data[at + 1]! - background[at + 1]! + data[at + width]! - background[at + width]!);
      c2 += value * (data[at + 2]! - background[at + 2]! + data[at + 2 * width]! - background[at + 2 * width]!);
      n++;
    }
  }
  const isStructure = n > 0 && c1 / 2 > (6 * c0) / Math.sqrt(2 * n) && c2 > 0 && c2 < c1;
  return isStructure ? Math.sqrt(3 / (4 * Math.log(c1 / c2))) : null;
}

function countSpots({ data, width, height }: Luma, first: Float32Array): number {
  const second = smoothed(first, width, height, 2);
  const noise = noiseOf(data, first);
  const threshold = Math.max(LEAST_THRESHOLD, SPOT_THRESHOLD * noise);
  const plane = first.map((value, at) => value - second[at]!);
  let spots = 0;
  for (let y = 2; y < height - 2; y++) {
    for (let x = 2; x < width - 2; x++) {
      const at = y * width + x;
      if (plane[at]! > threshold && isHighest(plane, at, width)) spots++;
    }
  }
  return spots;
}

/** Of equal neighbours the last one counts, so that a flat top is one spot. */
function isHighest(plane: Float32Array, at: number, width: number): boolean {
  const value = plane[at]!;
  for (const before of [at - width - 1, at - width, at - width + 1, at - 1]) if (plane[before]! > value) return false;
  for (const after of [at + 1, at + width - 1, at + width, at + width + 1]) if (plane[after]! >= value) return false;
  return true;
}

/** Standard deviation of the first wavelet plane from its median absolute value, which spots hardly move. */
function noiseOf(data: Uint8Array, first: Float32Array): number {
  const step = Math.max(1, Math.floor(data.length / 4096));
  const sample: number[] = [];
  for (let at = 0; at < data.length; at += step) sample.push(Math.abs(data[at]! - first[at]!));
  sample.sort((a, b) => a - b);
  return 1.4826 * sample[sample.length >> 1]!;
}

/** Convolution with the B3 spline (1, 4, 6, 4, 1) / 16 in both directions, its taps `gap` pixels apart; edges repeat. */
function smoothed(image: Float32Array, width: number, height: number, gap: number): Float32Array {
  const rows = new Float32Array(image.length);
  for (let y = 0; y < height; y++) spline(image, rows, y * width, 1, width, gap);
  const all = new Float32Array(image.length);
  for (let x = 0; x < width; x++) spline(rows, all, x, width, height, gap);
  return all;
}

function spline(from: Float32Array, to: Float32Array, start: number, stride: number, count: number, gap: number): void {
  const last = count - 1;
  for (let n = 0; n < count; n++) {
    const [a, b] = [Math.max(0, n - 2 * gap), Math.max(0, n - gap)];
    const [d, e] = [Math.min(last, n + gap), Math.min(last, n + 2 * gap)];
    const wide = from[start + a * stride]! + from[start + e * stride]!;
    const near = from[start + b * stride]! + from[start + d * stride]!;
    to[start + n * stride] = (wide + 4 * near + 6 * from[start + n * stride]!) / 16;
  }
}

/** Mean of the (2 r + 1)^2 pixels about each, from a table of sums; at the edges of those that are there. */
function boxMean(data: Uint8Array, width: number, height: number, radius: number): Float32Array {
  const sums = new Float64Array((width + 1) * (height + 1));
  for (let y = 0; y < height; y++) {
    let row = 0;
    for (let x = 0; x < width; x++) {
      row += data[y * width + x]!;
      sums[(y + 1) * (width + 1) + x + 1] = sums[y * (width + 1) + x + 1]! + row;
    }
  }
  const mean = new Float32Array(data.length);
  for (let y = 0; y < height; y++) {
    const [top, bottom] = [Math.max(0, y - radius) * (width + 1), Math.min(height, y + radius + 1) * (width + 1)];
    const rows = (bottom - top) / (width + 1);
    for (let x = 0; x < width; x++) {
      const [left, right] = [Math.max(0, x - radius), Math.min(width, x + radius + 1)];
      const sum = sums[bottom + right]! - sums[top + right]! - sums[bottom + left]! + sums[top + left]!;
      mean[y * width + x] = sum / (rows * (right - left));
    }
  }
  return mean;
}
