/**
 * The growing image: what is added costs by what is new, never by what is there.
 *
 * The same drawing as core/cellstorm/reconstruction.py: each localization is a normal distribution of its own
 * precision, integrated over each pixel, cut at three sigma and normalised to one before the border cuts it; sigma is
 * at least half an output pixel and at most one camera pixel. The centre of camera pixel (0, 0) is (0 nm, 0 nm).
 */
import { ROW_VALUES, type Rows, columnIndex } from "./live";

export interface Field {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly pixelSizeNm: number;
}

/** Side of the squares in which changes are noted, in output pixels. */
export const TILE = 32;

const LARGEST_SIDE = 2560;
const RADIUS_SIGMAS = 3;
const X = columnIndex("x_nm");
const Y = columnIndex("y_nm");
const PRECISION = columnIndex("precision_nm");

/** The server's own choice, coarser where the image would be larger than a phone's memory should hold. */
export function outputPixelNm(field: Field): number {
  const wanted = Math.min(20, field.pixelSizeNm / 5);
  return Math.max(wanted, (Math.max(field.widthPx, field.heightPx) * field.pixelSizeNm) / LARGEST_SIDE);
}

/** From a region of interest as the server writes it, `X,Y,W,H`. */
export function fieldOf(roi: string, pixelSizeNm: number): Field {
  const [, , widthPx, heightPx] = roi.split(",").map(Number);
  if (widthPx === undefined || heightPx === undefined || !(widthPx > 0) || !(heightPx > 0)) {
    throw new Error(`${roi} is not a region of interest`);
  }
  return { widthPx, heightPx, pixelSizeNm };
}

export class GrowingImage {
  readonly width: number;
  readonly height: number;
  /** (height * width) localizations per output pixel, row 0 at the top. */
  readonly values: Float32Array;
  /** (tilesDown * tilesAcross) 1 where values changed since `clearChanges`. */
  readonly changed: Uint8Array;
  readonly tilesAcross: number;
  drawn = 0;
  outside = 0;

  readonly #scale: number; // output pixels per camera pixel
  readonly #maxSigma: number;
  readonly #columns: Float64Array;
  readonly #rows: Float64Array;

  constructor(
    readonly field: Field,
    readonly pixelNm: number = outputPixelNm(field),
  ) {
    this.#scale = field.pixelSizeNm / pixelNm;
    this.width = wholePixels(field.widthPx * this.#scale);
    this.height = wholePixels(field.heightPx * this.#scale);
    this.values = new Float32Array(this.width * this.height);
    this.tilesAcross = Math.ceil(this.width / TILE);
    this.changed = new Uint8Array(this.tilesAcross * Math.ceil(this.height / TILE));
    this.#maxSigma = Math.max(this.#scale, 0.5);
    const kernelSide = 2 * Math.ceil(RADIUS_SIGMAS * this.#maxSigma) + 1;
    this.#columns = new Float64Array(kernelSide);
    this.#rows = new Float64Array(kernelSide);
  }

  /** Back to nothing, as before a new snapshot. */
  clear(): void {
    this.values.fill(0);
    this.changed.fill(1);
    this.drawn = 0;
    this.outside = 0;
  }

  clearChanges(): void {
    this.changed.fill(0);
  }

  /** Draws rows `from` to `to` - 1; those beyond the camera's pixels are counted and left out. */
  add(rows: Rows, from = 0, to = rows.count): void {
    for (let row = from; row < to; row++) {
      const start = row * ROW_VALUES;
      const x = (rows.values[start + X]! / this.field.pixelSizeNm + 0.5) * this.#scale;
      const y = (rows.values[start + Y]! / this.field.pixelSizeNm + 0.5) * this.#scale;
      const inside = x >= 0 && x < this.field.widthPx * this.#scale && y >= 0 && y < this.field.heightPx * this.#scale;
      if (inside) this.#draw(x, y, this.#sigma(rows.values[start + PRECISION]!));
      else this.outside++;
    }
  }

  #sigma(precisionNm: number): number {
    if (Number.isNaN(precisionNm)) return this.#maxSigma;
    return Math.min(this.#maxSigma, Math.max(0.5, precisionNm / this.pixelNm));
  }

  #draw(x: number, y: number, sigma: number): void {
    const radius = Math.ceil(RADIUS_SIGMAS * sigma);
    const column = Math.floor(x);
    const row = Math.floor(y);
    fillShares(this.#columns, x - column, sigma, radius);
    fillShares(this.#rows, y - row, sigma, radius);
    const left = Math.max(0, column - radius);
    const right = Math.min(this.width - 1, column + radius);
    const top = Math.max(0, row - radius);
    const bottom = Math.min(this.height - 1, row + radius);
    const { values } = this;
    const shares = this.#columns;
    const first = column - radius;
    for (let r = top; r <= bottom; r++) {
      const share = this.#rows[r - row + radius]!;
      const line = r * this.width;
      for (let c = left; c <= right; c++) values[line + c]! += share * shares[c - first]!;
    }
    this.#noteChange(left, top, right, bottom);
    this.drawn++;
  }

  #noteChange(left: number, top: number, right: number, bottom: number): void {
    for (let r = Math.floor(top / TILE); r <= Math.floor(bottom / TILE); r++) {
      for (let c = Math.floor(left / TILE); c <= Math.floor(right / TILE); c++)
        this.changed[r * this.tilesAcross + c] = 1;
    }
  }
}

/** Output pixels that cover a side, which rounding may have made a trifle longer than a whole number. */
function wholePixels(side: number): number {
  return Math.max(1, Math.ceil(Math.round(side * 1e6) / 1e6));
}

/** Each pixel's share along one axis, for a centre `offset` into the middle pixel; they sum to one. */
function fillShares(shares: Float64Array, offset: number, sigma: number, radius: number): void {
  const scale = 1 / (Math.SQRT2 * sigma);
  let before = erf((-radius - offset) * scale);
  let sum = 0;
  for (let pixel = 0; pixel <= 2 * radius; pixel++) {
    const after = erf((pixel - radius + 1 - offset) * scale);
    shares[pixel] = after - before;
    sum += after - before;
    before = after;
  }
  for (let pixel = 0; pixel <= 2 * radius; pixel++) shares[pixel]! /= sum;
}

/** Error function to 1.5e-7; Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26. */
export function erf(x: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const series = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return Math.sign(x) * (1 - series * Math.exp(-x * x));
}
