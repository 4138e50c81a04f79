/** All acquisitions of the class as tiles that grow; for the projector. New ones appear by themselves. */
import { button, element, say } from "../app/dom";
import { type Entry, keepEntries } from "../app/entries";
import { canFillScreen, toggleFullScreen } from "../app/full_screen";
import { icon } from "../app/icons";
import { keepListed } from "../app/listed";
import { notice } from "../app/notice";
import type { Page } from "../app/page";
import { type Pictures, imageTarget, picturesOf } from "../app/pictures";
import { type Place, fragmentOf } from "../app/places";
import { frame } from "../app/shell";
import { stateWord } from "../app/states";
import { texts } from "../app/texts";
import type { Acquisition } from "../generated/models";
import { keepScreenOn } from "../capture/awake";
import { shareWall } from "../start/share";
import { count } from "../viewer/figures";
import { layoutFor, onTheWall } from "./tiles";
import "./wall.css";

const REFRESH_MS = 2000;
/** One picture at a time, at most eight a second: a wall of thirty is fresh every five seconds. */
const PICTURES = { everyMs: 120, eachMs: 2000 };

export function show(root: HTMLElement, page: Page, _place: Place, signal: AbortSignal): void {
  const main = frame(root, page, "wall");
  const problem = notice();
  const empty = element("p", { class: "wall-empty muted" }, texts.wallEmpty);
  const tiles = element("ul", { class: "tiles" });
  const head = element("div", { class: "wall-head" }, element("h1", {}, texts.wallTitle));
  if (page.session.may("manage")) head.append(shareButton(page));
  head.append(fullScreenButton(main, signal));
  main.classList.add("wall");
  main.append(head, problem.root, empty, tiles);

  const pictures = picturesOf((id, nm, asking) => page.api.picture(id, nm, asking), PICTURES);
  const shown = new Map<string, Entry>();
  const arrange = () => {
    const { top } = tiles.getBoundingClientRect();
    const { paddingLeft, paddingBottom } = getComputedStyle(main);
    const width = main.clientWidth - 2 * Number.parseFloat(paddingLeft);
    const { columns, sidePx } = layoutFor(
      shown.size,
      width,
      innerHeight - Math.max(0, top + main.scrollTop) - Number.parseFloat(paddingBottom),
    );
    tiles.style.setProperty("--columns", String(columns));
    tiles.style.setProperty("--side", `${sidePx}px`);
  };
  const refresh = (all: readonly Acquisition[]) => {
    const hanging = onTheWall(all, Date.now());
    keepEntries(shown, tiles, hanging, ({ id }) => newTile(id, pictures, signal));
    empty.hidden = hanging.length > 0;
    arrange();
  };
  const observer = new ResizeObserver(arrange);
  observer.observe(main);
  signal.addEventListener("abort", () => observer.disconnect(), { once: true });
  keepScreenOn(signal);
  void pictures.keepFresh(signal);
  const load = (asking: AbortSignal) => page.api.list(asking);
  void keepListed({ load, show: refresh, complain: problem.show, everyMs: REFRESH_MS }, signal);
}

function newTile(id: string, pictures: Pictures, signal: AbortSignal): Entry {
  const leaving = new AbortController();
  const image = element("img", { alt: "", hidden: true });
  const waiting = element("span", { class: "tile-waits" }, texts.wallWaits);
  const name = element("strong", { class: "tile-name" });
  const state = element("span", { class: "state" });
  const found = element("span", { class: "tile-count" });
  const lag = element("span", { class: "tile-lag" });
  const words = element("span", { class: "tile-words" }, name, found, state, lag);
  const link = element("a", { class: "tile", href: fragmentOf({ page: "view", id }) }, image, waiting, words);
  const root = element("li", {}, link);
  const target = imageTarget(image, AbortSignal.any([signal, leaving.signal]));
  return {
    root,
    show: (acquisition) => {
      say(name, acquisition.settings.name);
      say(state, stateWord(acquisition));
      state.dataset["state"] = acquisition.state;
      say(found, texts.tileCount(count(acquisition.localizations)));
      say(lag, acquisition.lag_s === null ? "" : texts.tileLag(acquisition.lag_s));
      waiting.hidden = acquisition.localizations > 0;
      link.dataset["state"] = acquisition.state;
      pictures.want(acquisition, target);
    },
    leave: () => {
      leaving.abort();
      pictures.forget(id);
      root.remove();
    },
  };
}

function shareButton(page: Page): HTMLElement {
  const press = button(icon("share"), {}, () => shareWall(page));
  press.append(texts.share);
  return press;
}

/** Without the bar and the places: what hangs on the wall alone. */
function fullScreenButton(main: HTMLElement, signal: AbortSignal): HTMLElement {
  const words = element("span", {}, texts.fullScreen);
  const press = button(icon("full"), { hidden: !canFillScreen() }, () => toggleFullScreen(main));
  press.append(words);
  document.addEventListener(
    "fullscreenchange",
    () => say(words, document.fullscreenElement === null ? texts.fullScreen : texts.endFullScreen),
    { signal },
  );
  return press;
}
