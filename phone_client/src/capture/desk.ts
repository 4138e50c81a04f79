/**
 * The camera as it stands on the desk: opened, cropped, held still, and opened again when something took it away. The
 * cropped stream stays the same through all of that, so that a session need not know.
 */
import { type FailureReason, PageError, messageOf } from "../app/errors";
import type { CameraReport, LockReport } from "../generated/models";
import { type Camera, openCamera } from "./camera";
import { Cropping, type CroppingEvents } from "./cropping";
import {
  CameraLocks,
  LOCK_ITEMS,
  type Lock,
  type LockItem,
  type Locks,
  PRESETS,
  type PresetName,
  dstormPreset,
} from "./locks";
import type { CaptureMemory } from "./memory";
import { DEFAULT_SIDE, type Size, type Square, centred, fitted } from "./square";

export type DeskState =
  | { state: "opening" }
  | { state: "open"; camera: Camera; frame: Size; square: Square; locks: Locks; preset: PresetName | null }
  /** By a call, or another app; it is opened again as soon as the page is looked at. */
  | { state: "taken" }
  | { state: "failed"; reason: FailureReason; detail: string };

const READ_EVERY_MS = 1000;
const MINE = ["exposure_time", "iso", "zoom", "focus"] as const satisfies readonly LockItem[];
/** What a person may choose by hand. */
export type ChosenItem = (typeof MINE)[number];
export const CHOSEN_ITEMS: readonly ChosenItem[] = MINE;

export class Desk {
  #state: DeskState = { state: "opening" };
  #cropping: Cropping | null = null;
  #locks: CameraLocks | null = null;
  #attempt = 0;

  constructor(
    private readonly memory: CaptureMemory,
    private readonly events: Omit<CroppingEvents, "failed">,
    private readonly onChange: (state: DeskState) => void,
    private readonly signal: AbortSignal,
  ) {
    document.addEventListener("visibilitychange", () => void this.#comeBack(), { signal });
    const timer = setInterval(() => this.#read(), READ_EVERY_MS);
    signal.addEventListener("abort", () => {
      clearInterval(timer);
      this.#close();
      this.#cropping?.close();
    });
  }

  get state(): DeskState {
    return this.#state;
  }

  /** Null before the first camera was opened. */
  get cropping(): Cropping | null {
    return this.#cropping;
  }

  /** Null where there is nothing to be held. */
  get locks(): CameraLocks | null {
    return this.#locks;
  }

  async open(deviceId: string | null = this.memory.deviceId): Promise<void> {
    const attempt = (this.#attempt += 1);
    this.#close();
    this.#become({ state: "opening" });
    try {
      const camera = await openCamera(deviceId);
      if (this.signal.aborted || attempt !== this.#attempt) {
        camera.close(); // the place was left, or another camera chosen meanwhile
        return;
      }
      await this.#set(camera);
    } catch (error) {
      if (attempt !== this.#attempt) return;
      const reason = error instanceof PageError ? error.reason : "no_camera";
      this.#become({ state: "failed", reason, detail: messageOf(error) });
    }
  }

  place(square: Square): void {
    if (this.#state.state !== "open") return;
    const fitting = fitted(this.#state.frame, square);
    this.#cropping?.crop(fitting);
    this.memory.setCamera(this.#state.camera.choice.label, { square: fitting });
    this.#become({ ...this.#state, square: fitting });
  }

  /** All values of a preset; what was chosen by hand is forgotten. */
  async preset(name: PresetName): Promise<void> {
    if (this.#state.state !== "open") return;
    this.memory.setCamera(this.#state.camera.choice.label, { preset: name, chosen: {} });
    await this.#hold(name);
  }

  async choose(item: ChosenItem, value: number): Promise<void> {
    if (this.#state.state !== "open") return;
    const { label } = this.#state.camera.choice;
    this.memory.setCamera(label, { chosen: { ...this.memory.camera(label).chosen, [item]: value } });
    await this.#hold(this.#state.preset);
  }

  /** For the acquisition's record; null while there is no camera. */
  report(sent: number, missed: number, linkLosses: number): CameraReport | null {
    if (this.#state.state !== "open" || this.#cropping === null) return null;
    const { camera, frame, square, locks, preset } = this.#state;
    const { seen, skipped, repeated, leftOut } = this.#cropping.counts;
    return {
      device: navigator.userAgent.slice(0, 400),
      camera: camera.choice.label.slice(0, 200),
      width: frame.width,
      height: frame.height,
      crop_x: square.x,
      crop_y: square.y,
      crop_side: square.side,
      luma: this.#cropping.fidelity,
      frame_rate: this.#cropping.cameraFps,
      preset,
      locks: Object.fromEntries(LOCK_ITEMS.map((item) => [item, lockReport(locks[item])])),
      frames: { seen, skipped, repeated, left_out: leftOut, sent, missed },
      link_losses: linkLosses,
    };
  }

  async #set(camera: Camera): Promise<void> {
    const frame = sizeOf(camera);
    const remembered = this.memory.camera(camera.choice.label);
    const square = remembered.square === null ? centred(frame, DEFAULT_SIDE) : fitted(frame, remembered.square);
    if (camera.choice.deviceId !== "") this.memory.deviceId = camera.choice.deviceId;
    this.#cropping ??= await Cropping.begin({ ...this.events, failed: (detail) => this.#fail(detail) });
    if (this.signal.aborted) {
      this.#cropping.close();
      camera.close();
      return;
    }
    this.#cropping.crop(square);
    this.#cropping.feed(camera.track);
    this.#locks = new CameraLocks(camera.track);
    void camera.taken.then(() => this.#lose(camera));
    this.#become({ state: "open", camera, frame, square, locks: this.#locks.read(), preset: remembered.preset });
    await this.#hold(remembered.preset);
  }

  async #hold(preset: PresetName | null): Promise<void> {
    if (this.#state.state !== "open" || this.#locks === null) return;
    const { camera } = this.#state;
    const values = PRESETS.find(({ name }) => name === preset);
    const wanted = values === undefined ? {} : dstormPreset(this.#locks, values.exposureMs, values.iso);
    const locks = await this.#locks.hold({ ...wanted, ...this.memory.camera(camera.choice.label).chosen });
    if (this.#state.state === "open" && this.#state.camera === camera) this.#become({ ...this.#state, locks, preset });
  }

  /** What the camera is set to, once a second: drift is told, and a turned picture is cropped anew. */
  #read(): void {
    if (this.#state.state !== "open" || this.#locks === null) return;
    const frame = sizeOf(this.#state.camera);
    const hasTurned = frame.width !== this.#state.frame.width || frame.height !== this.#state.frame.height;
    const square = hasTurned ? fitted(frame, this.#state.square) : this.#state.square;
    if (hasTurned) this.#cropping?.crop(square);
    this.#become({ ...this.#state, frame, square, locks: this.#locks.read() });
  }

  /** Its frames cannot be cropped; opening it again begins anew. */
  #fail(detail: string): void {
    this.#close();
    this.#become({ state: "failed", reason: "no_codec", detail });
  }

  #lose(camera: Camera): void {
    if (this.#state.state !== "open" || this.#state.camera !== camera) return;
    this.#become({ state: "taken" });
    void this.#comeBack();
  }

  async #comeBack(): Promise<void> {
    if (document.hidden || this.signal.aborted || this.#state.state !== "taken") return;
    await this.open();
  }

  #close(): void {
    if (this.#state.state === "open") this.#state.camera.close();
    this.#locks = null;
  }

  #become(state: DeskState): void {
    if (this.signal.aborted) return;
    this.#state = state;
    this.onChange(state);
  }
}

function lockReport(lock: Lock): LockReport {
  const wanted = lock.state === "drifting" ? lock.wanted : lock.state === "locked" ? lock.value : null;
  return { state: lock.state, value: lock.value, wanted };
}

function sizeOf({ track }: Camera): Size {
  const { width, height } = track.getSettings();
  return { width: width ?? DEFAULT_SIDE, height: height ?? DEFAULT_SIDE };
}
