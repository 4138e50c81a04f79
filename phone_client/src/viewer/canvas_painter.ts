/** Draws with the processor: for browsers without WebGL2, and where it would be emulated by the processor anyhow. */
import { type Look, brightnessScale, colourTable, levelOf } from "./contrast";
import type { Painter, Painting } from "./painter";
import { type Field, type Grid, MIN_SIGMA_PX, fillShares, maxSigmaPx, radiusPx } from "./rule";
import type { Block, Filter, Range } from "./table";

/** Side of the squares in which changes are noted, in output pixels. */
export const TILE = 32;

const ROWS_AT_ONCE = 1500;
const FINEST_PER_CAMERA_PIXEL = 32;

export class CanvasPainter implements Painter {
  readonly kind = "canvas";

  #deadlineMs = -Infinity;

  constructor(private readonly clock: () => number = () => performance.now()) {}

  finestPixelNm(field: Field): number {
    return field.pixelSizeNm / FINEST_PER_CAMERA_PIXEL;
  }

  begin(grid: Grid, field: Field): CanvasPainting {
    return new CanvasPainting(new GrowingImage(grid, field), document.createElement("canvas"));
  }

  beginTurn(deadlineMs: number): void {
    this.#deadlineMs = deadlineMs;
  }

  allowance(): number {
    return this.clock() < this.#deadlineMs ? ROWS_AT_ONCE : 0;
  }

  endTurn(): void {}
  reordered(): void {}
  keepOnly(): void {}
}

/** What is drawn by, whoever holds it. */
type Columns = Readonly<Record<"frame" | "x_nm" | "y_nm" | "photons" | "precision_nm", ArrayLike<number>>>;

/** Localizations per pixel of one part of the image: what is added costs by what is new. */
export class GrowingImage {
  readonly values: Float32Array;
  /** (tilesDown * tilesAcross) 1 where values changed since `clearChanges`. */
  readonly changed: Uint8Array;
  readonly tilesAcross: number;

  readonly #maxSigma: number;
  readonly #columns: Float64Array;
  readonly #rows: Float64Array;

  constructor(
    readonly grid: Grid,
    readonly field: Field,
  ) {
    this.values = new Float32Array(grid.width * grid.height);
    this.tilesAcross = Math.ceil(grid.width / TILE);
    this.changed = new Uint8Array(this.tilesAcross * Math.ceil(grid.height / TILE)).fill(1);
    this.#maxSigma = maxSigmaPx(field, grid.pixelNm);
    const kernelSide = 2 * radiusPx(this.#maxSigma) + 1;
    this.#columns = new Float64Array(kernelSide);
    this.#rows = new Float64Array(kernelSide);
  }

  /** Draws rows `from` to `to` - 1 that pass; those beyond the camera's pixels are left out. */
  add(block: Columns, rows: Range, filter: Filter): void {
    const { grid, field } = this;
    const scale = 1 / grid.pixelNm;
    const corner = field.pixelSizeNm / 2;
    const { frames, photons, precisionNm } = filter;
    const [right, bottom] = [field.widthPx * field.pixelSizeNm * scale, field.heightPx * field.pixelSizeNm * scale];
    const reach = radiusPx(this.#maxSigma);
    const [nearLeft, nearRight] = [grid.left - reach, grid.left + grid.width + reach];
    const [nearTop, nearBottom] = [grid.top - reach, grid.top + grid.height + reach];
    for (let row = rows.from; row < rows.to; row++) {
      const x = (block.x_nm[row]! + corner) * scale;
      const y = (block.y_nm[row]! + corner) * scale;
      if (!(x >= 0 && x < right && y >= 0 && y < bottom)) continue;
      if (x < nearLeft || x > nearRight || y < nearTop || y > nearBottom) continue;
      const frame = block.frame[row]!;
      if (frame < frames.from || frame >= frames.to) continue;
      const precision = block.precision_nm[row]!;
      if (precision < precisionNm.from || precision > precisionNm.to) continue;
      if (block.photons[row]! < photons.from || block.photons[row]! > photons.to) continue;
      this.#draw(x - grid.left, y - grid.top, this.#sigma(precision * scale));
    }
  }

  clearChanges(): void {
    this.changed.fill(0);
  }

  #sigma(sigma: number): number {
    return Number.isNaN(sigma) ? this.#maxSigma : Math.min(this.#maxSigma, Math.max(MIN_SIGMA_PX, sigma));
  }

  #draw(x: number, y: number, sigma: number): void {
    const { width, height } = this.grid;
    const radius = radiusPx(sigma);
    const column = Math.floor(x);
    const row = Math.floor(y);
    const left = Math.max(0, column - radius);
    const right = Math.min(width - 1, column + radius);
    const top = Math.max(0, row - radius);
    const bottom = Math.min(height - 1, row + radius);
    if (left > right || top > bottom) return;
    const { values } = this;
    const shares = this.#columns;
    const sum = fillShares(shares, x - column, sigma, radius) * fillShares(this.#rows, y - row, sigma, radius);
    const first = column - radius;
    for (let r = top; r <= bottom; r++) {
      const share = this.#rows[r - row + radius]! / sum;
      const line = r * width;
      for (let c = left; c <= right; c++) values[line + c]! += share * shares[c - first]!;
    }
    this.#noteChange(left, top, right, bottom);
  }

  #noteChange(left: number, top: number, right: number, bottom: number): void {
    const firstColumn = (left / TILE) | 0; // the quick conversion to an integer: called for every row
    const lastColumn = (right / TILE) | 0;
    const lastRow = (bottom / TILE) | 0;
    for (let r = (top / TILE) | 0; r <= lastRow; r++) {
      for (let c = firstColumn; c <= lastColumn; c++) this.changed[r * this.tilesAcross + c] = 1;
    }
  }
}

/** Colours only the squares that have changed, unless the colours have. */
export class CanvasPainting implements Painting {
  readonly #pixels: Uint32Array<ArrayBuffer>;
  #coloured: { look: Look; white: number; table: Uint32Array } | null = null;

  constructor(
    readonly image: GrowingImage,
    readonly canvas: HTMLCanvasElement,
  ) {
    canvas.width = image.grid.width;
    canvas.height = image.grid.height;
    this.#pixels = new Uint32Array(image.values.length);
  }

  get grid(): Grid {
    return this.image.grid;
  }

  add(block: Block, rows: Range, filter: Filter): void {
    this.image.add(block, rows, filter);
  }

  values(): Float32Array {
    return this.image.values;
  }

  colour(look: Look, white: number): void {
    if (this.#coloured?.look !== look || this.#coloured.white !== white) this.image.changed.fill(1);
    const table = this.#coloured?.look === look ? this.#coloured.table : colourTable(look);
    this.#coloured = { look, white, table };
    const dirty = this.#colourChanged(table, brightnessScale(white));
    this.image.clearChanges();
    if (dirty === null) return;
    const data = new ImageData(new Uint8ClampedArray(this.#pixels.buffer), this.grid.width);
    const { left, top, right, bottom } = dirty;
    context(this.canvas).putImageData(data, 0, 0, left, top, right - left, bottom - top);
  }

  release(): void {
    this.canvas.width = 0;
  }

  /** The rectangle around all that changed; null when nothing did. */
  #colourChanged(table: Uint32Array, levelsPerUnit: number): Rectangle | null {
    const { changed, tilesAcross, grid } = this.image;
    let around: Rectangle | null = null;
    for (let tile = 0; tile < changed.length; tile++) {
      if (changed[tile] === 0) continue;
      const left = (tile % tilesAcross) * TILE;
      const top = Math.floor(tile / tilesAcross) * TILE;
      const [right, bottom] = [Math.min(grid.width, left + TILE), Math.min(grid.height, top + TILE)];
      this.#colour({ left, top, right, bottom }, table, levelsPerUnit);
      around = around === null ? { left, top, right, bottom } : union(around, { left, top, right, bottom });
    }
    return around;
  }

  #colour(square: Rectangle, table: Uint32Array, levelsPerUnit: number): void {
    const pixels = this.#pixels;
    const { values, grid } = this.image;
    for (let y = square.top; y < square.bottom; y++) {
      const end = y * grid.width + square.right;
      for (let at = y * grid.width + square.left; at < end; at++)
        pixels[at] = table[levelOf(values[at]!, levelsPerUnit)]!;
    }
  }
}

interface Rectangle {
  left: number;
  top: number;
  right: number; // exclusive
  bottom: number;
}

function union(a: Rectangle, b: Rectangle): Rectangle {
  return {
    left: Math.min(a.left, b.left),
    top: Math.min(a.top, b.top),
    right: Math.max(a.right, b.right),
    bottom: Math.max(a.bottom, b.bottom),
  };
}

function context(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const made = canvas.getContext("2d", { alpha: false });
  if (made === null) throw new Error("this browser draws no canvas");
  return made;
}
