/** A line without axes beside a number: enough to see whether something rises, falls or stands still. */
import type { Plot } from "./series";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 120;
const HEIGHT = 32;
const EDGE = 2;

export interface Sparkline {
  readonly root: SVGSVGElement;
  show(plot: Plot): void;
}

/** Hidden from screen readers: the table of the same figures is for them. */
export function sparkline(): Sparkline {
  const root = document.createElementNS(SVG, "svg");
  root.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  root.setAttribute("preserveAspectRatio", "none");
  root.setAttribute("class", "sparkline");
  root.setAttribute("aria-hidden", "true");
  const area = document.createElementNS(SVG, "path");
  area.setAttribute("class", "sparkline-area");
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("class", "sparkline-line");
  root.append(area, line);
  let shown = "";
  return {
    root,
    show: (plot) => {
      const path = pathOf(plot);
      if (path.line === shown) return;
      shown = path.line;
      line.setAttribute("d", path.line);
      area.setAttribute("d", path.area);
    },
  };
}

/** From zero, or from the lowest value where that is far from zero; gaps stay gaps. */
export function pathOf(plot: Plot): { line: string; area: string } {
  const known = plot.filter((value) => value !== null);
  if (known.length < 2) return { line: "", area: "" };
  const high = known.reduce((most, value) => Math.max(most, value));
  const least = known.reduce((least, value) => Math.min(least, value));
  const low = least > 0.6 * high ? least - 0.25 * (high - least) : Math.min(0, least);
  const x = (place: number) => ((place / (plot.length - 1)) * WIDTH).toFixed(1);
  const y = (value: number) => (HEIGHT - EDGE - ((value - low) / (high - low || 1)) * (HEIGHT - 2 * EDGE)).toFixed(1);
  let line = "";
  let area = "";
  let begun = -1;
  plot.forEach((value, place) => {
    const isLast = place === plot.length - 1;
    if (value !== null) {
      line += `${begun < 0 ? "M" : "L"}${x(place)} ${y(value)}`;
      area += begun < 0 ? `M${x(place)} ${HEIGHT}L${x(place)} ${y(value)}` : `L${x(place)} ${y(value)}`;
      if (begun < 0) begun = place;
    }
    if (begun >= 0 && (value === null || isLast)) {
      area += `L${x(value === null ? place - 1 : place)} ${HEIGHT}Z`;
      begun = -1;
    }
  });
  return { line, area };
}
