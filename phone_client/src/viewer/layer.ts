/** One image that is drawn row by row until it has caught up with the table, and then goes on with what comes. */
import type { Painter, Painting } from "./painter";
import { type Field, maxSigmaPx, radiusPx } from "./rule";
import type { Area, Block, Filter, LocalizationTable, Range } from "./table";

/** Where a pass over the table stands. */
interface Cursor {
  block: number;
  row: number;
}

/** Rows of some frames, up to a place that an earlier pass had reached; null: to the end, wherever that is. */
interface Pass {
  readonly fromFrame: number;
  toFrame: number;
  readonly cursor: Cursor;
  readonly end: Cursor | null;
}

export class Layer {
  /** Since it was last coloured. */
  hasGrown = true;
  readonly #passes: Pass[];
  readonly #area: Area;

  constructor(
    readonly painting: Painting,
    readonly field: Field,
    /** All but the last frame stay as they are. */
    readonly filter: Filter,
    readonly generation: number,
  ) {
    const { from, to } = filter.frames;
    this.#passes = [{ fromFrame: from, toFrame: to, cursor: { block: 0, row: 0 }, end: null }];
    this.#area = reachOf(painting, field);
  }

  /** Frames from here on are not in it. */
  get endFrame(): number {
    return this.#passes[0]!.toFrame;
  }

  /** Whether it shows a table and a choice of rows, or will when it has caught up or was extended. */
  shows(filter: Filter, generation: number): boolean {
    return (
      this.generation === generation &&
      this.endFrame <= filter.frames.to &&
      this.filter.frames.from === filter.frames.from &&
      isSame(this.filter.photons, filter.photons) &&
      isSame(this.filter.precisionNm, filter.precisionNm)
    );
  }

  /** Lets later frames in: those that were passed over are looked for again. */
  extend(endFrame: number): void {
    const arriving = this.#passes[0]!;
    if (endFrame <= arriving.toFrame) return;
    const end = { ...arriving.cursor };
    this.#passes.push({ fromFrame: arriving.toFrame, toFrame: endFrame, cursor: { block: 0, row: 0 }, end });
    arriving.toFrame = endFrame;
  }

  /** Draws what it may in this turn; whether it has caught up. */
  advance(table: LocalizationTable, painter: Painter): boolean {
    while (this.#passes.length > 1) {
      if (!this.#run(this.#passes.at(-1)!, table, painter)) return false;
      this.#passes.pop();
    }
    return this.#run(this.#passes[0]!, table, painter);
  }

  #run(pass: Pass, table: LocalizationTable, painter: Painter): boolean {
    const filter = { ...this.filter, frames: { from: pass.fromFrame, to: pass.toFrame } };
    const { cursor, end } = pass;
    for (let block = table.blocks[cursor.block]; block !== undefined; block = table.blocks[cursor.block]) {
      if (end !== null && cursor.block > end.block) return true;
      const last = end !== null && cursor.block === end.block ? end.row : block.count;
      if (!this.#drawBlock(block, last, cursor, filter, painter)) return false;
      if (!block.isFull || cursor.block === end?.block) return true;
      cursor.block++;
      cursor.row = 0;
    }
    return true;
  }

  #drawBlock(block: Block, last: number, cursor: Cursor, filter: Filter, painter: Painter): boolean {
    if (block.isOutside(filter.frames)) cursor.row = last;
    for (let run = this.#next(block, cursor.row, last); run !== null; run = this.#next(block, cursor.row, last)) {
      const allowed = painter.allowance();
      if (allowed === 0) return false;
      const rows = { from: run.from, to: Math.min(run.to, last, run.from + allowed) };
      this.painting.add(block, rows, filter);
      this.hasGrown = true;
      cursor.row = rows.to;
    }
    cursor.row = last;
    return true;
  }

  #next(block: Block, row: number, last: number): Range | null {
    const run = block.nextRun(row, this.#area, this.field);
    return run === null || run.from >= last ? null : run;
  }
}

function isSame(a: Range, b: Range): boolean {
  return a.from === b.from && a.to === b.to;
}

/** What of the field can leave a trace in the painting. */
function reachOf({ grid }: Painting, field: Field): Area {
  const reach = radiusPx(maxSigmaPx(field, grid.pixelNm));
  return {
    left: (grid.left - reach) * grid.pixelNm,
    top: (grid.top - reach) * grid.pixelNm,
    right: (grid.left + grid.width + reach) * grid.pixelNm,
    bottom: (grid.top + grid.height + reach) * grid.pixelNm,
  };
}
