/** Which part of the field is seen, and how large: pan and zoom as pure functions. Lengths on screen are CSS pixels. */
import type { Field } from "./rule";
import type { Area } from "./table";

export interface View {
  /** What lies in the middle of the screen, in nm from the field's left upper corner. */
  readonly xNm: number;
  readonly yNm: number;
  readonly nmPerPx: number;
  readonly widthPx: number;
  readonly heightPx: number;
}

/** Nearer than that there is nothing to be seen: localizations are precise to some nm. */
export const MIN_NM_PER_PX = 0.1;
const NEARLY = 0.01;
const FARTHEST = 2; // times as far away as where the whole field is seen

export function sizeNm(field: Field): { width: number; height: number } {
  return { width: field.widthPx * field.pixelSizeNm, height: field.heightPx * field.pixelSizeNm };
}

/** The whole field, as large as it can be. */
export function fit(field: Field, widthPx: number, heightPx: number): View {
  const { width, height } = sizeNm(field);
  const nmPerPx = Math.max(width / widthPx, height / heightPx);
  return { xNm: width / 2, yNm: height / 2, nmPerPx, widthPx, heightPx };
}

/** Whether the whole field is seen, as large as it can be; screens that share a width may differ by a pixel. */
export function isWhole(view: View, field: Field): boolean {
  const whole = fit(field, view.widthPx, view.heightPx);
  const isAsLarge = Math.abs(view.nmPerPx / whole.nmPerPx - 1) < NEARLY;
  return isAsLarge && view.xNm === whole.xNm && view.yNm === whole.yNm;
}

/** Shown on a screen of another size: the same place at the same scale. */
export function resized(view: View, field: Field, widthPx: number, heightPx: number): View {
  return kept({ ...view, widthPx, heightPx }, field);
}

/** As if the image was dragged by so many pixels. */
export function panned(view: View, field: Field, rightPx: number, downPx: number): View {
  const [xNm, yNm] = [view.xNm - rightPx * view.nmPerPx, view.yNm - downPx * view.nmPerPx];
  return kept({ ...view, xNm, yNm }, field);
}

/** `factor` times as large, while what lies at (x, y) of the screen stays there. */
export function zoomed(view: View, field: Field, factor: number, x = view.widthPx / 2, y = view.heightPx / 2): View {
  const farthest = FARTHEST * fit(field, view.widthPx, view.heightPx).nmPerPx;
  const nmPerPx = Math.min(farthest, Math.max(MIN_NM_PER_PX, view.nmPerPx / factor));
  const change = view.nmPerPx - nmPerPx;
  const [xNm, yNm] = [view.xNm + (x - view.widthPx / 2) * change, view.yNm + (y - view.heightPx / 2) * change];
  return kept({ ...view, xNm, yNm, nmPerPx }, field);
}

/** With a place of the field in the middle. */
export function centred(view: View, field: Field, xNm: number, yNm: number): View {
  return kept({ ...view, xNm, yNm }, field);
}

/** From the screen to the field. */
export function toField(view: View, x: number, y: number): [number, number] {
  return [view.xNm + (x - view.widthPx / 2) * view.nmPerPx, view.yNm + (y - view.heightPx / 2) * view.nmPerPx];
}

/** From the field to the screen. */
export function toScreen(view: View, xNm: number, yNm: number): [number, number] {
  return [(xNm - view.xNm) / view.nmPerPx + view.widthPx / 2, (yNm - view.yNm) / view.nmPerPx + view.heightPx / 2];
}

/** What is seen; it may reach beyond the field. */
export function areaOf(view: View): Area {
  const [left, top] = toField(view, 0, 0);
  const [right, bottom] = toField(view, view.widthPx, view.heightPx);
  return { left, top, right, bottom };
}

/** Not lost from sight: a place of the field lies in the middle. */
function kept(view: View, field: Field): View {
  const { width, height } = sizeNm(field);
  return { ...view, xNm: Math.min(width, Math.max(0, view.xNm)), yNm: Math.min(height, Math.max(0, view.yNm)) };
}
