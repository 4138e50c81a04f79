/** Frames that wait at the server, and whether it can keep up: what the person who films is told of it. */
import type { Acquisition } from "../generated/models";

/** Worth so many seconds of film, frames that wait are spoken of. */
const LATE_S = 6;
/** Of the frames that come; rates are known to a few percent. */
const KEEPS_UP = 0.9;

export interface Backlog {
  readonly frames: number;
  /** In which so many come. */
  readonly seconds: number;
  /** Frames per second that it does and that come, where it does fewer; null where it may yet catch up. */
  readonly tooSlow: { readonly doneFps: number; readonly sentFps: number } | null;
}

type Counts = Pick<Acquisition, "frames_received" | "frames_processed" | "frames_damaged" | "frames_left_out" | "fps">;

/** Received, and neither in the image nor left out of it. The lag does not tell: the newest frames come first. */
export function framesWaiting(counts: Counts): number {
  const done = counts.frames_processed + counts.frames_damaged + counts.frames_left_out;
  return Math.max(0, counts.frames_received - done);
}

/** Null while there are few, and while the camera's rate is not known. */
export function backlogOf(counts: Counts, sentFps: number | null): Backlog | null {
  if (sentFps === null || sentFps <= 0) return null;
  const frames = framesWaiting(counts);
  const seconds = frames / sentFps;
  if (seconds <= LATE_S) return null;
  const doneFps = counts.fps;
  const tooSlow = doneFps !== null && doneFps < KEEPS_UP * sentFps ? { doneFps, sentFps } : null;
  return { frames, seconds, tooSlow };
}
