/**
 * Both results in one picture, as the server mixes it (core/cellstorm/rendering.py): each gray image in its colour, and
 * both added. Not left to the page's style: WebKit does not blend layers that lie with the graphics card everywhere.
 */
import { element } from "../app/dom";
import { drawImages } from "../viewer/picture";
import type { Stage } from "../viewer/stage";

const COLOURS = ["rgb(255 140 0)", "rgb(0 115 255)"] as const;

export class Difference {
  readonly root = element("canvas", { class: "difference", "aria-hidden": "true" });
  readonly #one = contextOf(element("canvas"));
  readonly #both = contextOf(this.root);
  #turn = 0;
  #isShown = false;

  constructor(private readonly stages: readonly [Stage, Stage]) {
    for (const stage of stages) stage.onDrawn = () => this.#wake();
  }

  set isShown(isShown: boolean) {
    this.#isShown = isShown;
    this.#wake();
  }

  /** Once for both, when either has changed. */
  #wake(): void {
    if (this.#isShown && this.#turn === 0) this.#turn = requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    this.#turn = 0;
    const view = this.stages[0].view ?? this.stages[1].view;
    if (view === null) return;
    const [width, height] = [view.widthPx, view.heightPx].map((side) => Math.round(side * this.stages[0].pixelRatio));
    for (const { canvas } of [this.#one, this.#both]) {
      if (canvas.width !== width) canvas.width = width!;
      if (canvas.height !== height) canvas.height = height!;
    }
    fill(this.#both, "black", "source-over");
    this.#both.globalCompositeOperation = "lighter";
    for (const [index, stage] of this.stages.entries()) {
      fill(this.#one, "black", "source-over");
      drawImages(this.#one, stage);
      fill(this.#one, COLOURS[index]!, "multiply");
      this.#both.drawImage(this.#one.canvas, 0, 0);
    }
  }
}

function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext("2d", { alpha: false });
  if (context === null) throw new Error("this browser draws no canvas");
  return context;
}

function fill(context: CanvasRenderingContext2D, colour: string, how: GlobalCompositeOperation): void {
  context.globalCompositeOperation = how;
  context.fillStyle = colour;
  context.fillRect(0, 0, context.canvas.width, context.canvas.height);
  context.globalCompositeOperation = "source-over";
}
