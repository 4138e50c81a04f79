/** One acquisition as every screen of the room sees it: its growing image, what can be done with it, and its figures. */
import { button, element, say } from "../app/dom";
import { type PageError, messageOf, unreachable } from "../app/errors";
import { fileName, saveAs } from "../app/files";
import { canFillScreen, toggleFullScreen } from "../app/full_screen";
import { icon } from "../app/icons";
import { type Notice, notice } from "../app/notice";
import type { Page } from "../app/page";
import type { Place } from "../app/places";
import { bar, signOutAfterQuestion, themeSwitch } from "../app/shell";
import { sourceOf, stateWord } from "../app/states";
import { texts } from "../app/texts";
import { type Again, again } from "../compare/again";
import type { Acquisition } from "../generated/models";
import { type FeedEvent, follow, partsOf } from "../live/feed";
import type { BinaryMessage } from "../live/messages";
import { type DisplayPanel, type Selection, displayPanel } from "./display_panel";
import { type Downloads, downloads } from "./downloads";
import { count, isOver } from "./figures";
import { type FiguresPanel, figuresPanel } from "./figures_panel";
import { type FinishPanel, finishPanel } from "./finish";
import { type ImagePanel, imagePanel } from "./image_panel";
import { listenToKeys, showKeys } from "./keys";
import { type Minimap, minimap } from "./minimap";
import { type PictureOverlay, lastFrameOverlay, widefieldOverlay } from "./overlays";
import { pictureOf } from "./picture";
import { keepPreferences, keptPreferences } from "./preferences";
import { EVERYTHING, MAX_ROWS } from "./table";
import { type Timeline, timeline } from "./timeline";
import "./viewer.css";

const { viewer } = texts;
const AGES_EVERY_MS = 1000;
/** All rows are looked at each time, while somebody moves a slider. */
const COUNT_AFTER_MS = 200;
const MODES = ["image", "split", "lastFrame"] as const;
type Mode = (typeof MODES)[number];
type Link = "connecting" | "open" | "lost" | "ended";

export function show(root: HTMLElement, page: Page, place: Place, signal: AbortSignal): void {
  if (place.page === "view") new ViewerPlace(root, page, place.id, signal).begin();
}

/** Joins the parts: none of them knows another. */
class ViewerPlace {
  readonly #image: ImagePanel;
  readonly #figures: FiguresPanel;
  readonly #display: DisplayPanel;
  readonly #time: Timeline;
  readonly #map: Minimap;
  readonly #overlays: Record<Mode, PictureOverlay | null>;
  readonly #downloads: Downloads;
  readonly #again: Again;
  readonly #finish: FinishPanel;
  readonly #problem: Notice = notice();
  readonly #name = element("h1", {}, texts.appName);
  readonly #state = element("span", { class: "state", role: "status" });
  readonly #connection = element("span", { class: "connection", role: "status" }, viewer.connecting);
  readonly #held = element("p", { class: "held", hidden: true });
  readonly #readout = element("p", { class: "readout", "aria-hidden": "true" });
  readonly #modes = new Map<Mode, HTMLButtonElement>();
  #preferences = keptPreferences(localStorage);
  #selection: Selection = { photons: EVERYTHING, precisionNm: EVERYTHING, fromFrame: 0 };
  #endFrame = Infinity;
  #acquisition: Acquisition | null = null;
  #toldAtMs = 0;
  #isCountDue = false;
  #link: Link = "connecting";

  constructor(
    private readonly root: HTMLElement,
    private readonly page: Page,
    private readonly id: string,
    private readonly signal: AbortSignal,
  ) {
    this.#image = imagePanel(signal, this.#preferences.drawWith);
    this.#figures = figuresPanel(signal);
    this.#time = timeline((endFrame) => {
      this.#endFrame = endFrame;
      this.#filter();
    }, signal);
    const { stage } = this.#image;
    stage.look = this.#preferences.look;
    this.#map = minimap(stage);
    this.#display = this.#makeDisplay();
    this.#downloads = downloads(id, page.api, () => this.#savePicture(), signal);
    this.#again = again(page, () => stage.view);
    this.#finish = finishPanel(page, id);
    this.#overlays = {
      image: null,
      split: widefieldOverlay(stage, id, page.api, signal),
      lastFrame: lastFrameOverlay(stage, id, page.api, signal),
    };
    this.#follow();
  }

  begin(): void {
    const fullLook = { class: "quiet round", "aria-label": texts.fullScreen, hidden: !canFillScreen() };
    const full = button(icon("full"), fullLook, () => toggleFullScreen(this.root));
    const help = button(icon("question"), { class: "quiet round keys", "aria-label": viewer.keys }, () =>
      showKeys(viewer.keyNames),
    );
    const header = bar(
      { page: "start" },
      element(
        "div",
        { class: "bar-title" },
        this.#name,
        element("p", { class: "bar-state" }, this.#state, this.#connection),
      ),
      this.#downloads.root,
      full,
      help,
      themeSwitch(),
    );
    if (this.page.session.grants.length > 0) header.append(signOutAfterQuestion(this.page));
    this.#image.root.append(this.#modeSwitch(), this.#map.root, this.#readout, this.#held);
    const screen = element("div", { class: "viewer-screen" }, this.#image.root, this.#time.root);
    const panels = [this.#finish, this.#again, this.#figures, this.#display].map((part) => part.root);
    const side = element("div", { class: "viewer-side" }, ...panels);
    this.root.replaceChildren(header, element("main", { class: "viewer" }, this.#problem.root, screen, side));
    this.#listen();
  }

  #listen(): void {
    const ageing = setInterval(() => this.#age(), AGES_EVERY_MS);
    this.signal.addEventListener("abort", () => clearInterval(ageing), { once: true });
    const { stage } = this.#image;
    stage.onDrawn = (scene) => this.#map.draw(scene.whole);
    stage.onHover = (place) => this.#read(place);
    stage.onMove(() => this.#read(null));
    listenToKeys(
      {
        pan: (right, down) => stage.pan(right, down),
        zoom: (factor) => stage.zoom(factor),
        fit: () => stage.fit(),
        mode: (place) => this.#choose(MODES[place]!),
        nextColormap: () => this.#display.nextColormap(),
        invert: () => this.#display.invert(),
        space: () => this.#time.toggle(),
        fullScreen: () => void toggleFullScreen(this.root),
        savePicture: () => void this.#savePicture(),
        help: () => showKeys(viewer.keyNames),
      },
      this.signal,
    );
  }

  /** While the link is lost, what is on the screen gets older. */
  #age(): void {
    const acquisition = this.#acquisition;
    if (this.#link !== "lost" || acquisition === null) return;
    this.#setLink("lost");
    if (!isOver(acquisition)) this.#figures.show({ ...acquisition, lag_s: this.#lagS });
  }

  #follow(): void {
    const { api } = this.page;
    const complain = (error: unknown) => {
      if (!this.signal.aborted) this.#problem.show(messageOf(error));
    };
    const hear = (event: FeedEvent) => this.#hear(event, complain);
    follow(api.liveUrl(this.id), partsOf(api, this.id), hear, this.signal, MAX_ROWS).catch(complain);
  }

  #hear(event: FeedEvent, complain: (error: unknown) => void): void {
    switch (event.type) {
      case "progress":
        return this.#tell(event.acquisition);
      case "localizations":
        return this.#take(event.message);
      case "connected":
        this.#problem.show(null);
        return this.#setLink("open");
      case "disconnected":
        return this.#setLink("lost");
      case "refused":
        this.#problem.show(isRefusal(event.error) ? viewer.left : event.error.message);
        return this.#cutOff();
      case "closed":
        if (event.reason === "deleted") {
          this.#problem.show(texts.deleted);
          return this.#cutOff();
        }
        this.#setLink("ended");
        // What came before the closing may be older than the end itself.
        this.page.api.acquisition(this.id, this.signal).then((now) => this.#tell(now), complain);
        return;
      default:
        unreachable(event);
    }
  }

  /** What was told before holds no more. */
  #cutOff(): void {
    say(this.#state, "");
    delete this.#state.dataset["state"];
    this.#finish.root.hidden = true;
    this.#setLink("ended");
  }

  #tell(acquisition: Acquisition): void {
    this.#acquisition = acquisition;
    this.#toldAtMs = performance.now();
    const { name } = acquisition.settings;
    say(this.#name, name);
    document.title = `${name} · ${texts.appName}`;
    say(this.#state, stateWord(acquisition));
    this.#state.dataset["state"] = acquisition.state;
    this.#problem.show(acquisition.error ?? acquisition.notice);
    for (const part of [this.#image, this.#figures, this.#downloads, this.#finish, this.#again]) part.show(acquisition);
    for (const overlay of Object.values(this.#overlays)) overlay?.show(acquisition);
    this.#setLink(this.#link);
  }

  #take(message: BinaryMessage): void {
    this.#image.handle(message);
    this.#figures.handle(message);
    this.#time.setFrames(message.endFrame);
    this.#display.setFrames(message.endFrame);
    this.#overlays.lastFrame?.refresh();
    this.#countSoon();
    const table = this.#image.stage.scene?.table;
    if (table === undefined) return;
    const [have, all] = [count(table.count), count(message.totalRows)];
    const isLoading = message.firstRow + message.rows.count < message.totalRows;
    this.#held.hidden = !isLoading && table.leftOut === 0;
    if (this.#held.hidden) return;
    if (isLoading) say(this.#held, viewer.loading(have, all));
    else this.#held.replaceChildren(`${viewer.newestOnly(have, all)} `, this.#serverPicture());
  }

  #serverPicture(): HTMLElement {
    return element("a", { href: this.page.api.pictureUrl(this.id), target: "_blank" }, viewer.serverPicture);
  }

  #setLink(link: Link): void {
    this.#link = link;
    const isRecording = this.#acquisition !== null && sourceOf(this.#acquisition) === "recording";
    const { connecting, lost, ended } = viewer;
    const words = { connecting, open: isRecording ? "" : viewer.connected, lost, ended };
    const lag = this.#lagS;
    const isLate = (link === "open" || link === "lost") && lag !== null && !isRecording;
    this.#connection.dataset["link"] = link;
    say(this.#connection, isLate ? `${words[link]} · ${viewer.lag(lag)}` : words[link]);
  }

  /** As it was told, and older by the time since then where nothing new can come. */
  get #lagS(): number | null {
    const lag = this.#acquisition?.lag_s ?? null;
    return lag === null || this.#link !== "lost" ? lag : lag + (performance.now() - this.#toldAtMs) / 1000;
  }

  #makeDisplay(): DisplayPanel {
    const { stage } = this.#image;
    return displayPanel(this.#preferences, {
      look: (look) => {
        stage.look = look;
        this.#keep({ ...this.#preferences, look });
      },
      select: (selection) => {
        this.#selection = selection;
        this.#filter();
      },
      drawWith: (drawWith) => {
        stage.drawWith(drawWith);
        this.#keep({ ...this.#preferences, drawWith });
      },
    });
  }

  #keep(preferences: ReturnType<typeof keptPreferences>): void {
    this.#preferences = preferences;
    keepPreferences(preferences, localStorage);
  }

  #filter(): void {
    const { photons, precisionNm, fromFrame } = this.#selection;
    this.#image.stage.filter = { photons, precisionNm, frames: { from: fromFrame, to: this.#endFrame } };
    this.#countSoon();
  }

  #countSoon(): void {
    if (this.#isCountDue) return;
    this.#isCountDue = true;
    setTimeout(() => {
      this.#isCountDue = false;
      if (!this.signal.aborted) this.#count();
    }, COUNT_AFTER_MS);
  }

  /** Where the filter holds back some. */
  #count(): void {
    const { scene, filter } = this.#image.stage;
    if (scene === null) return;
    const { table } = scene;
    const shown = table.countPassing(filter);
    this.#display.setPassing(shown === table.count ? null : { shown, all: table.count });
  }

  #modeSwitch(): HTMLElement {
    const icons = { image: "star", split: "split", lastFrame: "frame" } as const;
    for (const mode of MODES) {
      const pressed = { class: "on-image", "aria-pressed": String(mode === "image"), "aria-label": viewer[mode] };
      const made = button(icon(icons[mode]), pressed, () => this.#choose(mode));
      made.append(element("span", { class: "mode-name" }, viewer[mode]));
      this.#modes.set(mode, made);
    }
    return element("div", { class: "modes", role: "group", "aria-label": viewer.modes }, ...this.#modes.values());
  }

  #choose(mode: Mode): void {
    for (const [name, made] of this.#modes) made.setAttribute("aria-pressed", String(name === mode));
    for (const [name, overlay] of Object.entries(this.#overlays)) overlay?.setSeen(name === mode);
  }

  #read(place: readonly [number, number] | null): void {
    const scale = this.#image.stage.view?.nmPerPx;
    if (scale === undefined) return;
    const nm = viewer.scale(scale < 10 ? scale.toFixed(2) : scale.toFixed(1));
    const [x, y] = place ?? [0, 0];
    say(this.#readout, place === null ? nm : `${viewer.place(x.toFixed(0), y.toFixed(0))} · ${nm}`);
  }

  async #savePicture(): Promise<void> {
    const png = await pictureOf(this.#image.stage);
    if (png !== null) saveAs(png, fileName(this.#acquisition?.settings.name ?? this.id, "png"));
  }
}

function isRefusal({ reason }: PageError): boolean {
  return reason === "not_joined" || reason === "not_allowed";
}
