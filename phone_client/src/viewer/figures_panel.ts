/** The acquisition's figures: a large number and its course for those who look, a table for those who listen. */
import { element, say } from "../app/dom";
import { NOT_YET, texts } from "../app/texts";
import type { Acquisition } from "../generated/models";
import type { BinaryMessage } from "../live/messages";
import { type Figure, LiveFigures, count } from "./figures";
import { type Sparkline, sparkline } from "./sparkline";

const EVERY_MS = 500;

export interface FiguresPanel {
  readonly root: HTMLElement;
  show(acquisition: Acquisition): void;
  handle(message: BinaryMessage): void;
}

export function figuresPanel(signal: AbortSignal): FiguresPanel {
  const live = new LiveFigures();
  const cards = new Map<string, Card>();
  const list = element("dl", { class: "figures" });
  const body = element("tbody");
  const root = element("section", { class: "figures-panel", "aria-label": texts.figures }, list, table(body));
  let isDue = false;
  const draw = () => {
    isDue = false;
    if (signal.aborted) return;
    const { figures } = live;
    for (const figure of figures) showFigure(cards, list, figure);
    for (const [key, { root: card }] of cards) card.hidden = !figures.some((figure) => figure.key === key);
    body.replaceChildren(...figures.map(rowOf));
  };
  const drawSoon = () => {
    if (isDue) return;
    isDue = true;
    setTimeout(draw, cards.size === 0 ? 0 : EVERY_MS);
  };
  return {
    root,
    show: (acquisition) => {
      live.tell(acquisition);
      drawSoon();
    },
    handle: (message) => {
      live.handle(message);
      drawSoon();
    },
  };
}

interface Card {
  readonly root: HTMLElement;
  readonly value: HTMLElement;
  readonly line: Sparkline;
}

function showFigure(cards: Map<string, Card>, list: HTMLElement, figure: Figure): void {
  const card = cards.get(figure.key) ?? addCard(list, figure);
  cards.set(figure.key, card);
  say(card.value, figure.value);
  card.value.classList.toggle("unknown", figure.value === NOT_YET || figure.value === texts.unknown);
  card.root.classList.toggle("warns", figure.warns === true);
  card.line.show(figure.plot ?? []);
}

function addCard(list: HTMLElement, { key, label, plot }: Figure): Card {
  const value = element("dd", { "data-figure": key });
  const line = sparkline();
  const root = element("div", { class: `figure figure-${key}` }, element("dt", {}, label), value);
  if (plot !== undefined) root.append(line.root);
  list.append(root);
  return { root, value, line };
}

/** Of those figures that have a course. */
function rowOf({ label, value, plot }: Figure): HTMLElement {
  const values = (plot ?? []).filter((each) => each !== null);
  const bound = (choose: (a: number, b: number) => number) =>
    values.length === 0 ? "–" : rounded(values.reduce((a, b) => choose(a, b)));
  const cells = [value, bound(Math.min), bound(Math.max)].map((text) => element("td", {}, text));
  return element("tr", {}, element("th", { scope: "row" }, label), ...cells);
}

function rounded(value: number): string {
  return value >= 100 ? count(value) : String(Number(value.toPrecision(3)));
}

function table(body: HTMLElement): HTMLElement {
  const { figure, now, lowest, highest, figuresTable } = texts.viewer;
  const heads = [figure, now, lowest, highest].map((name) => element("th", { scope: "col" }, name));
  const made = element("table", { class: "figures-table" }, element("thead", {}, element("tr", {}, ...heads)), body);
  return element("details", { class: "as-table" }, element("summary", {}, figuresTable), made);
}
