/**
 * Puts the growing image on a canvas: what came waits here, is drawn a slice at a time so that the page stays
 * responsive, and only squares that changed are coloured anew. Brightness follows the image in steps.
 */
import { brightnessScale, colourTable, levelOf, whiteLevel } from "./contrast";
import { type GrowingImage, TILE } from "./image";
import type { BinaryMessage, Rows } from "./live";

/** What of a canvas is needed. */
export interface Surface {
  width: number;
  height: number;
  put(pixels: Uint32Array<ArrayBuffer>, width: number, dirty: Rectangle): void;
}

export interface Rectangle {
  left: number;
  top: number;
  right: number; // exclusive
  bottom: number;
}

const ROWS_PER_SLICE = 2000;
const CONTRAST_EVERY_MS = 1000;
/** A new white level so near to the old one is not worth colouring everything anew. */
const CONTRAST_STEP = 0.05;

export class Painter {
  readonly #pixels: Uint32Array<ArrayBuffer>;
  readonly #colours = colourTable();
  readonly #waiting: Rows[] = [];
  #next = 0; // row of the first waiting message
  #white = 0;
  #contrastAtMs = -Infinity;
  #grew = true; // since the white level was last chosen

  constructor(
    readonly image: GrowingImage,
    readonly surface: Surface,
  ) {
    surface.width = image.width;
    surface.height = image.height;
    this.#pixels = new Uint32Array(image.width * image.height).fill(this.#colours[0]!);
    image.changed.fill(1);
  }

  /** Takes a message; a snapshot replaces all that came before. */
  handle(message: BinaryMessage): void {
    if (message.kind === "snapshot") {
      this.#waiting.length = 0;
      this.#next = 0;
      this.image.clear();
    }
    if (message.rows.count > 0) this.#waiting.push(message.rows);
    this.#grew = true;
  }

  /** Draws what waits until `clock` passes `deadlineMs`, then colours what changed. */
  paint(clock: () => number, deadlineMs: number): void {
    this.#drawWaiting(clock, deadlineMs);
    this.#adjustContrast(clock());
    const dirty = this.#colourChanged();
    this.image.clearChanges();
    if (dirty !== null) this.surface.put(this.#pixels, this.image.width, dirty);
  }

  #drawWaiting(clock: () => number, deadlineMs: number): void {
    while (this.#waiting.length > 0) {
      const rows = this.#waiting[0]!;
      const end = Math.min(rows.count, this.#next + ROWS_PER_SLICE);
      this.image.add(rows, this.#next, end);
      this.#next = end;
      if (end === rows.count) {
        this.#waiting.shift();
        this.#next = 0;
      }
      if (clock() >= deadlineMs) break;
    }
  }

  #adjustContrast(nowMs: number): void {
    if (!this.#grew || nowMs - this.#contrastAtMs < CONTRAST_EVERY_MS) return;
    this.#contrastAtMs = nowMs;
    this.#grew = this.#waiting.length > 0;
    const white = whiteLevel(this.image.values);
    if (Math.abs(white - this.#white) <= CONTRAST_STEP * this.#white) return;
    this.#white = white;
    this.image.changed.fill(1);
  }

  /** The rectangle around all that changed; null when nothing did. */
  #colourChanged(): Rectangle | null {
    const { image } = this;
    let around: Rectangle | null = null;
    for (let tile = 0; tile < image.changed.length; tile++) {
      if (image.changed[tile] === 0) continue;
      const left = (tile % image.tilesAcross) * TILE;
      const top = Math.floor(tile / image.tilesAcross) * TILE;
      const square = {
        left,
        top,
        right: Math.min(image.width, left + TILE),
        bottom: Math.min(image.height, top + TILE),
      };
      this.#colour(square);
      around = around === null ? square : union(around, square);
    }
    return around;
  }

  #colour(square: Rectangle): void {
    const { values, width } = this.image;
    const [pixels, colours] = [this.#pixels, this.#colours];
    const levelsPerUnit = brightnessScale(this.#white);
    for (let y = square.top; y < square.bottom; y++) {
      const end = y * width + square.right;
      for (let at = y * width + square.left; at < end; at++) pixels[at] = colours[levelOf(values[at]!, levelsPerUnit)]!;
    }
  }
}

function union(a: Rectangle, b: Rectangle): Rectangle {
  return {
    left: Math.min(a.left, b.left),
    top: Math.min(a.top, b.top),
    right: Math.max(a.right, b.right),
    bottom: Math.max(a.bottom, b.bottom),
  };
}
