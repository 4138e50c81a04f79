/** Pictures of the server that lie over the image: the widefield picture with a swipe, the last frame with its circles. */
import type { Api } from "../app/api";
import { element, say } from "../app/dom";
import { texts } from "../app/texts";
import { divider } from "./divider";
import { type FieldPicture, fetched } from "./field_picture";
import { count, isOver } from "./figures";
import type { Stage } from "./stage";

const WIDEFIELD_EVERY_MS = 2000;
const FRAME_EVERY_MS = 600;
const CIRCLE_PX = 2.5; // camera pixels
const SVG = "http://www.w3.org/2000/svg";

export interface PictureOverlay extends FieldPicture {
  /** Localizations have come. */
  refresh(): void;
}

/** On the left of a handle that can be dragged. */
export function widefieldOverlay(stage: Stage, id: string, api: Api, signal: AbortSignal): PictureOverlay {
  const image = element("img", { alt: texts.widefieldAlt, class: "field-picture smooth", draggable: "false" });
  const inner = element("div", { class: "overlay" }, image);
  const clip = element("div", { class: "split-clip" }, inner);
  const handle = divider(
    texts.viewer.splitHandle,
    (share) => {
      clip.style.clipPath = `inset(0 ${100 * (1 - share)}% 0 0)`;
    },
    signal,
  );
  const root = element("div", { class: "split", hidden: true }, clip, handle.root);
  stage.lay(inner, root);
  const overlay = fetched(root, image, WIDEFIELD_EVERY_MS, signal, async () => {
    const picture = await api.widefield(id, signal);
    return picture && { picture, after: () => undefined };
  });
  return { ...overlay, refresh: () => undefined };
}

/** In place of the image, with a circle around each localization of that frame. */
export function lastFrameOverlay(stage: Stage, id: string, api: Api, signal: AbortSignal): PictureOverlay {
  const image = element("img", { alt: "", class: "field-picture pixels", draggable: "false" });
  const circles = document.createElementNS(SVG, "svg");
  circles.setAttribute("class", "circles");
  const inner = element("div", { class: "overlay" }, image);
  inner.append(circles);
  const label = element("p", { class: "frame-label", role: "status" }, texts.viewer.frameWaits);
  const root = element("div", { class: "last-frame", hidden: true }, inner, label);
  stage.lay(inner, root);
  let index: number | null = null;
  const circle = () => {
    if (index === null || stage.scene === null) return;
    const { table, field } = stage.scene;
    const made: SVGCircleElement[] = [];
    table.forFrame(index, (block, row) => {
      made.push(circleAt(block.x_nm[row]! / field.pixelSizeNm + 0.5, block.y_nm[row]! / field.pixelSizeNm + 0.5));
    });
    circles.setAttribute("viewBox", `0 0 ${field.widthPx} ${field.heightPx}`);
    circles.replaceChildren(...made);
    image.alt = texts.viewer.frameIndex(count(index));
    say(label, `${image.alt} · ${texts.viewer.circled(made.length)}`);
  };
  const overlay = fetched(root, image, FRAME_EVERY_MS, signal, async () => {
    const last = await api.lastFrame(id, signal);
    return last && { picture: last.picture, after: () => ((index = last.index), circle()) };
  });
  const show: FieldPicture["show"] = (acquisition) => {
    if (isOver(acquisition) && acquisition.frames_processed === 0) say(label, texts.viewer.frameNone);
    overlay.show(acquisition);
  };
  return { ...overlay, show, refresh: () => !root.hidden && circle() };
}

function circleAt(x: number, y: number): SVGCircleElement {
  const made = document.createElementNS(SVG, "circle");
  made.setAttribute("cx", x.toFixed(3));
  made.setAttribute("cy", y.toFixed(3));
  made.setAttribute("r", String(CIRCLE_PX));
  return made;
}
