/** The length of a scale bar and its label. */
import { element, say } from "../app/dom";
import type { View } from "./view";

/** From the series 1, 2, 5, 10, … nm, the length nearest to a fifth of the width, by ratio. */
export function scaleBarNm(widthNm: number): number {
  const wanted = Math.max(widthNm / 5, 1);
  const decade = 10 ** Math.floor(Math.log10(wanted));
  const distance = (length: number) => Math.abs(Math.log(length / wanted));
  return [1, 2, 5, 10]
    .map((step) => step * decade)
    .reduce((best, next) => (distance(next) < distance(best) ? next : best));
}

export function lengthLabel(lengthNm: number): string {
  return lengthNm < 1000 ? `${lengthNm} nm` : `${lengthNm / 1000} µm`;
}

/** Right at every zoom. */
export function scaleBar(): { root: HTMLElement; show: (view: View) => void } {
  const label = element("span", { class: "scale-label" });
  const bar = element("div", { class: "scale-bar" });
  const root = element("div", { class: "scale", hidden: true }, label, bar); // until there is a view
  return {
    root,
    show: (view) => {
      const lengthNm = scaleBarNm(view.widthPx * view.nmPerPx);
      bar.style.width = `${lengthNm / view.nmPerPx}px`;
      say(label, lengthLabel(lengthNm));
      root.hidden = false;
    },
  };
}
