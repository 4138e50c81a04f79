/**
 * Everything about a camera that must not change while it films: what can be held, what holds, what drifts.
 *
 * Constraints are asked for one at a time, and what the camera is set to is read back: browsers accept what they then
 * do not do. Chromium looks only at the first of the advanced sets, so that all accepted values travel in that one.
 */
export const LOCK_ITEMS = ["exposure_time", "iso", "focus", "white_balance", "zoom", "torch", "frame_rate"] as const;
export type LockItem = (typeof LOCK_ITEMS)[number];

/** One item as it is; there is no value without a state, and no drift without a value that was asked for. */
export type Lock =
  | { state: "locked"; value: number }
  | { state: "drifting"; value: number; wanted: number }
  | { state: "not_available"; value: number | null };

export type Locks = Readonly<Record<LockItem, Lock>>;

/** What a slider may choose from, in the browser's units. */
export interface Range {
  readonly min: number;
  readonly max: number;
  readonly step: number;
}

export type Wanted = Readonly<Partial<Record<LockItem, number>>>;

/** Of MediaStreamTrack, the part that this needs. */
export interface Lockable {
  getCapabilities?: () => object;
  getSettings: () => object;
  applyConstraints: (constraints: MediaTrackConstraints) => Promise<void>;
}

interface Item {
  /** The setting's name in mediacapture-image, and in mediacapture-streams for the frame rate. */
  readonly name: string;
  /** What must be switched from automatic first. */
  readonly mode: string | null;
  /** Relative difference to what was asked for that is rounding, not drift. */
  readonly tolerance: number;
}

const ITEMS: Readonly<Record<LockItem, Item>> = {
  exposure_time: { name: "exposureTime", mode: "exposureMode", tolerance: 0.02 },
  iso: { name: "iso", mode: null, tolerance: 0.03 },
  focus: { name: "focusDistance", mode: "focusMode", tolerance: 0.02 },
  white_balance: { name: "colorTemperature", mode: "whiteBalanceMode", tolerance: 0.03 },
  zoom: { name: "zoom", mode: null, tolerance: 0.001 },
  torch: { name: "torch", mode: null, tolerance: 0 },
  frame_rate: { name: "frameRate", mode: null, tolerance: 0.05 },
};

type Values = Record<string, unknown>;

export class CameraLocks {
  #advanced: Values = {};
  #frameRate: number | null = null;
  readonly #held = new Map<LockItem, number>();

  constructor(
    private readonly track: Lockable,
    /** What the camera was opened with; every applying replaces all that was asked before. */
    private readonly basic: MediaTrackConstraints = {},
  ) {}

  /** Null where this camera, or this browser, lets nobody choose. */
  range(item: LockItem): Range | null {
    const capability = this.#capabilities()[ITEMS[item].name];
    if (!isRange(capability)) return null;
    const step = capability.step !== undefined && capability.step > 0 ? capability.step : 1;
    return capability.max > capability.min ? { min: capability.min, max: capability.max, step } : null;
  }

  /** What the camera is set to now; null where it does not tell. */
  value(item: LockItem): number | null {
    return numberOf(this.#settings()[ITEMS[item].name]);
  }

  /** Holds each item at its value, one after the other; what is refused leaves the others as they are. */
  async hold(wanted: Wanted): Promise<Locks> {
    for (const item of LOCK_ITEMS) {
      const value = wanted[item];
      if (value !== undefined) await this.#holdOne(item, value);
    }
    return this.read();
  }

  /** As it is now, read from the camera. */
  read(): Locks {
    return Object.fromEntries(LOCK_ITEMS.map((item) => [item, this.#lockOf(item)])) as Locks;
  }

  async #holdOne(item: LockItem, wanted: number): Promise<void> {
    const { name, mode } = ITEMS[item];
    this.#held.delete(item);
    const capability = this.#capabilities()[name];
    if (item === "frame_rate") {
      const rate = isRange(capability) ? Math.min(wanted, capability.max) : wanted;
      if (await this.#apply(this.#advanced, rate)) this.#held.set(item, rate);
      return;
    }
    if (item === "torch" ? capability !== true : !isRange(capability)) return;
    if (mode !== null && !(await this.#makeManual(mode))) return;
    const value = item === "torch" ? wanted !== 0 : nearest(wanted, capability as Range);
    if (await this.#apply({ ...this.#advanced, [name]: value }, this.#frameRate)) this.#held.set(item, Number(value));
  }

  async #makeManual(mode: string): Promise<boolean> {
    const modes = this.#capabilities()[mode];
    if (!Array.isArray(modes) || !modes.includes("manual")) return false;
    return await this.#apply({ ...this.#advanced, [mode]: "manual" }, this.#frameRate);
  }

  /** Whether it was accepted; else what was accepted before is asked for again. */
  async #apply(advanced: Values, frameRate: number | null): Promise<boolean> {
    try {
      await this.track.applyConstraints(this.#constraints(advanced, frameRate));
      this.#advanced = advanced;
      this.#frameRate = frameRate;
      return true;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      await this.track.applyConstraints(this.#constraints(this.#advanced, this.#frameRate)).catch((again: unknown) => {
        if (!isRefusal(again)) throw again;
      });
      return false;
    }
  }

  #constraints(advanced: Values, frameRate: number | null): MediaTrackConstraints {
    return {
      ...this.basic,
      ...(frameRate !== null && { frameRate: { ideal: frameRate, max: frameRate } }),
      ...(Object.keys(advanced).length > 0 && { advanced: [advanced as MediaTrackConstraintSet] }),
    };
  }

  #lockOf(item: LockItem): Lock {
    const { mode, tolerance } = ITEMS[item];
    const value = this.value(item);
    const wanted = this.#held.get(item);
    if (value === null || wanted === undefined) return { state: "not_available", value };
    const isManual = mode === null || (this.#settings()[mode] ?? "manual") === "manual";
    const isNear = Math.abs(value - wanted) <= tolerance * Math.max(Math.abs(wanted), Math.abs(value));
    return isManual && isNear ? { state: "locked", value } : { state: "drifting", value, wanted };
  }

  #capabilities(): Values {
    return (this.track.getCapabilities?.() ?? {}) as Values;
  }

  #settings(): Values {
    return this.track.getSettings() as Values;
  }
}

/**
 * For dSTORM: exposure as long as a blink lasts, moderate gain, focus at infinity (the eyepiece delivers parallel light),
 * no zoom (it would rescale), no torch. White balance is held wherever it stands: only luma is used.
 */
export function dstormPreset(locks: CameraLocks, exposureMs: number, iso: number): Wanted {
  const focus = locks.range("focus");
  const whiteBalance = locks.value("white_balance") ?? 5000;
  return {
    exposure_time: exposureMs * EXPOSURE_UNITS_PER_MS,
    iso,
    ...(focus !== null && { focus: focus.max }),
    white_balance: whiteBalance,
    zoom: Math.max(1, locks.range("zoom")?.min ?? 1),
    torch: 0,
    frame_rate: Math.min(30, Math.floor(1000 / exposureMs)),
  };
}

/** Browsers count exposure in units of 100 microseconds (mediacapture-image, 5.1). */
export const EXPOSURE_UNITS_PER_MS = 10;

export const PRESETS = [
  { name: "dstorm", exposureMs: 33, iso: 800 },
  { name: "dim", exposureMs: 50, iso: 1600 },
  { name: "bright", exposureMs: 20, iso: 200 },
] as const;
export type PresetName = (typeof PRESETS)[number]["name"];

function nearest(wanted: number, { min, max, step }: Range): number {
  const clamped = Math.max(min, Math.min(max, wanted));
  return step > 0 ? Math.min(max, min + step * Math.round((clamped - min) / step)) : clamped;
}

function isRange(value: unknown): value is { min: number; max: number; step?: number } {
  return (
    typeof value === "object" && value !== null && "min" in value && "max" in value && typeof value.max === "number"
  );
}

function numberOf(value: unknown): number | null {
  if (typeof value === "boolean") return Number(value);
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function isRefusal(error: unknown): boolean {
  return error instanceof DOMException || (error instanceof Error && error.name === "OverconstrainedError");
}
