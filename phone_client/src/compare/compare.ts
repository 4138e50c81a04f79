/** Two results of a recording at the same place and scale: side by side, with a swipe, or as their difference; and in numbers. */
import { button, element, say } from "../app/dom";
import { fileName } from "../app/files";
import { canFillScreen, toggleFullScreen } from "../app/full_screen";
import { icon } from "../app/icons";
import { type Notice, notice } from "../app/notice";
import type { Page } from "../app/page";
import { type Place, fragmentOf } from "../app/places";
import { bar, themeSwitch } from "../app/shell";
import { texts } from "../app/texts";
import type { Acquisition } from "../generated/models";
import { lookControls } from "../viewer/display_panel";
import { type Divider, divider } from "../viewer/divider";
import { count, isOver } from "../viewer/figures";
import { zoomButtons } from "../viewer/image_panel";
import { listenToKeys, showKeys } from "../viewer/keys";
import {
  COMPARE_MODES as MODES,
  type CompareMode as Mode,
  keepPreferences,
  keptPreferences,
} from "../viewer/preferences";
import { scaleBar } from "../viewer/scalebar";
import type { Stage } from "../viewer/stage";
import "../viewer/stage.css";
import "../viewer/viewer.css";
import { CommonBrightness, type Index } from "./brightness";
import { commonField } from "./common_field";
import "./compare.css";
import { Difference } from "./difference";
import { type NumbersPanel, numbersPanel } from "./numbers_panel";
import { Side } from "./side";

const { compare } = texts;
const ICONS = { side: "compare", swipe: "split", difference: "difference" } as const;

export function show(root: HTMLElement, page: Page, place: Place, signal: AbortSignal): void {
  if (place.page === "compare") new ComparePlace(root, page, [place.first, place.second], signal).begin();
}

/** Joins the parts: none of them knows another. */
class ComparePlace {
  readonly #sides: readonly [Side, Side];
  /** Told, or not to be had. */
  readonly #isMissing: [boolean, boolean] = [false, false];
  readonly #acquisitions: [Acquisition | null, Acquisition | null] = [null, null];
  readonly #brightness = new CommonBrightness((index) => this.#sides[index].stage.brighten());
  readonly #divider: Divider;
  readonly #difference: Difference;
  readonly #numbers: NumbersPanel;
  readonly #look: ReturnType<typeof lookControls>;
  readonly #problem: Notice = notice();
  readonly #held = element("p", { class: "held", hidden: true });
  readonly #pair = element("div", { class: "pair", "data-mode": "side" });
  readonly #modes = new Map<Mode, HTMLButtonElement>();
  readonly #names: readonly [Named, Named];
  readonly #download: HTMLAnchorElement;
  #preferences = keptPreferences(localStorage);
  #mode: Mode = this.#preferences.compareAs;
  #isCommon = true;

  constructor(
    private readonly root: HTMLElement,
    private readonly page: Page,
    private readonly ids: readonly [string, string],
    private readonly signal: AbortSignal,
  ) {
    const side = (index: Index) => {
      const heard = {
        changed: (acquisition: Acquisition) => this.#tell(index, acquisition),
        failed: (error: unknown) => this.#miss(index, error),
      };
      const made = new Side(index, ids[index], this.#preferences.drawWith, heard, signal);
      made.stage.brightest = (own) => this.#brightness.of(index, own);
      return made;
    };
    this.#sides = [side(0), side(1)];
    this.#difference = new Difference([this.#sides[0].stage, this.#sides[1].stage]);
    this.#names = [nameOf(0, ids[0]), nameOf(1, ids[1])];
    this.#divider = divider(
      compare.handle,
      (share) => this.#pair.style.setProperty("--share", `${100 * share}%`),
      signal,
    );
    this.#numbers = numbersPanel(page.api, signal);
    this.#look = lookControls(this.#preferences.look, {
      look: (look) => {
        this.#preferences = { ...this.#preferences, look };
        keepPreferences(this.#preferences, localStorage);
        this.#colour();
      },
    });
    this.#download = element("a", {
      class: "button",
      href: page.api.differenceUrl(...ids),
      download: "difference.png",
    });
    this.#download.append(icon("download"), compare.download);
  }

  begin(): void {
    const [first, second] = this.#sides;
    const scale = scaleBar();
    linked(first.stage, second.stage);
    first.stage.onMove((view) => scale.show(view));
    this.#pair.append(
      this.#difference.root,
      first.root,
      second.root,
      this.#divider.root,
      legend(),
      this.#held,
      scale.root,
    );
    this.#pair.append(zoomButtons(first.stage));
    const screen = element("div", { class: "viewer-screen" }, this.#tools(), this.#pair);
    const side = element("div", { class: "viewer-side" }, this.#numbers.root, this.#pictures());
    const main = element("main", { class: "viewer compare" }, this.#problem.root, screen, side);
    this.root.replaceChildren(this.#header(), main);
    this.#choose(this.#mode);
    this.#listen();
    for (const each of this.#sides) each.follow(this.page.api);
  }

  #header(): HTMLElement {
    const fullLook = { class: "quiet round", "aria-label": texts.fullScreen, hidden: !canFillScreen() };
    const full = button(icon("full"), fullLook, () => toggleFullScreen(this.root));
    const help = button(icon("question"), { class: "quiet round keys", "aria-label": texts.viewer.keys }, () =>
      showKeys(compare.keyNames),
    );
    const title = element("div", { class: "bar-title" }, element("h1", {}, compare.title));
    return bar({ page: "view", id: this.ids[1] }, title, full, help, themeSwitch());
  }

  /** The ways to look, and what is looked at. */
  #tools(): HTMLElement {
    for (const mode of MODES) {
      const made = button(icon(ICONS[mode]), { class: "on-image", "aria-label": compare[mode] }, () =>
        this.#choose(mode),
      );
      made.append(element("span", { class: "mode-name" }, compare[mode]));
      this.#modes.set(mode, made);
    }
    const modes = element("div", { class: "modes", role: "group", "aria-label": compare.modes });
    modes.append(...this.#modes.values());
    const [first, second] = this.ids;
    const turned = fragmentOf({ page: "compare", first: second, second: first });
    const swap = element("a", { class: "button round on-image", href: turned, "aria-label": compare.swap });
    swap.title = compare.swap;
    swap.append(icon("swap"));
    const names = element("div", { class: "pair-names" }, this.#names[0].link, swap, this.#names[1].link);
    return element("div", { class: "compare-tools" }, modes, names);
  }

  /** How both look. */
  #pictures(): HTMLElement {
    const common = element("input", { type: "checkbox", id: "same-brightness", checked: this.#isCommon });
    common.addEventListener("change", () => {
      this.#isCommon = common.checked;
      this.#colour();
    });
    const { root: controls } = this.#look;
    controls.append(element("label", { class: "switch" }, common, compare.sameBrightness));
    controls.append(element("p", { class: "muted small own-brightness" }, compare.ownBrightness));
    return element("section", { class: "display", "aria-label": compare.pictures }, controls, this.#download);
  }

  #listen(): void {
    const { stage } = this.#sides[0];
    listenToKeys(
      {
        pan: (right, down) => stage.pan(right, down),
        zoom: (factor) => stage.zoom(factor),
        fit: () => stage.fit(),
        mode: (place) => this.#choose(MODES[place]!),
        nextColormap: () => this.#look.nextColormap(),
        invert: () => this.#look.invert(),
        space: () => this.#flick(),
        fullScreen: () => void toggleFullScreen(this.root),
        savePicture: () => this.#download.click(),
        help: () => showKeys(compare.keyNames),
      },
      this.signal,
    );
  }

  #tell(index: Index, acquisition: Acquisition): void {
    this.#acquisitions[index] = acquisition;
    const { link, name } = this.#names[index];
    say(name, acquisition.settings.name);
    link.title = acquisition.settings.name; // where there is no room for all of it
    this.#isMissing[index] = hasNothing(acquisition);
    this.#place();
    const [first, second] = this.#acquisitions;
    if (first === null || second === null) return;
    const names = [first, second].map(({ settings }) => settings.name);
    document.title = `${names.join(" · ")} · ${texts.appName}`;
    this.#download.download = fileName(`${names.join("-")}-difference`, "png");
    this.#numbers.show(first, second);
    const held = this.#sides.filter((side) => side.leftOut > 0).map((side) => this.#newestOnly(side));
    this.#held.hidden = held.length === 0;
    say(this.#held, held.join(" "));
  }

  #miss(index: Index, error: unknown): void {
    this.#problem.show(error);
    if (this.#acquisitions[index] !== null) return;
    this.#isMissing[index] = true;
    this.#numbers.root.hidden = this.#download.hidden = true;
    this.#place();
  }

  /** Both in one field; where there is but one, it alone. */
  #place(): void {
    const [first, second] = this.#acquisitions;
    const [one, other] = this.#isMissing[0] ? [second, second] : [first, this.#isMissing[1] ? first : second];
    if (one === null || other === null) return;
    const common = commonField(one, other);
    if (common.state === "apart") {
      this.#problem.show(compare.differentPixels);
      for (const side of this.#sides) side.explain(compare.differentPixels);
    }
    if (common.state !== "placed") return;
    const there = this.#sides.filter(({ index }) => !this.#isMissing[index]);
    for (const side of there) side.place(common.places[side.index], common.field);
  }

  #newestOnly({ index, stage }: Side): string {
    const all = this.#acquisitions[index]?.localizations ?? 0;
    return compare.newestOnly(count(stage.scene?.table.count ?? 0), count(all), compare.stages[index]);
  }

  #choose(mode: Mode): void {
    this.#mode = mode;
    this.#preferences = { ...this.#preferences, compareAs: mode };
    keepPreferences(this.#preferences, localStorage);
    this.#pair.dataset["mode"] = mode;
    this.#divider.root.hidden = mode !== "swipe";
    for (const [name, made] of this.#modes) made.setAttribute("aria-pressed", String(name === mode));
    this.#colour();
  }

  /** The difference is made of two gray images, each scaled by itself, as the server makes it. */
  #colour(): void {
    const { look } = this.#preferences;
    const isDifference = this.#mode === "difference";
    this.#brightness.isCommon = this.#isCommon && !isDifference;
    this.#difference.isShown = isDifference;
    for (const { stage } of this.#sides) {
      stage.look = isDifference ? { ...look, colormap: "gray", invert: false } : look;
    }
  }

  /** First and second alone, in turns, at the same place: the eye sees what jumps. */
  #flick(): void {
    this.#choose("swipe");
    this.#divider.moveTo(this.#divider.share === 1 ? 0 : 1);
  }
}

/** It ended before its first frame, so that none will come. */
function hasNothing(acquisition: Acquisition): boolean {
  return isOver(acquisition) && acquisition.roi === null;
}

/** What is moved in one is moved in the other. */
function linked(first: Stage, second: Stage): void {
  let isFollowing = false;
  const lead = (from: Stage, to: Stage) => {
    from.onMove((view) => {
      if (isFollowing) return;
      isFollowing = true;
      to.lookAt(view);
      isFollowing = false;
    });
  };
  lead(first, second);
  lead(second, first);
}

interface Named {
  readonly link: HTMLElement;
  readonly name: HTMLElement;
}

/** The way to the viewer of one. */
function nameOf(index: Index, id: string): Named {
  const which = String(index + 1);
  const chip = element("span", { class: "which", "data-which": which }, which);
  const name = element("span", { class: "pair-name" }, compare.stages[index]);
  return { link: element("a", { class: "pair-link", href: fragmentOf({ page: "view", id }) }, chip, name), name };
}

/** What the difference's colours mean. */
function legend(): HTMLElement {
  const entries = [
    ["1", compare.onlyFirst],
    ["2", compare.onlySecond],
    ["both", compare.inBoth],
  ] as const;
  const items = entries.map(([which, meaning]) =>
    element("li", {}, element("span", { class: "swatch", "data-which": which }), meaning),
  );
  return element("ul", { class: "legend" }, ...items);
}
