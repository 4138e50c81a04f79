/** The growing image with what belongs on it: scale bar, zoom buttons, and a word while there is nothing to see. */
import { button, element, say } from "../app/dom";
import { icon } from "../app/icons";
import { texts } from "../app/texts";
import type { Acquisition } from "../generated/models";
import type { BinaryMessage } from "../live/messages";
import { isOver } from "./figures";
import { fieldOf } from "./rule";
import { scaleBar } from "./scalebar";
import { type DrawWith, Stage } from "./stage";
import "./stage.css";

const ZOOM_STEP = 1.6;

export interface ImagePanel {
  readonly root: HTMLElement;
  readonly stage: Stage;
  show(acquisition: Acquisition): void;
  handle(message: BinaryMessage): void;
}

export function imagePanel(signal: AbortSignal, drawWith: DrawWith = "auto"): ImagePanel {
  const stage = new Stage(drawWith, signal);
  const scale = scaleBar();
  const empty = element("p", { class: "placeholder" }, texts.imageWaits);
  const label = { class: "picture reconstruction", "aria-label": texts.reconstruction };
  const root = element("section", label, stage.root, empty, scale.root, zoomButtons(stage));
  stage.onMove((view) => scale.show(view));
  return {
    root,
    stage,
    show: (acquisition) => {
      const { roi, settings } = acquisition;
      if (isOver(acquisition) && acquisition.localizations === 0) say(empty, texts.imageNone);
      if (roi !== null) stage.open(fieldOf(roi, settings.pixel_size_nm));
    },
    handle: (message) => {
      stage.handle(message);
      if (message.rows.count > 0) empty.hidden = true;
    },
  };
}

export function zoomButtons(stage: Stage): HTMLElement {
  const { zoomIn, zoomOut, wholeField } = texts.viewer;
  const made = (name: Parameters<typeof icon>[0], label: string, press: () => void) =>
    button(icon(name), { class: "round on-image", "aria-label": label, title: label }, press);
  return element(
    "div",
    { class: "zoom-buttons" },
    made("plus", zoomIn, () => stage.zoom(ZOOM_STEP)),
    made("minus", zoomOut, () => stage.zoom(1 / ZOOM_STEP)),
    made("fit", wholeField, () => stage.fit()),
  );
}
