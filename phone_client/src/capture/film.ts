/** The place where one films: frame it, hold it still, press one button, and watch the image grow. */
import { confirmed } from "../app/dialog";
import { element, say } from "../app/dom";
import { PageError, messageOf } from "../app/errors";
import { notice } from "../app/notice";
import type { Page } from "../app/page";
import { type Place, fragmentOf } from "../app/places";
import { bar } from "../app/shell";
import { stateWord } from "../app/states";
import { texts } from "../app/texts";
import { askBeforeUnload } from "../app/unload";
import type { Acquisition, NewAcquisition } from "../generated/models";
import { sleep } from "../app/backoff";
import { keepScreenOn } from "./awake";
import "./capture.css";
import { type Capture, Filming } from "./filming";
import { type Leaving, askBeforeLeaving } from "./leaving";
import { Reach, waysTo } from "./link";
import { driftsOf } from "./locks_view";
import { type ResultView, resultView } from "./result_view";
import { type RunView, runView } from "./run_view";
import { type Tabs, tabs } from "./tabs";
import { browserParts, h264Of, publish } from "./whip";
import { Workbench } from "./workbench";

const words = texts.capture;
const EXPOSURE_EVERY_MS = 5000;
const REPORT_EVERY_MS = 10_000;
const REQUEST_MS = 4000;
const FINISH_MS = 10_000;

export function show(root: HTMLElement, page: Page, place: Place, signal: AbortSignal): void {
  if (place.page === "film") new FilmPlace(root, page, place.id, signal).begin();
}

/** Joins the parts: none of them knows another. */
class FilmPlace {
  readonly #bench: Workbench;
  readonly #filming: Filming;
  readonly #run: RunView;
  readonly #leaving: Leaving;
  readonly #tabs: Tabs = tabs();
  /** Of all but the camera. */
  readonly #problem = notice();
  /** Why this browser cannot film live: told before an acquisition is made that it could send nothing to. */
  readonly #unable = notice();
  readonly #canSend = this.#checkSending();
  readonly #main = element("main", { class: "capture" });
  readonly #title = element("h1", {}, texts.film);
  readonly #state = element("span", { class: "state", role: "status" });
  readonly #press = element("button", { type: "button", class: "primary film" }, words.film);
  readonly #result = element("div", { class: "result-slot" });
  #shown: ResultView | null = null;
  #acquisition: Acquisition | null = null;
  /** Of the acquisition that the first press makes. */
  #wanted: NewAcquisition | null = null;
  #awake: AbortController | null = null;
  #exposureWarning: string | null = null;
  #running: Promise<void> = Promise.resolve();

  constructor(
    private readonly root: HTMLElement,
    private readonly page: Page,
    private id: string | null,
    private readonly signal: AbortSignal,
  ) {
    const models = () => page.api.models();
    const on = {
      desk: () => this.#deskChanged(),
      recording: (isRecording: boolean) => this.#showRecording(isRecording),
    };
    this.#bench = new Workbench(models, on, signal);
    this.#filming = this.#newFilming();
    this.#run = runView(
      () => this.#filming,
      () => this.#bench.desk.cropping,
      signal,
    );
    this.#leaving = askBeforeLeaving(root, { isBusy: () => this.#isFilming, end: () => this.#endFilm() }, signal);
  }

  begin(): void {
    const { signal } = this;
    this.#press.addEventListener("click", () => this.#pressed());
    this.#tabs.put("camera", this.#bench.finder.root);
    const folds = element("div", { class: "folds" }, this.#bench.locks.root, this.#bench.camera.root);
    if (this.id === null) folds.append(this.#bench.form.root);
    const side = element(
      "div",
      { class: "capture-side" },
      this.#run.root,
      this.#bench.gauges.root,
      this.#result,
      this.#bench.record.root,
      folds,
    );
    const foot = element("div", { class: "film-bar" }, this.#run.status, this.#press);
    const notices = element(
      "div",
      { class: "notices" },
      this.#unable.root,
      this.#bench.trouble.root,
      this.#problem.root,
    );
    this.#main.append(this.#tabs.root, notices, side, foot);
    this.root.replaceChildren(bar({ page: "start" }, this.#title, this.#state), this.#main);
    signal.addEventListener("abort", () => this.#filming.leave(), { once: true });
    this.#every(EXPOSURE_EVERY_MS, () => this.#askExposure());
    this.#every(REPORT_EVERY_MS, async () => {
      if (this.#filming.capture.state === "filming") await this.#tellCamera();
    });
    this.#showCapture(this.#filming.capture);
    void this.#bench.desk.open();
    if (this.id !== null) this.#followResult(this.id);
  }

  #checkSending(): boolean {
    try {
      h264Of();
      return true;
    } catch (error) {
      this.#unable.show(error);
      return false;
    }
  }

  #newFilming(): Filming {
    const { api } = this.page;
    const reach = new Reach(waysTo(api.origin, () => api.liveUrl(this.id!)));
    const parts = browserParts(reach);
    return new Filming(
      {
        create: () => this.#create(),
        publish: async (gap, signal) => {
          const stream = this.#bench.desk.cropping?.stream;
          if (stream === undefined || this.id === null) throw new Error("filming began without camera or acquisition");
          return await publish({ url: api.whipUrl(this.id), stream, gap }, signal, parts);
        },
        isReachable: (signal) => reach.isReachable(signal),
        finish: async () => {
          await this.#tellCamera().catch((error: unknown) => this.#forgive(error)); // it has been told while filming
          await this.#finish(this.id!);
        },
        framesSoFar: () => this.#bench.desk.cropping?.counts.passed ?? 0,
        nowMs: () => performance.now(),
        sleep: sleepUntilOnline,
      },
      (capture) => this.#showCapture(capture),
    );
  }

  /** A server that does not answer ends the film by itself: nobody need wait for it. */
  async #finish(id: string): Promise<void> {
    const soon = AbortSignal.timeout(FINISH_MS);
    try {
      await this.page.api.finish(id, soon);
    } catch (error) {
      if (!soon.aborted) throw error;
      throw new PageError("unreachable", words.endUnheard, { cause: error });
    }
  }

  #pressed(): void {
    const { state } = this.#filming.capture;
    if (state === "idle" || state === "failed") void this.#start();
    else this.#filming.stop();
  }

  async #start(): Promise<void> {
    // One that is over, or was deleted, takes no more frames: the next film is another.
    if (this.#isGone(this.#filming.capture)) {
      this.page.go({ page: "film", id: null });
      return;
    }
    if (this.id === null) this.#wanted = this.#bench.form.wanted();
    if (this.id === null && this.#wanted === null) return;
    this.#bench.desk.cropping?.pace(null);
    this.#running = this.#filming.start();
    await this.#running;
  }

  #isGone(capture: Capture): boolean {
    const isDeleted = capture.state === "failed" && capture.reason === "not_found";
    return isDeleted || (this.#acquisition !== null && !isOpen(this.#acquisition));
  }

  get #isFilming(): boolean {
    const { state } = this.#filming.capture;
    return state === "filming" || state === "away";
  }

  /** Whether it was meant, and has ended well. */
  async #endFilm(): Promise<boolean> {
    if (!(await confirmed(words.leaveHeading, words.leaveQuestion, words.leave))) return false;
    this.#filming.stop();
    await this.#running;
    return this.#filming.capture.state === "idle";
  }

  async #create(): Promise<void> {
    if (this.id === null && this.#wanted !== null) {
      const { id } = await this.page.api.create(this.#wanted);
      this.page.session.created(id);
      this.id = id;
      // The place stays as it is, camera and all; but a reload comes back to this acquisition.
      history.replaceState(null, "", fragmentOf({ page: "film", id }));
      this.#followResult(id);
    }
    // Whoever films need not wait for it: it is told again while filming, and in the end.
    void this.#tellCamera().catch((error: unknown) => this.#forgive(error));
  }

  #followResult(id: string): void {
    const on = {
      acquisition: (acquisition: Acquisition) => this.#showAcquisition(acquisition),
      problem: (problem: string) => this.#problem.show(problem),
    };
    this.#shown = resultView(id, this.page.api, on, this.signal);
    this.#tabs.put("image", this.#shown.image);
    this.#tabs.put("widefield", this.#shown.widefield);
    this.#result.replaceChildren(this.#shown.actions);
  }

  #deskChanged(): void {
    this.#allow();
    this.#warn();
  }

  /** Into this device: the server is not asked for anything meanwhile. */
  #showRecording(isRecording: boolean): void {
    this.#main.toggleAttribute("data-recording", isRecording);
    this.#allow();
  }

  /** One thing at a time: what films keeps the square where it is, and its button alone can be pressed. */
  #allow(): void {
    const { state } = this.#filming.capture;
    const isOver = state === "idle" || state === "failed";
    const isFree = isOver && !this.#bench.record.isRecording;
    const isReady = isFree && this.#canSend && this.#bench.desk.state.state === "open";
    this.#bench.fix(!isFree);
    this.#press.disabled = state === "stopping" || (isOver && !isReady);
  }

  #showCapture(capture: Capture): void {
    const isOver = capture.state === "idle" || capture.state === "failed";
    this.#main.dataset["capture"] = capture.state;
    this.#run.show(capture);
    this.#allow();
    this.#press.classList.toggle("stop", !isOver);
    say(this.#press, this.#pressText(capture));
    if (isOver) {
      this.#awake?.abort();
      this.#awake = null;
    } else if (this.#awake === null) {
      this.#awake = new AbortController();
      keepScreenOn(AbortSignal.any([this.#awake.signal, this.signal]));
      askBeforeUnload(this.#awake.signal);
    }
    if (capture.state !== "filming") return;
    this.#leaving.hold();
    if (capture.gap === null) {
      this.#tabs.open("image");
      scrollTo(0, 0); // begun from a fold that was open
    } else this.#shown?.connectAnew();
  }

  #pressText(capture: Capture): string {
    if (capture.state !== "idle" && capture.state !== "failed") return words.stop;
    if (this.#isGone(capture)) return words.newFilm;
    const isBegun = capture.state === "failed" || (this.#acquisition?.frames_received ?? 0) > 0;
    return isBegun ? words.filmAgain : words.film;
  }

  #showAcquisition(acquisition: Acquisition): void {
    this.#acquisition = acquisition;
    this.#problem.show(acquisition.error ?? acquisition.notice);
    say(this.#title, acquisition.settings.name);
    document.title = `${acquisition.settings.name} · ${texts.appName}`;
    say(this.#state, stateWord(acquisition));
    this.#state.dataset["state"] = acquisition.state;
    say(this.#press, this.#pressText(this.#filming.capture));
    this.#run.follow(acquisition);
    this.#main.toggleAttribute("data-over", !isOpen(acquisition));
  }

  #warn(): void {
    const { state } = this.#bench.desk;
    const drifts = state.state === "open" ? driftsOf(state.locks) : [];
    const isConverted = this.#bench.desk.cropping?.fidelity === "converted";
    this.#run.warn([
      ...drifts,
      ...(this.#exposureWarning === null ? [] : [this.#exposureWarning]),
      ...(isConverted ? [words.converted] : []),
    ]);
  }

  /** Where the phone cannot lock its exposure, the server sees in the localizations whether it drifts. */
  async #askExposure(): Promise<void> {
    if (this.id === null || this.#filming.capture.state !== "filming") return;
    const { has_drifted: hasDrifted, ratio } = await this.page.api.exposure(this.id, this.#soon());
    this.#exposureWarning = hasDrifted && ratio !== null ? words.exposureDrift(ratio) : null;
    this.#warn();
  }

  async #tellCamera(): Promise<void> {
    const { capture, totals } = this.#filming;
    if (this.id === null || capture.state === "idle" || capture.state === "failed") return;
    const sent = capture.state === "filming" ? ((await capture.session.stats())?.framesSent ?? 0) : 0;
    const report = this.#bench.desk.report(totals.framesSent + sent, totals.framesMissed, totals.losses);
    if (report !== null) await this.page.api.tellCamera(this.id, report, this.#soon());
  }

  /** Requests that hang on a lost link would take up the connections that its return needs: browsers have six. */
  #soon(): AbortSignal {
    return AbortSignal.any([this.signal, AbortSignal.timeout(REQUEST_MS)]);
  }

  /** Until the place is left; what fails is tried again at the next turn. */
  #every(ms: number, work: () => Promise<void>): void {
    const timer = setInterval(() => void work().catch((error: unknown) => this.#forgive(error)), ms);
    this.signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  }

  /** What can wait does not disturb who films. */
  #forgive(error: unknown): void {
    if (!this.signal.aborted) console.debug(messageOf(error));
  }
}

/** Whether it takes frames. */
function isOpen({ state }: Acquisition): boolean {
  return state === "waiting" || state === "receiving";
}

/** As long as it takes, or until the browser says that there is a network again. */
async function sleepUntilOnline(ms: number, signal: AbortSignal): Promise<void> {
  const woken = new AbortController();
  globalThis.addEventListener("online", () => woken.abort(), { signal: AbortSignal.any([signal, woken.signal]) });
  await sleep(ms, AbortSignal.any([signal, woken.signal])).catch((error: unknown) => {
    if (!woken.signal.aborted) throw error;
  });
  woken.abort();
}
