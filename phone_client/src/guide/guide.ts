/** First use in six drawn steps, and what makes a dSTORM sample blink well. */
import { element } from "../app/dom";
import type { Page } from "../app/page";
import { type Place, fragmentOf } from "../app/places";
import { frame } from "../app/shell";
import { texts } from "../app/texts";
import "./guide.css";
import film from "./pictures/film.svg?raw";
import field from "./pictures/frame.svg?raw";
import join from "./pictures/join.svg?raw";
import lock from "./pictures/lock.svg?raw";
import mount from "./pictures/mount.svg?raw";
import read from "./pictures/read.svg?raw";
import { rememberGuide } from "./welcome";

const PICTURES = { mount, join, frame: field, lock, film, read } as const;

export function show(root: HTMLElement, page: Page, _place: Place, _signal: AbortSignal): void {
  rememberGuide(localStorage);
  const main = frame(root, page, "guide");
  main.classList.add("guide");
  const title = element(
    "div",
    {},
    element("h1", {}, texts.guideTitle),
    element("p", { class: "muted" }, texts.guideWords),
  );
  const steps = Object.entries(PICTURES).map(([name, drawing]) => step(name as keyof typeof PICTURES, drawing));
  const goOn = element("a", { class: "button primary", href: fragmentOf({ page: "start" }) }, texts.guideDone);
  main.append(title, element("ol", { class: "steps" }, ...steps), hints(), element("div", {}, goOn));
}

function step(name: keyof typeof PICTURES, drawing: string): HTMLElement {
  const { heading, words } = texts.guideSteps[name];
  const text = element("div", {}, element("h2", {}, heading), element("p", {}, words));
  return element("li", { class: "step card" }, picture(drawing), text);
}

/** Part of the document, so that it takes the page's colours; it repeats what the words say. */
function picture(drawing: string): Node {
  const parsed = new DOMParser().parseFromString(drawing, "image/svg+xml").documentElement;
  parsed.setAttribute("aria-hidden", "true");
  parsed.setAttribute("class", "drawing");
  return document.importNode(parsed, true);
}

function hints(): HTMLElement {
  const items = texts.hints.map(({ heading, words }) => element("li", {}, element("strong", {}, heading), ` ${words}`));
  const card = element("section", { class: "card", "aria-labelledby": "hints" });
  card.append(element("h2", { id: "hints" }, texts.hintsHeading), element("ul", { class: "hints" }, ...items));
  return card;
}
