/** What is held still, and how: presets, sliders where the camera has them, and the state of every item. */
import { element, say } from "../app/dom";
import { texts } from "../app/texts";
import { CHOSEN_ITEMS, type ChosenItem, type Desk, type DeskState } from "./desk";
import { EXPOSURE_UNITS_PER_MS, LOCK_ITEMS, type Lock, type LockItem, type Locks, PRESETS, type Range } from "./locks";

const words = texts.capture;
const SLIDER_STEPS = 200;

export interface LocksView {
  readonly root: HTMLDetailsElement;
  show(state: DeskState): void;
}

export function locksView(desk: () => Desk): LocksView {
  const summary = element("span", { class: "fold-state" });
  const head = element("summary", {}, element("span", {}, words.locks), summary);
  const presets = presetButtons(desk);
  const list = element("dl", { class: "locks" });
  const none = element("p", { class: "muted" }, words.locksNone);
  const root = element("details", { class: "fold" }, head, presets.root, list, none);
  const rows = new Map(LOCK_ITEMS.map((item) => [item, lockRow(item, desk)]));
  list.append(...[...rows.values()].map((row) => row.root));
  return {
    root,
    show: (state) => {
      root.hidden = state.state !== "open";
      if (state.state !== "open") return;
      const states = Object.values(state.locks).map((lock) => lock.state);
      const count = (wanted: Lock["state"]) => states.filter((each) => each === wanted).length;
      say(summary, words.locksSummary(count("locked"), count("drifting"), states.length));
      summary.dataset["level"] = count("drifting") > 0 ? "alarm" : count("locked") > 1 ? "good" : "mind";
      none.hidden = count("locked") > 1;
      presets.show(state.preset);
      for (const [item, row] of rows) row.show(state.locks, rangeOf(item, desk()));
    },
  };
}

/** Items whose values are told as a sentence when they drift. */
export function driftsOf(locks: Locks): string[] {
  return LOCK_ITEMS.filter((item) => locks[item].state === "drifting").map((item) => words.drifts(words.items[item]));
}

function rangeOf(item: LockItem, desk: Desk): Range | null {
  return isChosen(item) ? (desk.locks?.range(item) ?? null) : null;
}

function isChosen(item: LockItem): item is ChosenItem {
  return (CHOSEN_ITEMS as readonly LockItem[]).includes(item);
}

function presetButtons(desk: () => Desk): { root: HTMLElement; show: (preset: string | null) => void } {
  const buttons = PRESETS.map(({ name }) => {
    const made = element(
      "button",
      { type: "button", "aria-pressed": "false", "data-preset": name },
      words.presets[name],
    );
    made.addEventListener("click", () => void desk().preset(name));
    return made;
  });
  const root = element("div", { class: "segments", role: "group", "aria-label": words.preset }, ...buttons);
  return {
    root,
    show: (preset) => {
      for (const each of buttons) each.setAttribute("aria-pressed", String(each.dataset["preset"] === preset));
    },
  };
}

function lockRow(
  item: LockItem,
  desk: () => Desk,
): { root: HTMLElement; show: (locks: Locks, range: Range | null) => void } {
  const value = element("span", { class: "lock-value" });
  const state = element("span", { class: "lock-state" });
  const slider = element("input", { type: "range", "aria-label": words.items[item], hidden: true });
  const root = element(
    "div",
    { class: "lock", "data-lock": item },
    element("dt", {}, words.items[item]),
    element("dd", {}, value, state),
    slider,
  );
  let range: Range | null = null;
  slider.addEventListener("change", () => {
    if (range !== null && isChosen(item)) void desk().choose(item, valueAt(range, item, slider.valueAsNumber));
  });
  return {
    root,
    show: (locks, newRange) => {
      const lock = locks[item];
      range = newRange;
      root.dataset["state"] = lock.state;
      say(state, words.lockStates[lock.state]);
      say(value, lock.value === null ? "" : valueText(item, lock.value));
      slider.hidden = range === null;
      if (range === null) return;
      slider.max = String(SLIDER_STEPS);
      slider.setAttribute("aria-valuetext", value.textContent);
      if (document.activeElement !== slider && lock.value !== null) {
        slider.value = String(stepOf(range, item, lock.value));
      }
    },
  };
}

/** Exposure and ISO are chosen by factors, the others by differences. */
function isLogarithmic(item: LockItem, { min }: Range): boolean {
  return (item === "exposure_time" || item === "iso") && min > 0;
}

function valueAt(range: Range, item: LockItem, step: number): number {
  const share = step / SLIDER_STEPS;
  if (isLogarithmic(item, range)) return range.min * (range.max / range.min) ** share;
  return range.min + (range.max - range.min) * share;
}

function stepOf(range: Range, item: LockItem, value: number): number {
  const share = isLogarithmic(item, range)
    ? Math.log(value / range.min) / Math.log(range.max / range.min)
    : (value - range.min) / (range.max - range.min);
  return Math.round(SLIDER_STEPS * share);
}

function valueText(item: LockItem, value: number): string {
  switch (item) {
    case "exposure_time":
      return words.milliseconds(value / EXPOSURE_UNITS_PER_MS);
    case "white_balance":
      return words.kelvin(value);
    case "focus":
      return words.metres(value);
    case "zoom":
      return words.times(value);
    case "torch":
      return value === 0 ? words.off : words.on;
    case "frame_rate":
      return words.perSecond(value);
    case "iso":
      return value.toFixed(0);
  }
}
