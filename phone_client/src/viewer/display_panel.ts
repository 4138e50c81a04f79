/** How the image looks and which localizations are in it. */
import { button, element, say } from "../app/dom";
import { texts } from "../app/texts";
import { PHOTONS, PRECISION_NM, STEPS, type Span, rangeLabel, rangeOf } from "./bounds";
import { COLORMAP_NAMES, type Colormap, type Look } from "./contrast";
import { GAMMAS, PERCENTILES } from "./preferences";
import { count } from "./figures";
import type { DrawWith } from "./stage";
import { EVERYTHING, type Range } from "./table";

/** Which localizations are shown, but for the last frame, which the time slider chooses. */
export interface Selection {
  readonly photons: Range;
  readonly precisionNm: Range;
  readonly fromFrame: number;
}

export interface DisplayPanel {
  readonly root: HTMLElement;
  nextColormap(): void;
  invert(): void;
  /** How many frames there are to choose from. */
  setFrames(endFrame: number): void;
  /** How many localizations pass; null where all do. */
  setPassing(passing: { shown: number; all: number } | null): void;
}

export interface DisplayActions {
  look(look: Look): void;
  select(selection: Selection): void;
  drawWith(choice: DrawWith): void;
}

const { viewer } = texts;

export function displayPanel(start: { look: Look; drawWith: DrawWith }, actions: DisplayActions): DisplayPanel {
  const look = lookControls(start.look, actions);
  const filters = filterControls(actions);
  const root = element("section", { class: "display", "aria-label": viewer.display }, look.root, filters.root);
  root.append(drawChoice(start.drawWith, actions));
  const { setFrames, setPassing } = filters;
  return { root, nextColormap: look.nextColormap, invert: look.invert, setFrames, setPassing };
}

export function lookControls(start: Look, actions: Pick<DisplayActions, "look">) {
  let look = start;
  const change = (changes: Partial<Look>) => {
    look = { ...look, ...changes };
    colormap.value = look.colormap;
    invert.checked = look.invert;
    actions.look(look);
  };
  const options = COLORMAP_NAMES.map((name) => element("option", { value: name }, viewer.colormaps[name]));
  const colormap = element("select", { id: "colormap" }, ...options);
  colormap.value = look.colormap;
  colormap.addEventListener("change", () => change({ colormap: colormap.value as Colormap }));
  const percentile = slider(
    "percentile",
    viewer.percentile,
    { ...PERCENTILES, step: 0.1 },
    look.percentile,
    (value) => {
      change({ percentile: value });
      return `${value.toFixed(1)} %`;
    },
  );
  const gamma = slider("gamma", viewer.gamma, { ...GAMMAS, step: 0.05 }, look.gamma, (value) => {
    change({ gamma: value });
    return value.toFixed(2);
  });
  const invert = element("input", { type: "checkbox", id: "invert", checked: look.invert });
  invert.addEventListener("change", () => change({ invert: invert.checked }));
  const colours = element("div", { class: "field" }, element("label", { for: "colormap" }, viewer.colormap), colormap);
  const inverted = element("label", { class: "switch" }, invert, viewer.invert);
  const nextColormap = () => {
    const next = (COLORMAP_NAMES.indexOf(look.colormap) + 1) % COLORMAP_NAMES.length;
    change({ colormap: COLORMAP_NAMES[next]! });
  };
  const root = element("fieldset", {}, element("legend", {}, viewer.display), colours, percentile, gamma, inverted);
  return { root, nextColormap, invert: () => change({ invert: !look.invert }) };
}

function filterControls(actions: DisplayActions) {
  let selection: Selection = { photons: EVERYTHING, precisionNm: EVERYTHING, fromFrame: 0 };
  const change = (changes: Partial<Selection>) => {
    selection = { ...selection, ...changes };
    actions.select(selection);
  };
  const photons = rangeSliders("photons", viewer.photons, PHOTONS, (range) => change({ photons: range }));
  const precision = rangeSliders("precision", viewer.precision, PRECISION_NM, (range) =>
    change({ precisionNm: range }),
  );
  const first = element("input", { type: "range", id: "first-frame", min: "0", max: "1", value: "0", step: "1" });
  const shown = element("output", { for: "first-frame" }, viewer.noBound);
  const tell = () => {
    const frame = first.valueAsNumber;
    say(shown, frame === 0 ? viewer.noBound : `≥ ${frame}`);
    change({ fromFrame: frame });
  };
  first.addEventListener("input", tell);
  const frames = row("first-frame", `${viewer.frames}, ${viewer.from}`, shown, first);
  const reset = button(viewer.resetFilters, {}, () => {
    photons.reset();
    precision.reset();
    first.value = "0";
    tell();
  });
  const legend = element("legend", {}, viewer.filters);
  const passes = element("p", { class: "small passing", role: "status", hidden: true });
  const root = element("fieldset", {}, legend, photons.root, precision.root, frames, passes, reset);
  return {
    root,
    setFrames: (endFrame: number) => first.setAttribute("max", String(Math.max(1, endFrame - 1))),
    setPassing: (passing: { shown: number; all: number } | null) => {
      passes.hidden = passing === null;
      say(passes, passing === null ? "" : viewer.passing(count(passing.shown), count(passing.all)));
    },
  };
}

function rangeSliders(id: string, label: string, span: Span, on: (range: Range) => void) {
  const shown = element("output", { for: `${id}-from ${id}-to` }, viewer.noBound);
  const limits = { type: "range", min: "0", max: String(STEPS), step: "1" };
  const from = element("input", { ...limits, id: `${id}-from`, value: "0", "aria-label": `${label}, ${viewer.from}` });
  const to = element("input", {
    ...limits,
    id: `${id}-to`,
    value: String(STEPS),
    "aria-label": `${label}, ${viewer.to}`,
  });
  const tell = () => {
    const range = rangeOf(from.valueAsNumber, to.valueAsNumber, span);
    say(shown, rangeLabel(range, viewer.noBound));
    on(range);
  };
  from.addEventListener("input", tell);
  to.addEventListener("input", tell);
  const name = element("span", { class: "range-name" }, label, shown);
  return {
    root: element("div", { class: "range-row" }, name, element("div", { class: "two-sliders" }, from, to)),
    reset: () => {
      from.value = "0";
      to.value = String(STEPS);
      tell();
    },
  };
}

function slider(
  id: string,
  label: string,
  limits: { min: number; max: number; step: number },
  start: number,
  on: (value: number) => string,
): HTMLElement {
  const { min, max, step } = limits;
  const input = element("input", {
    type: "range",
    id,
    min: `${min}`,
    max: `${max}`,
    step: `${step}`,
    value: `${start}`,
  });
  const digits = step < 0.1 ? 2 : 1;
  const shown = element("output", { for: id }, start.toFixed(digits));
  input.addEventListener("input", () => say(shown, on(input.valueAsNumber)));
  return row(id, label, shown, input);
}

function row(id: string, label: string, shown: HTMLElement, input: HTMLElement): HTMLElement {
  const name = element("span", { class: "range-name" }, element("label", { for: id }, label), shown);
  return element("div", { class: "range-row" }, name, input);
}

function drawChoice(start: DrawWith, actions: DisplayActions): HTMLElement {
  const choices = Object.entries(viewer.drawWithNames) as [DrawWith, string][];
  const select = element("select", { id: "draw-with" });
  select.append(...choices.map(([value, name]) => element("option", { value }, name)));
  select.value = start;
  select.addEventListener("change", () => actions.drawWith(select.value as DrawWith));
  return element("div", { class: "field" }, element("label", { for: "draw-with" }, viewer.drawWith), select);
}
