/** The place where one films into this device: no network, no server, and nobody need have joined. */
import { element } from "../app/dom";
import { type Notice, notice } from "../app/notice";
import type { Page } from "../app/page";
import type { Place } from "../app/places";
import { bar, themeSwitch } from "../app/shell";
import { texts } from "../app/texts";
import { RecordControl } from "../offline/record_control";
import "./capture.css";
import { Desk, type DeskState } from "./desk";
import { type Finder, finder } from "./finder";
import { type Gauges, gauges } from "./gauges";
import { type LocksView, locksView } from "./locks_view";
import { CaptureMemory } from "./memory";
import { type AcquisitionForm, type CameraView, acquisitionForm, cameraView } from "./setup_view";

export function show(root: HTMLElement, _page: Page, _place: Place, signal: AbortSignal): void {
  new RecordPlace(root, signal).begin();
}

/** Joins the parts: none of them knows another. */
class RecordPlace {
  readonly #desk: Desk;
  readonly #finder: Finder;
  readonly #gauges: Gauges = gauges();
  readonly #camera: CameraView;
  readonly #locks: LocksView;
  readonly #form: AcquisitionForm;
  readonly #record: RecordControl;
  readonly #trouble: Notice;

  constructor(
    private readonly root: HTMLElement,
    signal: AbortSignal,
  ) {
    const memory = new CaptureMemory(localStorage);
    this.#desk = new Desk(
      memory,
      {
        inset: (inset) => this.#gauges.inset(inset),
        measured: (measurement) => this.#gauges.measured(measurement),
      },
      (state) => this.#showDesk(state),
      signal,
    );
    this.#finder = finder({
      placed: (square) => this.#desk.place(square),
      looked: (x, y) => this.#desk.cropping?.look(x, y),
    });
    this.#camera = cameraView(() => this.#desk);
    this.#locks = locksView(() => this.#desk);
    this.#form = acquisitionForm(null, memory);
    this.#trouble = notice(() => this.#desk.open());
    this.#record = new RecordControl(
      {
        stream: () => this.#desk.cropping?.stream ?? null,
        about: () => this.#form.about(),
        camera: () => this.#desk.report(this.#desk.cropping?.counts.passed ?? 0, 0, 0),
        onChange: (isRecording) => this.#showRecording(isRecording),
      },
      signal,
    );
  }

  begin(): void {
    const folds = element("div", { class: "folds" }, this.#locks.root, this.#camera.root, this.#form.root);
    const advice = element("p", { class: "muted small" }, texts.kept.advice);
    const side = element("div", { class: "capture-side" }, this.#gauges.root, folds, advice);
    const view = element("div", { class: "view" }, this.#finder.root);
    const stage = element("section", { class: "stage-of-views" }, element("div", { class: "views" }, view));
    const foot = element("div", { class: "film-bar" }, this.#record.root);
    const main = element("main", { class: "capture", "data-capture": "idle" }, stage);
    main.append(element("div", { class: "notices" }, this.#trouble.root), side, foot);
    const title = element("h1", {}, texts.kept.record);
    this.root.replaceChildren(bar({ page: "recordings" }, title, themeSwitch()), main);
    void this.#desk.open();
  }

  #showDesk(state: DeskState): void {
    this.#camera.show(state);
    this.#locks.show(state);
    this.#record.isReady = state.state === "open";
    if (state.state === "open") this.#finder.show(state.camera.stream, state.frame, state.square);
    const taken = texts.capture.taken;
    this.#trouble.show(state.state === "failed" ? state.detail : state.state === "taken" ? taken : null);
  }

  /** Meanwhile the square stays where it is. */
  #showRecording(isRecording: boolean): void {
    if (isRecording) this.#desk.cropping?.pace(null);
    this.#finder.fix(isRecording);
    for (const fold of [this.#camera.root, this.#form.root]) fold.inert = isRecording;
  }
}
