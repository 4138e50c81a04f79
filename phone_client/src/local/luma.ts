/**
 * The luma of a video frame, as it is: what a generator takes for counts, on the server and here.
 *
 * A frame that the browser holds as RGB is converted as video is, by ITU-R BT.601 with studio range.
 */
import { lumaOfColours } from "../app/bt601";
import { PageError } from "../app/errors";
import { texts } from "../app/texts";

/** Pixels of the frame; left upper corner, width, height. */
export interface Region {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const PLANAR = new Set(["I420", "I420A", "I422", "I422A", "I444", "I444A", "NV12"]);
const RED_FIRST = new Set(["RGBA", "RGBX"]);
const BLUE_FIRST = new Set(["BGRA", "BGRX"]);

/** What of a VideoFrame is needed. */
export type CopiedFrame = Pick<VideoFrame, "format" | "codedWidth" | "codedHeight" | "allocationSize" | "copyTo">;

/** (height * width) uint8 luma of the region, row 0 at the top; the frame stays open. */
export async function lumaOf(frame: CopiedFrame, region: Region): Promise<Uint8Array> {
  const format = frame.format ?? "";
  const isPlanar = PLANAR.has(format);
  if (!isPlanar && !RED_FIRST.has(format) && !BLUE_FIRST.has(format)) {
    throw new PageError("no_codec", texts.problems.unknownPixels(format));
  }
  const around = evenAround(region, frame.codedWidth, frame.codedHeight); // planes of halved colour need even corners
  const options = { rect: around };
  const data = new Uint8Array(frame.allocationSize(options));
  const [plane] = await frame.copyTo(data, options);
  if (plane === undefined) throw new Error("a frame without planes");
  const valueAt = isPlanar ? (at: number) => data[at]! : lumaAt(data, RED_FIRST.has(format));
  return cropped(valueAt, plane, isPlanar ? 1 : 4, around, region);
}

/** The centred square of the visible part, or what there is of it. */
export function centred(side: number, visible: Region): Region {
  const width = Math.min(side, visible.width);
  const height = Math.min(side, visible.height);
  return {
    x: visible.x + Math.floor((visible.width - width) / 2),
    y: visible.y + Math.floor((visible.height - height) / 2),
    width,
    height,
  };
}

/** A part of a frame and where it lies in it, after so many quarter turns clockwise; `whole` is the frame before. */
export function turned(
  counts: Uint8Array,
  region: Region,
  whole: Pick<Region, "width" | "height">,
  quarterTurns: number,
): { counts: Uint8Array; region: Region } {
  if (quarterTurns === 0) return { counts, region };
  const { x, y, width, height } = region;
  const once = new Uint8Array(counts.length);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      once[column * height + height - 1 - row] = counts[row * width + column]!;
    }
  }
  const place = { x: whole.height - y - height, y: x, width: height, height: width };
  return turned(once, place, { width: whole.height, height: whole.width }, quarterTurns - 1);
}

function evenAround(region: Region, frameWidth: number, frameHeight: number): Region {
  const x = region.x - (region.x % 2);
  const y = region.y - (region.y % 2);
  const even = (end: number, limit: number) => Math.min(limit, end + (end % 2));
  return {
    x,
    y,
    width: even(region.x + region.width, frameWidth) - x,
    height: even(region.y + region.height, frameHeight) - y,
  };
}

function cropped(
  valueAt: (at: number) => number,
  plane: PlaneLayout,
  bytesPerPixel: number,
  around: Region,
  region: Region,
): Uint8Array {
  const luma = new Uint8Array(region.width * region.height);
  let next = 0;
  for (let row = region.y - around.y; row < region.y - around.y + region.height; row++) {
    const start = plane.offset + row * plane.stride + (region.x - around.x) * bytesPerPixel;
    for (let column = 0; column < region.width; column++) luma[next++] = valueAt(start + column * bytesPerPixel);
  }
  return luma;
}

function lumaAt(data: Uint8Array, isRedFirst: boolean): (at: number) => number {
  const [red, blue] = isRedFirst ? [0, 2] : [2, 0];
  return (at) => lumaOfColours(data[at + red]!, data[at + 1]!, data[at + blue]!);
}
