/** The whole field in a corner, with a frame around what is seen; a press goes there. */
import { element } from "../app/dom";
import { texts } from "../app/texts";
import type { Painting } from "./painter";
import type { Field } from "./rule";
import type { Stage } from "./stage";
import { type View, areaOf, sizeNm } from "./view";

const SIDE_PX = 120;
/** Shown when the field is so many times as large as the screen. */
const FROM_ZOOM = 1.3;

export interface Minimap {
  readonly root: HTMLElement;
  /** The image has changed. */
  draw(whole: Painting | null): void;
}

export function minimap(stage: Stage): Minimap {
  const canvas = element("canvas", { "aria-hidden": "true" });
  const seen = element("div", { class: "minimap-view" });
  const root = element("button", { type: "button", class: "minimap", hidden: true }, canvas, seen);
  root.setAttribute("aria-label", texts.viewer.overview);
  root.addEventListener("click", (event) => {
    if (stage.field === null) return;
    const { left, top, width, height } = canvas.getBoundingClientRect();
    const { width: widthNm, height: heightNm } = sizeNm(stage.field);
    // A press of the keyboard has no place.
    if (event.detail === 0) stage.fit();
    else stage.centre(((event.clientX - left) / width) * widthNm, ((event.clientY - top) / height) * heightNm);
  });
  stage.onMove((view, field) => {
    root.hidden = !isZoomed(view, field);
    const { width, height } = sizeNm(field);
    const share = (value: number, of: number) => Math.min(1, Math.max(0, value / of));
    const area = areaOf(view);
    const [left, top] = [share(area.left, width), share(area.top, height)];
    seen.style.inset = [top, 1 - share(area.right, width), 1 - share(area.bottom, height), left]
      .map((part) => `${100 * part}%`)
      .join(" ");
  });
  return {
    root,
    draw: (whole) => {
      if (whole === null || root.hidden || stage.field === null) return;
      const scale = SIDE_PX / Math.max(whole.grid.width, whole.grid.height);
      const [width, height] = [whole.grid.width, whole.grid.height].map((side) =>
        Math.max(1, Math.round(side * scale)),
      );
      if (canvas.width !== width) canvas.width = width!;
      if (canvas.height !== height) canvas.height = height!;
      canvas.getContext("2d", { alpha: false })?.drawImage(whole.canvas, 0, 0, width!, height!);
    },
  };
}

function isZoomed(view: View, field: Field): boolean {
  const { width, height } = sizeNm(field);
  return width > FROM_ZOOM * view.widthPx * view.nmPerPx || height > FROM_ZOOM * view.heightPx * view.nmPerPx;
}
