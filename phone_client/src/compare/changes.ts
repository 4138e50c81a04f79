/** What is asked for when a kept recording is to be localized once more. */
import type { Acquisition, Changes } from "../generated/models";
import { type View, areaOf } from "../viewer/view";
import { type Region, regionOf } from "./common_field";

/** As a person types it; an empty text stands for what the generator, or the whole recording, has. */
export interface Form {
  readonly name: string;
  readonly model: string;
  readonly threshold: string;
  readonly roi: string;
  readonly firstFrame: string;
  /** Included. */
  readonly lastFrame: string;
}

/** The server's least side. */
const MIN_SIDE_PX = 8;

/** The form as the acquisition was made. */
export function formOf({ settings, roi }: Acquisition, name: string): Form {
  const [firstFrame = "", end = ""] = (settings.frames ?? ":").split(":");
  return {
    name,
    model: settings.model,
    threshold: settings.threshold === null ? "" : String(settings.threshold),
    roi: roi ?? settings.roi ?? "",
    firstFrame,
    lastFrame: end === "" ? "" : String(Number(end) - 1),
  };
}

/** Only what is otherwise, so that all else stays as it was. */
export function changesOf(form: Form, acquisition: Acquisition): Changes {
  const before = formOf(acquisition, acquisition.settings.name);
  const changes: Changes = {};
  if (form.name !== before.name) changes.name = form.name;
  if (form.model !== before.model) changes.model = form.model;
  if (form.threshold !== before.threshold) changes.threshold = form.threshold === "" ? null : Number(form.threshold);
  if (spaceless(form.roi) !== before.roi) changes.roi = spaceless(form.roi) === "" ? null : spaceless(form.roi);
  if (form.firstFrame !== before.firstFrame || form.lastFrame !== before.lastFrame) changes.frames = framesOf(form);
  return changes;
}

/** Whether the last frame comes before the first one. */
export function areFramesTurned({ firstFrame, lastFrame }: Form): boolean {
  return lastFrame !== "" && Number(lastFrame) < Number(firstFrame);
}

/** The whole camera pixels that a view of an acquisition's field shows, as a region of the frame; null where it shows them all. */
export function regionSeen(view: View, { roi, settings }: Acquisition): string | null {
  if (roi === null) return null;
  const region = regionOf(roi);
  const area = areaOf(view);
  const px = settings.pixel_size_nm;
  const [x, width] = span(area.left / px, area.right / px, region.width);
  const [y, height] = span(area.top / px, area.bottom / px, region.height);
  if (width === region.width && height === region.height) return null;
  return roiOf({ x: region.x + x, y: region.y + y, width, height });
}

export function wholeFrame({ frame_width, frame_height }: Acquisition): string | null {
  if (frame_width === null || frame_height === null) return null;
  return roiOf({ x: 0, y: 0, width: frame_width, height: frame_height });
}

/** First pixel and number of those from `from` to `to`, at least the least side, within the region. */
function span(from: number, to: number, side: number): [number, number] {
  const first = Math.max(0, Math.min(side - MIN_SIDE_PX, Math.floor(from)));
  const end = Math.min(side, Math.max(first + MIN_SIDE_PX, Math.ceil(to)));
  return [first, end - first];
}

function roiOf({ x, y, width, height }: Region): string {
  return `${x},${y},${width},${height}`;
}

/** As the server writes it: `A:B`, which leaves B out. */
function framesOf({ firstFrame, lastFrame }: Form): string | null {
  if (firstFrame === "" && lastFrame === "") return null;
  return `${firstFrame === "" ? 0 : firstFrame}:${lastFrame === "" ? "" : Number(lastFrame) + 1}`;
}

function spaceless(roi: string): string {
  return roi.replace(/\s+/g, "");
}
