/** What is told of two results in words: figures side by side, what they have in common, and which settings differ. */
import { texts } from "../app/texts";
import type { Acquisition, CommonComparison, Comparison, Side } from "../generated/models";
import { count, nm } from "../viewer/figures";
import { regionOf } from "./common_field";

const { compare } = texts;

/** A figure of each, and the second by the first where that says something. */
export interface Row {
  readonly label: string;
  readonly first: string;
  readonly second: string;
  readonly ratio: string;
}

/** A figure of both together. */
export interface Fact {
  readonly label: string;
  readonly meaning: string;
  readonly value: string;
}

export interface Setting {
  readonly label: string;
  readonly first: string;
  readonly second: string;
  readonly differs: boolean;
}

export function rowsOf({ first, second }: Comparison, unknown: string): Row[] {
  const row = (
    label: string,
    of: (side: Side) => number | null,
    format: (value: number) => string,
    hasRatio = true,
  ) => {
    const [one, two] = [of(first), of(second)];
    const shown = (value: number | null) => (value === null ? unknown : format(value));
    return { label, first: shown(one), second: shown(two), ratio: hasRatio ? ratioOf(one, two) : "" };
  };
  const { rows } = compare;
  return [
    row(rows.localizations, (side) => side.localizations, count),
    row(rows.frames, (side) => side.frames, count),
    row(rows.shared, (side) => side.matched_share, compare.percent, false),
    row(rows.photons, (side) => side.photons_median, count),
    row(rows.precision, (side) => side.precision_nm_median, nm),
    row(rows.resolution, (side) => side.resolution_nm, nm),
  ];
}

export function factsOf(comparison: Comparison, unknown: string): Fact[] {
  const { jaccard, matched, distance_nm_rms, offset_x_nm, offset_y_nm, photon_ratio_median } = comparison;
  const offset = offset_x_nm === null || offset_y_nm === null ? null : ([offset_x_nm, offset_y_nm] as const);
  const fact = <Value>([label, meaning]: readonly string[], value: Value | null, format: (value: Value) => string) => ({
    label: label!,
    meaning: meaning!,
    value: value === null ? unknown : format(value),
  });
  return [
    fact(compare.agreement, jaccard, compare.percent),
    fact(compare.pairs, matched, count),
    fact(compare.distance, distance_nm_rms, nm),
    fact(compare.offset, offset, ([x, y]) => `${signed(x)}, ${signed(y)} nm`),
    fact(compare.photonRatio, photon_ratio_median, times),
  ];
}

/** Which part of both was compared, where they do not have the same; null for all of both. */
export function partOf({ frames, roi }: Pick<CommonComparison, "frames" | "roi">): string | null {
  const parts = [
    ...(frames === null ? [] : [compare.inFrames(framesWords(frames))]),
    ...(roi === null ? [] : [compare.inRegion(regionWords(roi))]),
  ];
  return parts.length === 0 ? null : compare.partOnly(parts);
}

/** Of the settings that tell how a result was made; those that are the same are told, too. */
export function settingsOf(first: Acquisition, second: Acquisition, unknown: string): Setting[] {
  const { settingRows } = compare;
  const setting = (label: string, of: (acquisition: Acquisition) => string | null): Setting => {
    const [one, two] = [of(first), of(second)];
    return {
      label,
      first: one ?? unknown,
      second: two ?? unknown,
      differs: one !== null && two !== null && one !== two,
    };
  };
  return [
    setting(settingRows.generator, ({ settings }) => settings.model),
    setting(settingRows.version, ({ generator }) => generator?.version ?? null),
    setting(settingRows.threshold, thresholdOf),
    setting(settingRows.region, ({ roi }) => roi && regionWords(roi)),
    setting(settingRows.frames, ({ settings }) => framesWords(settings.frames)),
    setting(settingRows.camera, cameraWords),
    setting(settingRows.pixelSize, ({ settings }) => `${settings.pixel_size_nm} nm`),
  ];
}

/** Whether both come from one recording, as far as the server knows: one was made from the other, or of the same file. */
export function isSameRecording(first: Acquisition, second: Acquisition): boolean {
  if (first.video_sha256 !== null && first.video_sha256 === second.video_sha256) return true;
  const sources = (acquisition: Acquisition) => [acquisition.id, acquisition.reprocessed_from];
  return sources(first).some((source) => source !== null && sources(second).includes(source));
}

function thresholdOf({ settings, generator }: Acquisition): string | null {
  if (settings.threshold !== null) return String(settings.threshold);
  return generator === null ? null : compare.ownThreshold(generator.threshold);
}

function regionWords(roi: string): string {
  const { x, y, width, height } = regionOf(roi);
  return compare.region(x, y, width, height);
}

/** From `A:B`, which leaves B out. */
function framesWords(frames: string | null): string {
  if (frames === null) return compare.allFrames;
  const [from = "", to = ""] = frames.split(":");
  return compare.frameSpan(Number(from), to === "" ? null : Number(to) - 1);
}

function cameraWords({ settings: { camera } }: Acquisition): string {
  return camera === null ? compare.cameraDefault : compare.camera(camera.gain, camera.offset, camera.read_noise);
}

function ratioOf(first: number | null, second: number | null): string {
  return first === null || second === null || first === 0 ? "" : times(second / first);
}

function times(ratio: number): string {
  return `×${ratio.toFixed(2)}`;
}

function signed(value: number): string {
  const digits = value.toFixed(1);
  return value < 0 && digits !== "-0.0" ? `−${digits.slice(1)}` : `+${digits.replace("-", "")}`;
}
