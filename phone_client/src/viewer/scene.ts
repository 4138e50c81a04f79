/**
 * What is drawn, and when: a detailed image of what is in view and a little around it, in the screen's own pixels, and
 * a coarser one of the whole field beneath it. Moving the view moves what is drawn; only at rest, or where it no longer
 * covers the view, a new image is drawn, a slice at a time, and put in place when it is complete.
 */
import { type Look, DEFAULT_LOOK, whiteLevel } from "./contrast";
import { Layer } from "./layer";
import type { Painter, Painting } from "./painter";
import { type Field, type Grid, wholeGrid } from "./rule";
import { type Area, type Filter, LocalizationTable, NO_FILTER } from "./table";
import { type View, areaOf } from "./view";

/** While somebody moves the view; of a turn, the rest belongs to him. */
const TURN_MS = 7;
/** Otherwise: what is done meanwhile waits no longer than anybody notices. */
const REST_TURN_MS = 25;
const REST_MS = 120;
const MARGIN = 0.25; // of the view, on every side
const LARGEST_SIDE_PX = 4096;
const CONTRAST_EVERY_MS = 1000;
/** A new white level so near to the old one is not worth colouring everything anew. */
const CONTRAST_STEP = 0.05;
/** With so many times as many rows it is chosen at once when all of them are drawn. */
const CONTRAST_GROWTH = 1.1;
const COLOUR_EVERY_MS = 100;
const COLOUR_SHARE = 8; // colouring takes at most one part in so many of the time
const BASE_SIDE_PX = 1024;

type Role = "detail" | "base";

export class Scene {
  #table = new LocalizationTable();
  #detail: Layer | null = null;
  #base: Layer | null = null;
  #building: { role: Role; layer: Layer } | null = null;
  #filter: Filter = NO_FILTER;
  #look: Look = DEFAULT_LOOK;
  #view: View | null = null;
  #pixelRatio = 1;
  #movedAtMs = -Infinity;
  #white = 0; // of the detail
  #whiteAtMs = -Infinity;
  #whiteRows = 0; // that were drawn by then; 0 where others were still to be drawn
  #isCaughtUp = true; // with the rows that there were in the last turn
  #isContrastOld = false; // the image has grown since it was chosen
  #mustColour = true;
  #colouredAtMs = -Infinity;
  #colourMs = 0;
  /** What is drawn in the brightest colour, given what this image alone would choose; localizations per nm². */
  brightest: (own: number) => number = (own) => own;

  constructor(
    readonly field: Field,
    readonly painter: Painter,
    private readonly clock: () => number = () => performance.now(),
  ) {}

  get table(): LocalizationTable {
    return this.#table;
  }

  /** Shows what another scene has shown. */
  adopt(table: LocalizationTable): void {
    this.#table = table;
  }

  /** From the bottom to the top. */
  get paintings(): readonly Painting[] {
    return [this.#base, this.#detail].filter((layer) => layer !== null).map(({ painting }) => painting);
  }

  /** The image of the whole field, where there is one. */
  get whole(): Painting | null {
    if (this.#detail !== null && this.#isWhole(this.#detail.painting.grid)) return this.#detail.painting;
    return this.#base?.painting ?? null;
  }

  /** Whether everything is drawn as it is wanted. */
  get isComplete(): boolean {
    const isDrawn = this.#isCaughtUp && this.#building === null && this.#wanted() === null;
    return isDrawn && !this.#mustColour && !this.#isContrastOld;
  }

  set look(look: Look) {
    if (look.percentile !== this.#look.percentile) this.#whiteAtMs = -Infinity;
    this.#look = look;
    this.#mustColour = true;
  }

  set filter(filter: Filter) {
    this.#filter = filter;
    for (const layer of [this.#detail, this.#base, this.#building?.layer]) {
      if (layer?.shows(filter, this.table.generation)) layer.extend(filter.frames.to);
    }
  }

  /** `brightest` may answer otherwise by now. */
  brighten(): void {
    this.#whiteAtMs = -Infinity;
    this.#mustColour = true;
  }

  lookAt(view: View, pixelRatio: number): void {
    this.#view = view;
    this.#pixelRatio = pixelRatio;
    this.#movedAtMs = this.clock();
  }

  /** Draws and colours for one turn; whether there is more to do. */
  turn(): boolean {
    const start = this.clock();
    this.painter.beginTurn(start + (start - this.#movedAtMs < REST_MS ? TURN_MS : REST_TURN_MS));
    this.#isCaughtUp = this.#draw();
    this.painter.endTurn();
    this.#colour(this.clock());
    if (this.isComplete) return this.#tidy();
    return true;
  }

  release(): void {
    for (const layer of [this.#detail, this.#base, this.#building?.layer]) layer?.painting.release();
  }

  #draw(): boolean {
    if (this.#view === null) return true;
    this.#begin();
    let isCaughtUp = true;
    if (this.#building !== null) {
      if (!this.#building.layer.advance(this.table, this.painter)) isCaughtUp = false;
      else this.#promote();
    }
    for (const layer of [this.#detail, this.#base]) {
      if (layer?.generation !== this.table.generation) continue;
      if (!layer.advance(this.table, this.painter)) isCaughtUp = false;
    }
    return isCaughtUp;
  }

  /** Begins the image that is wanted most, where none is being drawn that still makes sense. */
  #begin(): void {
    if (this.#building !== null && this.#isPointless(this.#building)) {
      this.#building.layer.painting.release();
      this.#building = null;
    }
    if (this.#building !== null) return;
    const wanted = this.#wanted();
    if (wanted === null) return;
    const isUncovered = this.#detail === null || !covers(this.#detail.painting.grid, this.#visible());
    const isUrgent = this.#detail === null || (wanted.role === "detail" && isUncovered);
    if (!isUrgent && this.clock() - this.#movedAtMs < REST_MS) return;
    const painting = this.painter.begin(wanted.grid, this.field);
    const layer = new Layer(painting, this.field, this.#filter, this.table.generation);
    this.#building = { role: wanted.role, layer };
    if (this.#detail === null) this.#promote(); // better a growing image than none
  }

  #wanted(): { role: Role; grid: Grid } | null {
    if (this.#view === null) return null;
    const grid = this.#detailGrid(this.#view);
    if (!this.#isRight(this.#detail) || !isSameScale(this.#detail!.painting.grid, grid) || !this.#coversView()) {
      return { role: "detail", grid };
    }
    if (this.#isWhole(this.#detail!.painting.grid) || this.#isRight(this.#base)) return null;
    return { role: "base", grid: wholeGrid(this.field, this.#basePixelNm()) };
  }

  #isRight(layer: Layer | null): boolean {
    return layer !== null && layer.shows(this.#filter, this.table.generation);
  }

  #coversView(): boolean {
    return covers(this.#detail!.painting.grid, this.#visible());
  }

  /** Of another scale or place than what is looked at by now, or of rows that are gone. */
  #isPointless({ role, layer }: { role: Role; layer: Layer }): boolean {
    if (layer.generation !== this.table.generation) return true;
    if (role === "base" || this.#view === null) return false;
    const { grid } = layer.painting;
    return !isSameScale(grid, this.#detailGrid(this.#view)) || !overlaps(grid, this.#visible());
  }

  #promote(): void {
    const { role, layer } = this.#building!;
    this.#building = null;
    this.#mustColour = true;
    this.#whiteAtMs = -Infinity;
    if (role === "base") {
      this.#base?.painting.release();
      this.#base = layer;
      return;
    }
    const old = this.#detail;
    this.#detail = layer;
    const oldIsBetter = old !== null && this.#isWhole(old.painting.grid) && this.#isRight(old);
    if (this.#isWhole(layer.painting.grid) || (oldIsBetter && this.#base !== null)) {
      this.#base?.painting.release();
      this.#base = null;
    }
    if (oldIsBetter && !this.#isWhole(layer.painting.grid)) this.#base = old;
    else old?.painting.release();
  }

  #colour(now: number): void {
    const layers = [this.#detail, this.#base].filter((layer) => layer !== null);
    const hasGrown = layers.some((layer) => layer.hasGrown);
    this.#isContrastOld ||= hasGrown;
    const hasAll = this.#isCaughtUp && this.table.count > CONTRAST_GROWTH * this.#whiteRows;
    const isOld = hasAll || now - this.#whiteAtMs >= CONTRAST_EVERY_MS;
    if (!this.#mustColour && !hasGrown && !(this.#isContrastOld && isOld)) return;
    const waitMs = Math.max(COLOUR_EVERY_MS, COLOUR_SHARE * this.#colourMs);
    if (!this.#mustColour && !hasAll && now - this.#colouredAtMs < waitMs) return;
    const isRecontrasted = isOld && this.#adjustContrast(now);
    for (const layer of layers) {
      if (!layer.hasGrown && !this.#mustColour && !isRecontrasted) continue;
      layer.painting.colour(this.#look, this.#whiteOf(layer));
      layer.hasGrown = false;
    }
    this.#mustColour = false;
    this.#colouredAtMs = this.clock();
    this.#colourMs = this.#colouredAtMs - now;
  }

  /** Brightness follows the image in steps; whether it has changed. */
  #adjustContrast(now: number): boolean {
    if (this.#detail === null) return false;
    const isFresh = this.#whiteAtMs === -Infinity;
    this.#whiteAtMs = now;
    this.#whiteRows = this.#isCaughtUp ? this.table.count : 0;
    this.#isContrastOld = false;
    const areaNm2 = this.#detail.painting.grid.pixelNm ** 2;
    const white = areaNm2 * this.brightest(whiteLevel(this.#detail.painting.values(), this.#look.percentile) / areaNm2);
    if (!isFresh && Math.abs(white - this.#white) <= CONTRAST_STEP * this.#white) return false;
    this.#white = white;
    return true;
  }

  /** Equally many localizations per area are equally bright, whatever the size of the pixels. */
  #whiteOf(layer: Layer): number {
    const ratio = layer.painting.grid.pixelNm / this.#detail!.painting.grid.pixelNm;
    return this.#white * ratio ** 2;
  }

  /** When nothing else is to be done; whether there is more of that. */
  #tidy(): boolean {
    this.painter.keepOnly(this.table.blocks);
    const sorted = this.table.sortNext(this.field);
    if (sorted !== null) this.painter.reordered(sorted);
    return sorted !== null || this.#hasNews();
  }

  #hasNews(): boolean {
    return [this.#detail, this.#base].some((layer) => layer?.hasGrown === true);
  }

  #detailGrid(view: View): Grid {
    const pixelNm = Math.max(view.nmPerPx / this.#pixelRatio, this.painter.finestPixelNm(this.field));
    const { left, top, right, bottom } = areaOf(view);
    const whole = wholeGrid(this.field, pixelNm);
    const [across, down] = [MARGIN * (right - left), MARGIN * (bottom - top)];
    const [x, width] = span((left - across) / pixelNm, (right + across) / pixelNm, whole.width);
    const [y, height] = span((top - down) / pixelNm, (bottom + down) / pixelNm, whole.height);
    return { pixelNm, left: x, top: y, width, height };
  }

  #basePixelNm(): number {
    const { widthPx, heightPx, pixelSizeNm } = this.field;
    return (Math.max(widthPx, heightPx) * pixelSizeNm) / BASE_SIDE_PX;
  }

  #isWhole(grid: Grid): boolean {
    const whole = wholeGrid(this.field, grid.pixelNm);
    return grid.width === whole.width && grid.height === whole.height;
  }

  /** What of the field is in view. */
  #visible(): Area {
    const { left, top, right, bottom } = areaOf(this.#view!);
    const [width, height] = [this.field.widthPx, this.field.heightPx].map((px) => px * this.field.pixelSizeNm);
    return {
      left: Math.max(0, left),
      top: Math.max(0, top),
      right: Math.min(width!, right),
      bottom: Math.min(height!, bottom),
    };
  }
}

/** The first of the pixels from `from` to `to` that there are, and their number, at least one. */
function span(from: number, to: number, end: number): [number, number] {
  const first = Math.min(end - 1, Math.max(0, Math.floor(from)));
  const last = Math.max(first + 1, Math.min(end, Math.ceil(to), first + LARGEST_SIDE_PX));
  return [first, last - first];
}

function areaOfGrid({ pixelNm, left, top, width, height }: Grid): Area {
  return {
    left: left * pixelNm,
    top: top * pixelNm,
    right: (left + width) * pixelNm,
    bottom: (top + height) * pixelNm,
  };
}

function covers(grid: Grid, wanted: Area): boolean {
  const area = areaOfGrid(grid);
  const slack = 1e-6 * grid.pixelNm * (grid.left + grid.width + grid.top + grid.height);
  return (
    area.left <= wanted.left + slack &&
    area.top <= wanted.top + slack &&
    area.right >= wanted.right - slack &&
    area.bottom >= wanted.bottom - slack
  );
}

function overlaps(grid: Grid, wanted: Area): boolean {
  const area = areaOfGrid(grid);
  return area.left < wanted.right && area.right > wanted.left && area.top < wanted.bottom && area.bottom > wanted.top;
}

function isSameScale(a: Grid, b: Grid): boolean {
  return Math.abs(a.pixelNm - b.pixelNm) < 1e-9 * b.pixelNm;
}
