/** The image on the screen: puts what the scene draws at its place, moves it, and lays other pictures over it. */
import { element } from "../app/dom";
import { texts } from "../app/texts";
import type { BinaryMessage } from "../live/messages";
import { CanvasPainter } from "./canvas_painter";
import { type Look, DEFAULT_LOOK } from "./contrast";
import { listen } from "./gestures";
import type { Painter, Painting } from "./painter";
import type { Field } from "./rule";
import { Scene } from "./scene";
import { type Filter, NO_FILTER } from "./table";
import { type View, centred, fit, isWhole, panned, resized, sizeNm, toField, toScreen, zoomed } from "./view";
import { webglPainter } from "./webgl_painter";

/** Which part of the machine draws; "auto" chooses the graphics card where there is a real one. */
export type DrawWith = "auto" | "webgl" | "canvas";

/** Something that shows the whole field and lies over the image, e.g. the widefield picture. */
export type Overlay = HTMLElement;

const LOADING_TURN_MS = 150; // while rows pour in, taking them comes first
const LARGEST_PIXEL_RATIO = 2; // finer ones cost more than they show

function painterFor(choice: DrawWith, onLost: () => void): Painter {
  const painter = choice === "canvas" ? null : webglPainter(choice === "webgl", onLost);
  return painter ?? new CanvasPainter();
}

export class Stage {
  readonly root: HTMLElement;
  readonly #images = element("div", { class: "stage-images" });
  readonly #overlays = element("div", { class: "stage-overlays" });
  readonly #early: BinaryMessage[] = []; // before the first frame has told the field
  readonly #listeners = new Set<(view: View, field: Field) => void>();
  #scene: Scene | null = null;
  #view: View | null = null;
  #isFitted = true;
  #look: Look = DEFAULT_LOOK;
  #filter: Filter = NO_FILTER;
  #drawWith: DrawWith;
  #turn = 0;
  #isLoading = false;
  #shown: readonly Painting[] = [];
  #brightest: Scene["brightest"] = (own) => own;
  /** In nm from the centre of camera pixel (0, 0); null where nothing is pointed at. */
  onHover: (place: readonly [number, number] | null) => void = () => undefined;
  /** After each turn in which something was drawn. */
  onDrawn: (scene: Scene) => void = () => undefined;

  constructor(drawWith: DrawWith, signal: AbortSignal) {
    this.#drawWith = drawWith;
    this.root = element(
      "div",
      { class: "stage", tabindex: "0", role: "application", "aria-label": texts.viewer.stage },
      this.#images,
      this.#overlays,
    );
    const observer = new ResizeObserver(() => this.#resize());
    observer.observe(this.root);
    const moves = {
      pan: (right: number, down: number) => this.pan(right, down),
      zoom: (factor: number, x: number, y: number) => this.zoom(factor, x, y),
      hover: (place: readonly [number, number] | null) => this.onHover(place === null ? null : this.#nm(...place)),
    };
    listen(this.root, moves, signal);
    signal.addEventListener("abort", () => {
      observer.disconnect();
      cancelAnimationFrame(this.#turn);
      this.#scene?.release();
    });
  }

  get scene(): Scene | null {
    return this.#scene;
  }

  get view(): View | null {
    return this.#view;
  }

  /** Pixels of the image per CSS pixel. */
  get pixelRatio(): number {
    return pixelRatio();
  }

  get field(): Field | null {
    return this.#scene?.field ?? null;
  }

  get look(): Look {
    return this.#look;
  }

  set look(look: Look) {
    this.#look = look;
    if (this.#scene !== null) this.#scene.look = look;
    this.root.dataset["ground"] = look.invert ? "bright" : "dark";
    this.#change();
  }

  get filter(): Filter {
    return this.#filter;
  }

  set filter(filter: Filter) {
    this.#filter = filter;
    if (this.#scene !== null) this.#scene.filter = filter;
    this.#change();
  }

  /** As of a scene. */
  set brightest(brightest: Scene["brightest"]) {
    this.#brightest = brightest;
    if (this.#scene !== null) this.#scene.brightest = brightest;
    this.brighten();
  }

  /** `brightest` may answer otherwise by now. */
  brighten(): void {
    this.#scene?.brighten();
    this.#change();
  }

  /** The first frame has come. */
  open(field: Field): void {
    if (this.#scene !== null) return;
    this.#begin(field, null);
    for (const message of this.#early.splice(0)) this.handle(message);
    this.#resize();
  }

  handle(message: BinaryMessage): void {
    if (this.#scene === null) {
      this.#early.push(message);
      return;
    }
    this.#isLoading = message.firstRow + message.rows.count < message.totalRows;
    this.root.dataset["complete"] = "false";
    if (message.kind === "snapshot") this.#scene.table.begin(message.firstRow);
    this.#scene.table.append(message.rows);
    this.root.dataset["rows"] = String(message.firstRow + message.rows.count);
    if (!this.#isLoading || this.#shown.length === 0) this.wake();
  }

  /** From now on, with everything that is there. */
  drawWith(choice: DrawWith): void {
    this.#drawWith = choice;
    if (this.#scene === null) return;
    const old = this.#scene;
    this.#begin(old.field, old);
    old.release();
    this.#move();
  }

  /** Calls `listener` now and whenever another part of the field is seen. */
  onMove(listener: (view: View, field: Field) => void): void {
    this.#listeners.add(listener);
    if (this.#view !== null && this.#scene !== null) listener(this.#view, this.#scene.field);
  }

  /** Lies over the image, above what was laid over it before; `within` something that covers the screen. */
  lay(overlay: Overlay, within: HTMLElement = overlay): void {
    this.#overlays.append(within);
    this.onMove((view, field) => {
      const [left, top] = toScreen(view, 0, 0);
      const { width, height } = sizeNm(field);
      overlay.style.transform = `translate(${left}px, ${top}px)`;
      overlay.style.width = `${width / view.nmPerPx}px`;
      overlay.style.height = `${height / view.nmPerPx}px`;
    });
  }

  fit(): void {
    if (this.#view === null || this.#scene === null) return;
    this.#isFitted = true;
    this.#show(fit(this.#scene.field, this.#view.widthPx, this.#view.heightPx));
  }

  pan(rightPx: number, downPx: number): void {
    if (this.#view === null || this.#scene === null) return;
    this.#isFitted = false;
    this.#show(panned(this.#view, this.#scene.field, rightPx, downPx));
  }

  zoom(factor: number, xPx?: number, yPx?: number): void {
    if (this.#view === null || this.#scene === null) return;
    this.#isFitted = false;
    this.#show(zoomed(this.#view, this.#scene.field, factor, xPx, yPx));
  }

  /** In nm from the field's left upper corner. */
  centre(xNm: number, yNm: number): void {
    if (this.#view === null || this.#scene === null) return;
    this.#isFitted = false;
    this.#show(centred(this.#view, this.#scene.field, xNm, yNm));
  }

  /** The place and scale that another stage with the same field shows. */
  lookAt({ xNm, yNm, nmPerPx }: View): void {
    const { clientWidth: widthPx, clientHeight: heightPx } = this.root;
    if (this.#scene === null || widthPx === 0 || heightPx === 0) return;
    const view = { xNm, yNm, nmPerPx, widthPx, heightPx };
    this.#isFitted = isWhole(view, this.#scene.field);
    this.#show(view);
  }

  /** There may be something to draw. */
  wake(): void {
    if (this.#turn === 0) this.#turn = requestAnimationFrame(() => this.#draw());
  }

  #change(): void {
    this.root.dataset["complete"] = "false";
    this.wake();
  }

  #begin(field: Field, old: Scene | null): void {
    const scene = new Scene(
      field,
      painterFor(this.#drawWith, () => this.drawWith("canvas")),
    );
    scene.look = this.#look;
    scene.filter = this.#filter;
    scene.brightest = this.#brightest;
    if (old !== null) scene.adopt(old.table);
    this.#scene = scene;
    this.root.dataset["painter"] = scene.painter.kind;
  }

  #resize(): void {
    const { clientWidth: width, clientHeight: height } = this.root;
    if (this.#scene === null || width === 0 || height === 0) return;
    const { field } = this.#scene;
    const isNew = this.#view === null || this.#isFitted;
    this.#show(isNew ? fit(field, width, height) : resized(this.#view!, field, width, height));
  }

  #show(view: View): void {
    this.#view = view;
    this.#move();
  }

  #move(): void {
    if (this.#view === null || this.#scene === null) return;
    this.#scene.lookAt(this.#view, pixelRatio());
    this.root.dataset["nmPerPx"] = String(this.#view.nmPerPx);
    this.#place();
    for (const listener of this.#listeners) listener(this.#view, this.#scene.field);
    this.#change();
  }

  #draw(): void {
    this.#turn = 0;
    if (this.#scene === null) return;
    const hasMore = this.#scene.turn();
    const { paintings } = this.#scene;
    if (paintings.length !== this.#shown.length || paintings.some((painting, n) => painting !== this.#shown[n])) {
      this.#shown = paintings;
      this.#images.replaceChildren(...paintings.map(({ canvas }) => canvas));
      this.#place();
    }
    this.root.dataset["complete"] = String(this.#scene.isComplete);
    this.onDrawn(this.#scene);
    if (this.#isLoading) setTimeout(() => this.wake(), LOADING_TURN_MS);
    else if (hasMore) this.wake();
  }

  /** Moves what is drawn to where it is seen; whole pixels stay whole ones. */
  #place(): void {
    const view = this.#view;
    if (view === null) return;
    const ratio = pixelRatio();
    for (const { grid, canvas } of this.#shown) {
      const scale = grid.pixelNm / view.nmPerPx;
      const isExact = Math.abs(scale * ratio - 1) < 1e-6;
      const [x, y] = toScreen(view, grid.left * grid.pixelNm, grid.top * grid.pixelNm).map((place) =>
        isExact ? Math.round(place * ratio) / ratio : place,
      );
      canvas.style.transform = `translate(${x}px, ${y}px) scale(${isExact ? 1 / ratio : scale})`;
    }
  }

  #nm(x: number, y: number): readonly [number, number] | null {
    if (this.#view === null || this.#scene === null) return null;
    const corner = this.#scene.field.pixelSizeNm / 2;
    const [xNm, yNm] = toField(this.#view, x, y);
    const { width, height } = sizeNm(this.#scene.field);
    return xNm < 0 || yNm < 0 || xNm > width || yNm > height ? null : [xNm - corner, yNm - corner];
  }
}

function pixelRatio(): number {
  return Math.min(LARGEST_PIXEL_RATIO, window.devicePixelRatio);
}
