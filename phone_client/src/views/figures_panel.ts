/** The acquisition's figures as a list of terms and values. */
import { figuresOf } from "../figures";
import type { Acquisition } from "../generated/models";
import { NOT_YET, texts } from "../texts";
import { element, say } from "./dom";

export function figuresPanel(): { root: HTMLElement; show: (acquisition: Acquisition) => void } {
  const values = new Map<string, HTMLElement>();
  const list = element("dl", { class: "figures" });
  const root = element("section", { "aria-label": texts.figures }, list);
  return {
    root,
    show: (acquisition) => {
      const figures = figuresOf(acquisition);
      for (const figure of figures) {
        const value = values.get(figure.key) ?? addFigure(list, figure.key, figure.label);
        values.set(figure.key, value);
        say(value, figure.value);
        value.classList.toggle("unknown", figure.value === NOT_YET);
        value.classList.toggle("warns", figure.warns === true);
      }
      for (const [key, value] of values) {
        value.parentElement!.hidden = !figures.some((figure) => figure.key === key);
      }
    },
  };
}

function addFigure(list: HTMLElement, key: string, label: string): HTMLElement {
  const value = element("dd", { "data-figure": key });
  list.append(element("div", { class: `figure figure-${key}` }, element("dt", {}, label), value));
  return value;
}
