/** An acquisition's figures as people read them. What is not known is "not yet" or, in the end, a dash; never a number. */
import { NOT_YET, texts } from "../app/texts";
import type { Acquisition } from "../generated/models";
import type { BinaryMessage } from "../live/messages";
import { FrameSeries, type Plot, type Span, TimeSeries } from "./series";

export interface Figure {
  readonly key: string;
  readonly label: string;
  readonly value: string;
  /** For something that the person should notice. */
  readonly warns?: boolean;
  /** How it came to this. */
  readonly plot?: Plot;
}

const NM_PER_UM = 1000;

/** While it grows, the newest of what changes from frame to frame; in the end, all frames together. Takes what comes, and costs by that. */
export class LiveFigures {
  readonly #frames = new FrameSeries();
  readonly #lag = new TimeSeries();
  readonly #fps = new TimeSeries();
  readonly #lost = new TimeSeries();
  readonly #damaged = new TimeSeries();
  #acquisition: Acquisition | null = null;

  handle(message: BinaryMessage): void {
    if (message.kind === "snapshot") this.#frames.clear();
    this.#frames.add(message.rows, message.endFrame);
  }

  tell(acquisition: Acquisition): void {
    this.#acquisition = acquisition;
    if (isOver(acquisition)) return;
    this.#lag.add(acquisition.lag_s);
    this.#fps.add(acquisition.fps);
    this.#lost.add(acquisition.frames_lost);
    this.#damaged.add(acquisition.frames_damaged);
  }

  /** With plots, the most telling ones first; empty before anything is known. */
  get figures(): Figure[] {
    const acquisition = this.#acquisition;
    if (acquisition === null) return [];
    const { names } = texts.viewer;
    const known = knownOf(unknownFor(acquisition));
    const frames = this.#frames;
    const perFrame = frames.localizationsPerFrame(missingFrom(acquisition));
    const { localizations, frames_processed: processedFrames } = acquisition;
    const mean = processedFrames === 0 ? null : localizations / processedFrames;
    const newest = <Value>(now: Value, ofAll: Value) => (isOver(acquisition) ? ofAll : (now ?? ofAll));
    const area = areaUm2(acquisition);
    const per = (value: number | null) => (value === null || area === null ? null : value / area);
    const [lost, damaged] = [acquisition.frames_lost, acquisition.frames_damaged];
    return [
      { key: "localizations", label: names.localizations, value: count(acquisition.localizations) },
      { key: "perFrame", label: names.perFrame, value: known(newest(last(perFrame), mean), short), plot: perFrame },
      { key: "photons", label: names.photons, value: known(frames.medianPhotons, short), plot: frames.photons },
      {
        key: "precision",
        label: names.precision,
        value: known(frames.medianPrecisionNm, nm),
        plot: frames.precisionNm,
      },
      {
        key: "density",
        label: names.density,
        value: known(per(mean), short),
        plot: perFrame.map((value) => per(value)),
      },
      {
        key: "background",
        label: names.background,
        value: known(newest(last(frames.background), frames.meanBackground), short),
        plot: frames.background,
      },
      ...this.#pace(acquisition),
      { key: "lost", label: names.lost, value: count(lost), warns: lost > 0, plot: this.#lost.plot },
      { key: "damaged", label: names.damaged, value: count(damaged), warns: damaged > 0, plot: this.#damaged.plot },
      { key: "drift", label: names.drift, value: known(acquisition.drift_nm, nm) },
      { key: "resolution", label: names.resolution, value: known(acquisition.resolution_nm, nm) },
      { key: "processed", label: names.processed, value: processed(acquisition) },
      { key: "received", label: names.received, value: received(acquisition) },
    ];
  }

  /** Only what goes on has a pace. */
  #pace(acquisition: Acquisition): Figure[] {
    if (isOver(acquisition)) return [];
    const { names } = texts.viewer;
    const known = knownOf(NOT_YET);
    const { lag_s, fps } = acquisition;
    return [
      { key: "lag", label: names.lag, value: known(lag_s, (s) => `${s.toFixed(1)} s`), plot: this.#lag.plot },
      { key: "fps", label: names.fps, value: known(fps, (rate) => rate.toFixed(1)), plot: this.#fps.plot },
    ];
  }
}

export function isOver({ state }: Acquisition): boolean {
  return state === "finished" || state === "failed" || state === "cancelled";
}

/** With thin spaces between thousands, at which no line is broken. */
export function count(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** What stands where nothing is known: not yet while one of them grows, never after that. */
export function unknownFor(...acquisitions: readonly Acquisition[]): string {
  return acquisitions.every(isOver) ? texts.unknown : NOT_YET;
}

function knownOf(unknown: string) {
  return <Value>(value: Value | null, format: (value: Value) => string): string =>
    value === null ? unknown : format(value);
}

/** Three significant digits. */
function short(value: number): string {
  if (value >= 100) return count(value);
  return value >= 10 ? value.toFixed(1) : value.toFixed(value >= 0.1 || value === 0 ? 2 : 4);
}

export function nm(value: number): string {
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} nm`;
}

function last(plot: Plot): number | null {
  return [...plot].reverse().find((value) => value !== null) ?? null;
}

/** Frames in which nothing was looked for: those that the settings leave out, and those that a lost link left out. */
function missingFrom({ settings, gaps }: Acquisition): Span[] {
  const [start = "", stop = ""] = (settings.frames ?? "").split(":");
  const wanted: Span = { from: Number(start), to: stop === "" ? Infinity : Number(stop) };
  const within = (gap: Span) => ({ from: Math.max(gap.from, wanted.from), to: Math.min(gap.to, wanted.to) });
  const lost = gaps.map(({ first_frame: from, frames_lost }) => within({ from, to: from + frames_lost }));
  return [{ from: 0, to: wanted.from }, ...lost, { from: wanted.to, to: Infinity }];
}

function areaUm2({ roi, settings }: Acquisition): number | null {
  if (roi === null) return null;
  const [, , width, height] = roi.split(",").map(Number);
  return (width! * height! * settings.pixel_size_nm ** 2) / NM_PER_UM ** 2;
}

function received({ frames_received, frames_expected }: Acquisition): string {
  return frames_expected === null ? count(frames_received) : `${count(frames_received)} of ${count(frames_expected)}`;
}

function processed({ frames_processed, eta_s }: Acquisition): string {
  return eta_s === null ? count(frames_processed) : `${count(frames_processed)}, ${Math.ceil(eta_s)} s to go`;
}
