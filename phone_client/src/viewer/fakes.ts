/** Rows and painters for the tests of this folder. */
import type { Rows } from "../live/messages";
import type { Painter, Painting } from "./painter";
import { GrowingImage } from "./canvas_painter";
import type { Look } from "./contrast";
import type { Field, Grid } from "./rule";
import type { Block, Filter, Range } from "./table";

export interface Spot {
  x?: number;
  y?: number;
  precision?: number;
  photons?: number;
  frame?: number;
  background?: number;
}

export function rowsAt(spots: readonly Spot[]): Rows {
  const column = (value: (spot: Spot) => number) => Float32Array.from(spots, value);
  return {
    count: spots.length,
    frame: Uint32Array.from(spots, ({ frame = 0 }) => frame),
    x_nm: column(({ x = 0 }) => x),
    y_nm: column(({ y = 0 }) => y),
    photons: column(({ photons = 1000 }) => photons),
    background_photons: column(({ background = 10 }) => background),
    precision_nm: column(({ precision = 10 }) => precision),
    psf_sigma_nm: column(() => 140),
    probability: column(() => 1),
  };
}

export class FakePainting implements Painting {
  readonly canvas = {} as HTMLCanvasElement;
  readonly colours: { look: Look; white: number }[] = [];
  isReleased = false;

  constructor(readonly image: GrowingImage) {}

  get grid(): Grid {
    return this.image.grid;
  }

  get total(): number {
    return this.image.values.reduce((a, b) => a + b, 0);
  }

  add(block: Block, rows: Range, filter: Filter): void {
    this.image.add(block, rows, filter);
  }

  values(): Float32Array {
    return this.image.values;
  }

  colour(look: Look, white: number): void {
    this.colours.push({ look, white });
  }

  release(): void {
    this.isReleased = true;
  }
}

/** Draws so many rows a turn. */
export class FakePainter implements Painter {
  readonly kind = "canvas";
  readonly paintings: FakePainting[] = [];
  /** Of the last turn, as far as time limits it. */
  turnMs = 0;
  #left = 0;

  constructor(
    public rowsPerTurn = Infinity,
    private readonly clock: () => number = () => 0,
  ) {}

  finestPixelNm(): number {
    return 2;
  }

  begin(grid: Grid, field: Field): FakePainting {
    const painting = new FakePainting(new GrowingImage(grid, field));
    const add = painting.add.bind(painting);
    painting.add = (block, rows, filter) => {
      this.#left -= rows.to - rows.from;
      add(block, rows, filter);
    };
    this.paintings.push(painting);
    return painting;
  }

  beginTurn(deadlineMs: number): void {
    this.turnMs = deadlineMs - this.clock();
    this.#left = this.rowsPerTurn;
  }

  endTurn(): void {}

  allowance(): number {
    return Math.max(0, this.#left);
  }

  reordered(): void {}
  keepOnly(): void {}
}
