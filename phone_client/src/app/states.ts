/** Where an acquisition stands, in words; what a phone films is called otherwise than a recording that came or comes. */
import type { Acquisition, State } from "../generated/models";
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
  if (state === "receiving" && reprocessed_from !== null) return texts.localizing;
  const source = sourceOf(acquisition);
  if (source === "recording") return recordingWord(state);
  return state === "receiving" && source === "phone" ? texts.filming : texts.states[state];
}

/** Of a recording: when all of it has come, nearly all is still to be done. */
export function recordingWord(state: State): string {
  return state === "processing" ? texts.localizing : texts.states[state];
}
