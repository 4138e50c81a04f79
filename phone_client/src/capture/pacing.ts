/**
 * Which camera frames go to the encoder, and what becomes of the others: none disappears without being counted. Judged
 * by the frames' own timestamps, never by the clock of whoever handles them.
 */
export interface FrameCounts {
  /** That the camera delivered, repeated ones included. */
  readonly seen: number;
  /** Handed to the encoder. */
  readonly passed: number;
  /** That the camera owed by its own pace and did not deliver. */
  readonly skipped: number;
  /** The same frame again; left out. */
  readonly repeated: number;
  /** Left out to keep the chosen frame rate. */
  readonly leftOut: number;
}

export const NO_FRAMES: FrameCounts = { seen: 0, passed: 0, skipped: 0, repeated: 0, leftOut: 0 };

const REMEMBERED = 31;
/** So many long steps one after another are the camera's new pace, as in the dark, where phones expose for longer. */
const NEW_PACE = 8;
/** A step this much longer than usual is a frame that is missing, not jitter: browsers' timestamps vary by a third. */
const LONG = 1.6;

export class Pacer {
  #counts: FrameCounts = NO_FRAMES;
  #lastUs: number | null = null;
  #dueUs: number | null = null;
  #stepsUs: number[] = [];
  #longUs: number[] = []; // the newest steps, as long as all were

  /** `fps`: as many frames a second at most; null passes all. */
  constructor(readonly fps: number | null = null) {}

  get counts(): FrameCounts {
    return this.#counts;
  }

  /** Frames a second as the camera delivers them; null until it is known. */
  get cameraFps(): number | null {
    return this.#stepsUs.length < 3 ? null : 1e6 / mean(this.#stepsUs);
  }

  /** Whether the frame of this timestamp is to be encoded. */
  take(timestampUs: number): boolean {
    this.#counts = { ...this.#counts, seen: this.#counts.seen + 1 };
    if (timestampUs === this.#lastUs) {
      this.#counts = { ...this.#counts, repeated: this.#counts.repeated + 1 };
      return false;
    }
    // Firefox counts a camera's time from zero each time it is opened: what goes back is no repeat, it begins anew.
    if (this.#lastUs !== null && timestampUs < this.#lastUs) this.#lastUs = this.#dueUs = null;
    if (this.#lastUs !== null) this.#follow(timestampUs - this.#lastUs);
    this.#lastUs = timestampUs;
    const isDue = this.#isDue(timestampUs);
    const { passed, leftOut } = this.#counts;
    this.#counts = { ...this.#counts, passed: passed + Number(isDue), leftOut: leftOut + Number(!isDue) };
    return isDue;
  }

  #follow(stepUs: number): void {
    const usualUs = this.#stepsUs.length >= 3 ? mean(this.#stepsUs) : stepUs;
    const missing = stepUs > LONG * usualUs ? Math.round(stepUs / usualUs) - 1 : 0;
    this.#counts = { ...this.#counts, skipped: this.#counts.skipped + missing };
    this.#longUs = missing > 0 ? [...this.#longUs, stepUs] : [];
    if (this.#longUs.length === NEW_PACE) [this.#stepsUs, this.#longUs] = [this.#longUs, []];
    if (missing > 0) return;
    this.#stepsUs.push(stepUs);
    if (this.#stepsUs.length > REMEMBERED) this.#stepsUs.shift();
  }

  /** A clock that ticks at the wanted rate; the frame nearest to each tick goes on. */
  #isDue(timestampUs: number): boolean {
    if (this.fps === null) return true;
    const everyUs = 1e6 / this.fps;
    this.#dueUs ??= timestampUs;
    const slackUs = this.#stepsUs.length === 0 ? 0 : mean(this.#stepsUs) / 2;
    if (timestampUs + slackUs < this.#dueUs) return false;
    this.#dueUs += everyUs;
    if (timestampUs > this.#dueUs + everyUs) this.#dueUs = timestampUs + everyUs; // after a pause it starts anew
    return true;
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
