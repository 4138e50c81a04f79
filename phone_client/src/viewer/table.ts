/**
 * The localizations that the page holds, in blocks: columns that are drawn and filtered by, of bounded size.
 *
 * A full block may be sorted by place, so that a view of a small part of the field need not look at all of it.
 */
import type { Rows } from "../live/messages";
import type { Field } from "./rule";

export const BLOCK_ROWS = 65536;
/** 100 MB here and as much in the graphics card's memory; beyond it the oldest go. */
export const MAX_ROWS = 5_000_000;
/** Cells of a sorted block along either side of the field. */
const CELLS = 32;

export interface Range {
  /** Included. */
  readonly from: number;
  /** Excluded. */
  readonly to: number;
}

/** What is drawn of what is there; bounds are included, but for the last frame. */
export interface Filter {
  readonly frames: Range;
  readonly photons: Range;
  readonly precisionNm: Range;
}

export const EVERYTHING: Range = { from: -Infinity, to: Infinity };
export const NO_FILTER: Filter = { frames: EVERYTHING, photons: EVERYTHING, precisionNm: EVERYTHING };

/** A rectangle of the field, in nm from its left upper corner. */
export interface Area {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export class Block {
  frame = new Uint32Array(BLOCK_ROWS);
  x_nm = new Float32Array(BLOCK_ROWS);
  y_nm = new Float32Array(BLOCK_ROWS);
  photons = new Float32Array(BLOCK_ROWS);
  precision_nm = new Float32Array(BLOCK_ROWS);
  count = 0;
  firstFrame = Infinity;
  lastFrame = -Infinity;
  /** Where each cell's rows begin, row by row of cells; null while the rows lie as they came. */
  cells: Uint32Array | null = null;

  get isFull(): boolean {
    return this.count === BLOCK_ROWS;
  }

  /** Takes rows from `from` on, as many as there is room for; returns how many. */
  take(rows: Rows, from: number): number {
    const taken = Math.min(rows.count - from, BLOCK_ROWS - this.count);
    for (const name of COLUMNS) this[name].set(rows[name].subarray(from, from + taken), this.count);
    const { frame: frames } = rows;
    for (let row = from; row < from + taken; row++) {
      const frame = frames[row]!;
      if (frame < this.firstFrame) this.firstFrame = frame;
      if (frame > this.lastFrame) this.lastFrame = frame;
    }
    this.count += taken;
    return taken;
  }

  /** Puts rows of one cell side by side. */
  sort(field: Field): void {
    const cellOf = this.#cells(field);
    const starts = new Uint32Array(CELLS * CELLS + 1);
    for (let row = 0; row < this.count; row++) starts[cellOf[row]! + 1]!++;
    for (let cell = 0; cell < CELLS * CELLS; cell++) starts[cell + 1]! += starts[cell]!;
    const next = starts.slice();
    const places = new Uint32Array(this.count);
    for (let row = 0; row < this.count; row++) places[row] = next[cellOf[row]!]!++;
    this.frame = permuted(this.frame, places);
    for (const name of REAL_COLUMNS) this[name] = permuted(this[name], places);
    this.cells = starts;
  }

  /** The first run of rows, from `row` on, that may lie in the area; null when there is none. */
  nextRun(row: number, area: Area, field: Field): Range | null {
    if (this.cells === null) return row < this.count ? { from: row, to: this.count } : null;
    const [x0, x1] = cellsAcross(area.left, area.right, field.widthPx * field.pixelSizeNm);
    const [y0, y1] = cellsAcross(area.top, area.bottom, field.heightPx * field.pixelSizeNm);
    for (let y = y0; y <= y1; y++) {
      const to = this.cells[y * CELLS + x1 + 1]!;
      const from = Math.max(row, this.cells[y * CELLS + x0]!);
      if (from < to) return { from, to };
    }
    return null;
  }

  /** Whether none of its rows can pass. */
  isOutside(frames: Range): boolean {
    return this.lastFrame < frames.from || this.firstFrame >= frames.to;
  }

  #cells(field: Field): Uint16Array {
    const cellOf = new Uint16Array(this.count);
    const across = CELLS / (field.widthPx * field.pixelSizeNm);
    const down = CELLS / (field.heightPx * field.pixelSizeNm);
    const corner = field.pixelSizeNm / 2;
    for (let row = 0; row < this.count; row++) {
      cellOf[row] = clamped((this.y_nm[row]! + corner) * down) * CELLS + clamped((this.x_nm[row]! + corner) * across);
    }
    return cellOf;
  }
}

const REAL_COLUMNS = ["x_nm", "y_nm", "photons", "precision_nm"] as const;
const COLUMNS = ["frame", ...REAL_COLUMNS] as const;

export class LocalizationTable {
  blocks: Block[] = [];
  count = 0;
  /** Rows that came before those that are here. */
  leftOut = 0;
  /** Grows whenever rows went: what was drawn of them must be drawn anew. */
  generation = 0;

  /** Replaces all rows by those that follow. */
  begin(leftOut: number): void {
    this.blocks = [];
    this.count = 0;
    this.leftOut = leftOut;
    this.generation++;
  }

  append(rows: Rows): void {
    for (let row = 0; row < rows.count;) {
      let last = this.blocks.at(-1);
      if (last === undefined || last.isFull) {
        last = new Block();
        this.blocks.push(last);
      }
      row += last.take(rows, row);
    }
    this.count += rows.count;
    if (this.count > MAX_ROWS) this.#dropOldest();
  }

  /** Sorts one more block; null when none is left. Nobody may be in the middle of drawing it. */
  sortNext(field: Field): Block | null {
    const block = this.blocks.find((candidate) => candidate.isFull && candidate.cells === null);
    block?.sort(field);
    return block ?? null;
  }

  /** Visits each row of one frame. */
  forFrame(frame: number, visit: (block: Block, row: number) => void): void {
    for (const block of this.blocks) {
      if (frame < block.firstFrame || frame > block.lastFrame) continue;
      for (let row = 0; row < block.count; row++) if (block.frame[row] === frame) visit(block, row);
    }
  }

  /** How many rows the filter lets through. */
  countPassing({ frames, photons, precisionNm }: Filter): number {
    let passing = 0;
    for (const block of this.blocks) {
      if (block.isOutside(frames)) continue;
      for (let row = 0; row < block.count; row++) {
        const frame = block.frame[row]!;
        if (frame < frames.from || frame >= frames.to) continue;
        // As painters have it: what is not a number is beyond no bound.
        if (block.precision_nm[row]! < precisionNm.from || block.precision_nm[row]! > precisionNm.to) continue;
        if (block.photons[row]! < photons.from || block.photons[row]! > photons.to) continue;
        passing++;
      }
    }
    return passing;
  }

  /** A quarter at once, since each time the image has to be drawn anew. */
  #dropOldest(): void {
    const dropped = this.blocks.splice(0, Math.ceil(this.blocks.length / 4)).reduce((sum, { count }) => sum + count, 0);
    this.count -= dropped;
    this.leftOut += dropped;
    this.generation++;
  }
}

function permuted<Column extends Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>>(
  column: Column,
  places: Uint32Array,
): Column {
  const sorted = column.slice() as Column;
  for (let row = 0; row < places.length; row++) sorted[places[row]!] = column[row]!;
  return sorted;
}

function cellsAcross(from: number, to: number, side: number): [number, number] {
  return [clamped((from / side) * CELLS), clamped((to / side) * CELLS)];
}

function clamped(place: number): number {
  return Math.min(CELLS - 1, Math.max(0, Math.floor(place))) || 0; // NaN lies nowhere
}
