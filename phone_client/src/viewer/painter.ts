/** What draws localizations: WebGL on a graphics card, else the processor. Both follow rule.ts. */
import type { Look } from "./contrast";
import type { Field, Grid } from "./rule";
import type { Block, Filter, Range } from "./table";

/** A part of the image that is being drawn. */
export interface Painting {
  readonly grid: Grid;
  /** Shows what `colour` has last coloured. */
  readonly canvas: HTMLCanvasElement;
  /** Draws these rows, as far as they pass the filter. */
  add(block: Block, rows: Range, filter: Filter): void;
  /** (height * width) localizations per output pixel; may be a view that goes on growing. */
  values(): Float32Array;
  /** `white` is the value of the brightest colour. */
  colour(look: Look, white: number): void;
  release(): void;
}

export interface Painter {
  /** Told to the person where it matters. */
  readonly kind: "webgl" | "canvas";
  /** Finer pixels are not drawn but magnified: each localization would cover too many of them. */
  finestPixelNm(field: Field): number;
  begin(grid: Grid, field: Field): Painting;
  /** Between these two, as much is drawn as `allowance` permits. */
  beginTurn(deadlineMs: number): void;
  endTurn(): void;
  /** How many rows may be drawn before asking again; 0 when it is enough for this turn. */
  allowance(): number;
  /** Its rows lie in another order now. */
  reordered(block: Block): void;
  /** What it keeps of blocks that are not among these is not needed any more. */
  keepOnly(blocks: readonly Block[]): void;
}
