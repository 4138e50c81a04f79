/** Where an acquisition stands, in words; what a phone films is called otherwise than a recording that came or comes. */
import type { Acquisition } from "../generated/models";
import { texts } from "./texts";

/** "unknown" until something has come. */
export type Source = "phone" | "recording" | "unknown";

export function sourceOf({ reprocessed_from, batch_id, video_from, frames_received }: Acquisition): Source {
  if (reprocessed_from !== null || batch_id !== null || video_from === "file") return "recording";
  return frames_received > 0 ? "phone" : "unknown";
}

export function stateWord(acquisition: Acquisition): string {
  const { state, reprocessed_from } = acquisition;
  if (state === "waiting" && reprocessed_from !== null) return texts.waitsForTurn;
  if (state !== "receiving") return texts.states[state];
  if (sourceOf(acquisition) === "phone") return texts.filming;
  return reprocessed_from === null ? texts.states.receiving : texts.localizing;
}
