/**
 * A desk and what stands around it, wherever one films or records: finder, gauges, locks, square, the acquisition's form,
 * and the button that records into this device. Joins these parts: none of them knows another.
 */
import { type Notice, notice } from "../app/notice";
import { texts } from "../app/texts";
import type { Model } from "../generated/models";
import { RecordControl } from "../offline/record_control";
import { Desk, type DeskState } from "./desk";
import { type Finder, finder } from "./finder";
import { type Gauges, gauges } from "./gauges";
import { type LocksView, locksView } from "./locks_view";
import { CaptureMemory } from "./memory";
import { type AcquisitionForm, type CameraView, acquisitionForm, cameraView } from "./setup_view";

export interface WorkbenchEvents {
  /** The camera was opened, is held otherwise, or is gone; all that stands around it shows it already. */
  desk(state: DeskState): void;
  /** A recording into this device has begun or ended. */
  recording(isRecording: boolean): void;
}

export class Workbench {
  readonly desk: Desk;
  readonly finder: Finder;
  readonly gauges: Gauges = gauges();
  readonly camera: CameraView;
  readonly locks: LocksView;
  readonly form: AcquisitionForm;
  readonly record: RecordControl;
  /** Of the camera. */
  readonly trouble: Notice;

  /** `models`: those to choose from; null where there is no server to ask. */
  constructor(
    models: (() => Promise<Model[]>) | null,
    private readonly on: WorkbenchEvents,
    signal: AbortSignal,
  ) {
    const memory = new CaptureMemory(localStorage);
    this.desk = new Desk(
      memory,
      {
        inset: (inset) => this.gauges.inset(inset),
        measured: (measurement) => this.gauges.measured(measurement),
      },
      (state) => this.#show(state),
      signal,
    );
    this.finder = finder({
      placed: (square) => this.desk.place(square),
      looked: (x, y) => this.desk.cropping?.look(x, y),
    });
    this.camera = cameraView(() => this.desk);
    this.locks = locksView(() => this.desk);
    this.form = acquisitionForm(models, memory);
    this.record = new RecordControl(
      {
        stream: () => this.desk.cropping?.stream ?? null,
        about: () => this.form.about(),
        camera: () => this.desk.report(this.desk.cropping?.counts.passed ?? 0, 0, 0),
        onChange: (isRecording) => this.#showRecording(isRecording),
      },
      signal,
    );
    this.trouble = notice(() => this.desk.open());
  }

  /** Whether the square and what the acquisition is to be called stay as they are, as while something films. */
  fix(isFixed: boolean): void {
    this.finder.fix(isFixed);
    for (const fold of [this.camera.root, this.form.root]) fold.inert = isFixed;
  }

  #show(state: DeskState): void {
    this.camera.show(state);
    this.locks.show(state);
    if (state.state === "open") this.finder.show(state.camera.stream, state.frame, state.square);
    const taken = texts.capture.taken;
    this.trouble.show(state.state === "failed" ? state.detail : state.state === "taken" ? taken : null);
    this.record.isReady = state.state === "open";
    this.on.desk(state);
  }

  #showRecording(isRecording: boolean): void {
    if (isRecording) this.desk.cropping?.pace(null);
    this.on.recording(isRecording);
  }
}
