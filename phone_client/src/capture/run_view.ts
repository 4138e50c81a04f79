/** While it films: one large line that says how it goes, what to mind, and the figures of phone, link and server. */
import { element, say } from "../app/dom";
import { unreachable } from "../app/errors";
import { NOT_YET, texts } from "../app/texts";
import type { Acquisition } from "../generated/models";
import { count, unknownFor } from "../viewer/figures";
import { backlogOf, framesWaiting } from "./backlog";
import type { Cropping } from "./cropping";
import type { Capture, Filming } from "./filming";
import type { Session } from "./whip";
import { type SendRates, type SendStats, ratesOf } from "./send_stats";

const words = texts.capture;
const BACK_SHOWN_MS = 15_000;

export interface RunView {
  readonly root: HTMLElement;
  readonly status: HTMLElement;
  show(capture: Capture): void;
  follow(acquisition: Acquisition): void;
  /** Things to mind that others have found. */
  warn(warnings: readonly string[]): void;
}

/** What is known at one moment. */
interface Moment {
  readonly stats: SendStats | null;
  /** In all sessions; null before the first. */
  readonly sent: number | null;
  readonly rates: SendRates | null;
  readonly acquisition: Acquisition | null;
  readonly battery: number | null;
  /** By the encoder, of the frames that it was given. */
  readonly leftOut: number;
}

interface Figure {
  readonly key: string;
  readonly label: string;
  readonly value: string | null;
  readonly warns?: boolean;
}

const STATS_EVERY_MS = 1000;
/** Frames between camera and encoder are not left out. */
const IN_FLIGHT = 2;

export function runView(filming: () => Filming, cropping: () => Cropping | null, signal: AbortSignal): RunView {
  const status = element("p", { class: "run-status", role: "status" });
  const clock = element("p", { class: "run-clock", "aria-hidden": "true" });
  const minds = element("ul", { class: "minds", role: "alert" });
  const list = element("dl", { class: "run-figures" });
  const root = element("section", { class: "run", "aria-label": words.figures, hidden: true }, minds, list);
  const head = element("div", { class: "run-head" }, clock, status);
  let moment: Moment = { stats: null, sent: null, rates: null, acquisition: null, battery: null, leftOut: 0 };
  let warnings: readonly string[] = [];
  let begunAtMs: number | null = null;
  let session: Session | null = null;
  let passedBefore = 0; // frames that came from the camera before the session's first
  let backAtMs = -Infinity;

  const refresh = () => {
    const { capture } = filming();
    const nowMs = performance.now();
    say(status, statusOf(capture, filming(), nowMs, nowMs - backAtMs < BACK_SHOWN_MS, cropping()));
    say(clock, begunAtMs === null ? "" : clockOf(nowMs - begunAtMs));
    showList(minds, [...mindsOf(capture, moment), ...warnings]);
    const unknown = moment.acquisition === null ? NOT_YET : unknownFor(moment.acquisition);
    showFigures(list, figuresOf(moment, filming(), cropping()), unknown);
  };
  const tick = async () => {
    const { capture } = filming();
    if (capture.state === "filming") {
      const stats = await capture.session.stats();
      const before = moment.stats;
      const isSameSession = before !== null && stats !== null && stats.framesEncoded >= before.framesEncoded;
      const passed = cropping()?.counts.passed ?? 0;
      const leftOut = stats === null ? 0 : Math.max(0, passed - passedBefore - stats.framesEncoded - IN_FLIGHT);
      moment = { ...moment, stats, leftOut, rates: isSameSession ? ratesOf(before, stats) : null };
    }
    if (session !== null) moment = { ...moment, sent: await filming().framesSent() };
    refresh();
  };
  const timer = setInterval(() => void tick(), STATS_EVERY_MS);
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  void followBattery((battery) => (moment = { ...moment, battery }), signal);
  return {
    root,
    status: head,
    show: (capture) => {
      if (capture.state === "filming") {
        begunAtMs ??= performance.now();
        if (session !== capture.session) passedBefore = cropping()?.counts.passed ?? 0;
        session = capture.session;
        if (capture.gap !== null) backAtMs = performance.now();
      } else if (capture.state === "idle" || capture.state === "failed") {
        begunAtMs = null;
        moment = { ...moment, rates: null }; // nothing flows any more
        void tick(); // what the last session sent to its very end
      }
      root.hidden = begunAtMs === null && moment.acquisition === null;
      head.dataset["capture"] = capture.state;
      refresh();
    },
    follow: (acquisition) => {
      moment = { ...moment, acquisition };
      refresh();
    },
    warn: (found) => {
      warnings = found;
    },
  };
}

function statusOf(
  capture: Capture,
  filming: Filming,
  nowMs: number,
  isBack: boolean,
  cropping: Cropping | null,
): string {
  switch (capture.state) {
    case "idle":
      return "";
    case "creating":
      return words.creating;
    case "connecting":
      return capture.detail === null ? words.connecting : words.connectingAgain(capture.attempt, capture.detail);
    case "filming":
      return isBack && capture.gap !== null
        ? words.back(capture.gap.away_s, capture.gap.frames_missed)
        : words.keepStill;
    case "away": {
      const { sinceMs, framesBefore } = capture.away;
      const missed = Math.max(0, (cropping?.counts.passed ?? 0) - framesBefore);
      return `${words.linkLost} ${words.missing((nowMs - sinceMs) / 1000, missed + filming.totals.framesMissed)}`;
    }
    case "stopping":
      return words.stopping;
    case "failed":
      return capture.detail;
    default:
      return unreachable(capture);
  }
}

function mindsOf(capture: Capture, { stats, rates, acquisition }: Moment): string[] {
  if (capture.state !== "filming") return [];
  const found: string[] = [];
  const limit = stats?.limitedBy;
  if (limit === "cpu" || limit === "bandwidth" || limit === "other") found.push(words.limitedBy[limit]);
  const [width, height] = [acquisition?.frame_width ?? null, acquisition?.frame_height ?? null];
  if (stats?.width != null && stats.height != null && width !== null && height !== null) {
    if (stats.width !== width || stats.height !== height) found.push(words.wrongSize(stats.width, stats.height));
  }
  const backlog = acquisition && backlogOf(acquisition, rates?.fps ?? null);
  if (backlog) found.push(words.cannotKeepUp(backlog.frames, backlog.seconds));
  if (backlog?.tooSlow) found.push(words.tooSlow(backlog.tooSlow.doneFps, backlog.tooSlow.sentFps));
  return found;
}

function figuresOf(
  { stats, sent, rates, acquisition, battery, leftOut }: Moment,
  filming: Filming,
  cropping: Cropping | null,
): Figure[] {
  const counts = cropping?.counts;
  const known = (value: number | null | undefined, text: (value: number) => string) =>
    value == null ? null : text(value);
  return [
    { key: "localizations", label: words.localizations, value: known(acquisition?.localizations, count) },
    { key: "sent", label: words.sent, value: known(sent, count) },
    { key: "localized", label: words.localized, value: known(acquisition?.frames_processed, count) },
    warning("lost", words.lost, acquisition?.frames_lost),
    warning("damaged", words.damaged, acquisition?.frames_damaged),
    warning("missed", words.missed, filming.totals.framesMissed),
    warning("skipped", words.skipped, counts?.skipped),
    warning("not-encoded", words.notEncoded, leftOut),
    { key: "rate", label: words.rate, value: known(rates?.fps, words.perSecond) },
    { key: "bitrate", label: words.bitrate, value: known(rates?.megabitsPerSecond, words.megabits) },
    { key: "quantiser", label: words.quantiser, value: known(rates?.quantiser, (value) => value.toFixed(0)) },
    { key: "size", label: words.size, value: known(stats?.width, (side) => words.frameSize(side, stats?.height ?? 0)) },
    { key: "waiting", label: words.waiting, value: known(acquisition && framesWaiting(acquisition), count) },
    { key: "lag", label: words.lag, value: known(acquisition?.lag_s, words.seconds) },
    { key: "round-trip", label: words.roundTrip, value: known(stats?.roundTripS, (s) => words.milliseconds(1000 * s)) },
    { key: "packet-loss", label: words.packetLoss, value: known(rates?.loss, words.percent) },
    { key: "battery", label: words.battery, value: known(battery, words.percent) },
  ];
}

function warning(key: string, label: string, value: number | undefined): Figure {
  return { key, label, value: value === undefined ? null : count(value), warns: (value ?? 0) > 0 };
}

function showFigures(list: HTMLElement, figures: readonly Figure[], unknown: string): void {
  for (const { key, label, value, warns } of figures) {
    let entry = list.querySelector<HTMLElement>(`[data-figure="${key}"]`);
    if (entry === null) {
      entry = element("dd", { "data-figure": key });
      list.append(element("div", { class: `run-figure run-${key}` }, element("dt", {}, label), entry));
    }
    say(entry, value ?? unknown);
    entry.classList.toggle("unknown", value === null);
    entry.classList.toggle("warns", warns === true);
  }
}

function showList(list: HTMLElement, lines: readonly string[]): void {
  if ([...list.children].map((child) => child.textContent).join("\n") === lines.join("\n")) return;
  list.replaceChildren(...lines.map((line) => element("li", {}, line)));
}

function clockOf(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** Only Chromium tells. */
async function followBattery(on: (share: number) => void, signal: AbortSignal): Promise<void> {
  if (!("getBattery" in navigator)) return;
  const battery = await (navigator.getBattery as () => Promise<EventTarget & { level: number }>)();
  const tell = () => on(battery.level);
  battery.addEventListener("levelchange", tell, { signal });
  tell();
}
