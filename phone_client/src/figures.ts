/** An acquisition's figures as people read them. What is not known is "not yet", never a number. */
import type { Acquisition } from "./generated/models";
import { NOT_YET } from "./texts";

export interface Figure {
  readonly key: string;
  readonly label: string;
  readonly value: string;
  /** For something that the person should notice. */
  readonly warns?: boolean;
}

export function figuresOf(acquisition: Acquisition): Figure[] {
  return [
    { key: "localizations", label: "Localizations", value: count(acquisition.localizations) },
    { key: "processed", label: "Frames processed", value: processed(acquisition) },
    { key: "received", label: "Frames received", value: received(acquisition) },
    warning("lost", "Frames lost", acquisition.frames_lost),
    warning("damaged", "Frames damaged", acquisition.frames_damaged),
    ...paceOf(acquisition),
    { key: "resolution", label: "Resolution", value: known(acquisition.resolution_nm, (nm) => `${nm.toFixed(0)} nm`) },
  ];
}

/** Only what goes on has a pace. */
function paceOf({ state, fps, lag_s }: Acquisition): Figure[] {
  if (state === "finished" || state === "failed") return [];
  return [
    { key: "fps", label: "Frame rate", value: known(fps, (rate) => `${rate.toFixed(1)} /s`) },
    { key: "lag", label: "Lag", value: known(lag_s, (seconds) => `${seconds.toFixed(1)} s`) },
  ];
}

/** With thin spaces between thousands. */
export function count(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, "\u2009");
}

export function known(value: number | null, format: (value: number) => string): string {
  return value === null ? NOT_YET : format(value);
}

function received({ frames_received, frames_expected }: Acquisition): string {
  return frames_expected === null ? count(frames_received) : `${count(frames_received)} of ${count(frames_expected)}`;
}

function processed({ frames_processed, eta_s }: Acquisition): string {
  return eta_s === null ? count(frames_processed) : `${count(frames_processed)}, ${Math.ceil(eta_s)} s to go`;
}

function warning(key: string, label: string, value: number): Figure {
  return { key, label, value: count(value), warns: value > 0 };
}
