/** The growing image with its scale bar. */
import type { Acquisition } from "../generated/models";
import { GrowingImage, fieldOf } from "../image";
import type { BinaryMessage } from "../live";
import { Painter, type Surface } from "../painter";
import { lengthLabel, scaleBarNm } from "../scalebar";
import { texts } from "../texts";
import { element, say } from "./dom";

const PAINT_EVERY_MS = 100;
/** Of each interval; the rest belongs to the camera and to whoever touches the page. */
const PAINT_FOR_MS = 40;

export interface ImagePanel {
  root: HTMLElement;
  show: (acquisition: Acquisition) => void;
  handle: (message: BinaryMessage) => void;
}

export function imagePanel(signal: AbortSignal): ImagePanel {
  const canvas = element("canvas", { role: "img", "aria-label": texts.reconstructionAlt });
  const bar = element("div", { class: "scale-bar" });
  const label = element("span", { class: "scale-label" });
  const scale = element("div", { class: "scale", hidden: true }, label, bar);
  const empty = element("p", { class: "placeholder" }, texts.imageWaits);
  const frame = element("div", { class: "picture" }, canvas, empty, scale);
  const root = element("section", { class: "reconstruction", "aria-label": texts.reconstruction }, frame);
  const waiting: BinaryMessage[] = []; // until the first frame tells the size
  let painter: Painter | null = null;

  const begin = (roi: string, pixelSizeNm: number) => {
    const field = fieldOf(roi, pixelSizeNm);
    painter = new Painter(new GrowingImage(field), surfaceOf(canvas));
    for (const message of waiting.splice(0)) painter.handle(message);
    const widthNm = field.widthPx * field.pixelSizeNm;
    const barNm = scaleBarNm(widthNm);
    bar.style.width = `${(100 * barNm) / widthNm}%`;
    say(label, lengthLabel(barNm));
    frame.style.aspectRatio = `${field.widthPx} / ${field.heightPx}`;
    scale.hidden = false;
  };
  const timer = setInterval(() => {
    if (painter === null || document.hidden) return;
    painter.paint(() => performance.now(), performance.now() + PAINT_FOR_MS);
    empty.hidden = painter.image.drawn > 0;
  }, PAINT_EVERY_MS);
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });

  return {
    root,
    show: (acquisition) => {
      if (painter === null && acquisition.roi !== null) begin(acquisition.roi, acquisition.settings.pixel_size_nm);
    },
    handle: (message) => {
      if (painter !== null) painter.handle(message);
      else waiting.push(message);
    },
  };
}

function surfaceOf(canvas: HTMLCanvasElement): Surface {
  const context = canvas.getContext("2d", { alpha: false });
  if (context === null) throw new Error("this browser draws no canvas");
  return {
    set width(width: number) {
      canvas.width = width;
    },
    set height(height: number) {
      canvas.height = height;
    },
    put: (pixels, width, { left, top, right, bottom }) => {
      const image = new ImageData(new Uint8ClampedArray(pixels.buffer), width);
      context.putImageData(image, 0, 0, left, top, right - left, bottom - top);
    },
  };
}
