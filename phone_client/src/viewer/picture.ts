/** The present view as a picture of its own, with a scale bar. */
import { element } from "../app/dom";
import { lengthLabel, scaleBarNm } from "./scalebar";
import type { Stage } from "./stage";
import { toScreen } from "./view";

const MARGIN_PX = 16;
const BAR_PX = 6;
const TEXT_PX = 20;

/** A PNG in the screen's own pixels; null before there is a view. */
export async function pictureOf(stage: Stage): Promise<Blob | null> {
  const { view, scene } = stage;
  if (view === null || scene === null) return null;
  const ratio = stage.pixelRatio;
  const canvas = element("canvas");
  [canvas.width, canvas.height] = [view.widthPx * ratio, view.heightPx * ratio];
  const context = canvas.getContext("2d", { alpha: false });
  if (context === null) throw new Error("this browser draws no canvas");
  context.fillStyle = stage.look.invert ? "white" : "black";
  context.fillRect(0, 0, canvas.width, canvas.height);
  drawImages(context, stage);
  drawScaleBar(context, view.widthPx * view.nmPerPx, view.nmPerPx / ratio, ratio, stage.look.invert);
  return await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

/** What a stage shows, without what lies over it, in the screen's own pixels. */
export function drawImages(context: CanvasRenderingContext2D, { view, scene, pixelRatio: ratio }: Stage): void {
  if (view === null || scene === null) return;
  for (const { grid, canvas: image } of scene.paintings) {
    if (image.width === 0 || image.height === 0) continue; // released, or nothing of the field is seen: Firefox throws
    const [x, y] = toScreen(view, grid.left * grid.pixelNm, grid.top * grid.pixelNm);
    const scale = (grid.pixelNm / view.nmPerPx) * ratio;
    const isExact = Math.abs(scale - 1) < 1e-6;
    context.imageSmoothingEnabled = !isExact;
    const [left, top] = [x * ratio, y * ratio].map((place) => (isExact ? Math.round(place) : place));
    context.drawImage(image, left!, top!, grid.width * scale, grid.height * scale);
  }
}

function drawScaleBar(
  context: CanvasRenderingContext2D,
  widthNm: number,
  pixelNm: number,
  ratio: number,
  isBright: boolean,
): void {
  const lengthNm = scaleBarNm(widthNm);
  const { width, height } = context.canvas;
  const [margin, bar, text] = [MARGIN_PX * ratio, BAR_PX * ratio, TEXT_PX * ratio];
  const length = lengthNm / pixelNm;
  const [right, bottom] = [width - margin, height - margin];
  context.fillStyle = isBright ? "rgb(255 255 255 / 70%)" : "rgb(0 0 0 / 55%)";
  context.fillRect(
    right - length - margin / 2,
    bottom - bar - 1.6 * text,
    length + margin,
    bar + 1.6 * text + margin / 2,
  );
  context.fillStyle = isBright ? "black" : "white";
  context.fillRect(right - length, bottom - bar, length, bar);
  context.font = `600 ${text}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.fillText(lengthLabel(lengthNm), right - length / 2, bottom - bar - 0.4 * text);
}
