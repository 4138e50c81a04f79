/**
 * Two results on one field: the smallest rectangle of the frame that holds both regions, so that a place of it is the
 * same place of the sample in both images.
 */
import type { Acquisition } from "../generated/models";
import type { BinaryMessage } from "../live/messages";
import type { Field } from "../viewer/rule";

/** Of a region, in camera pixels of the frame. */
export interface Region {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Where a result lies in the field: its region, in camera pixels from the field's left upper corner. */
export type Place = Region;

export type CommonField =
  | { state: "waiting" } // for a first frame
  | { state: "apart" } // pixels of different sizes
  | { state: "placed"; field: Field; places: readonly [Place, Place] };

/** From `X,Y,W,H`. */
export function regionOf(roi: string): Region {
  const [x = 0, y = 0, width = 0, height = 0] = roi.split(",").map(Number);
  return { x, y, width, height };
}

export function commonField(first: Acquisition, second: Acquisition): CommonField {
  if (first.settings.pixel_size_nm !== second.settings.pixel_size_nm) return { state: "apart" };
  if (first.roi === null || second.roi === null) return { state: "waiting" };
  const regions = [regionOf(first.roi), regionOf(second.roi)] as const;
  const [x, y] = [Math.min(...regions.map((each) => each.x)), Math.min(...regions.map((each) => each.y))];
  const field: Field = {
    widthPx: Math.max(...regions.map((each) => each.x + each.width)) - x,
    heightPx: Math.max(...regions.map((each) => each.y + each.height)) - y,
    pixelSizeNm: first.settings.pixel_size_nm,
  };
  const placed = (region: Region): Place => ({ ...region, x: region.x - x, y: region.y - y });
  return { state: "placed", field, places: [placed(regions[0]), placed(regions[1])] };
}

/** Rows of a result, which count from the centre of its region's first pixel, in the field's own coordinates. */
export function inField(message: BinaryMessage, place: Place, pixelSizeNm: number): BinaryMessage {
  const [right, down] = [place.x * pixelSizeNm, place.y * pixelSizeNm];
  if (right === 0 && down === 0) return message;
  const { rows } = message;
  const moved = { x_nm: rows.x_nm.map((x) => x + right), y_nm: rows.y_nm.map((y) => y + down) };
  return { ...message, rows: { ...rows, ...moved } };
}
