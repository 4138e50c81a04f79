/**
 * Filming, from the camera to the end of the acquisition: opens the camera, publishes, publishes again to the same
 * acquisition when the connection is lost, and finishes. Knows neither browser nor page: both come in as parts.
 */
import { backoffMs } from "./backoff";
import type { Camera } from "./camera";
import { type FailureReason, PageError, messageOf } from "./errors";
import type { Session } from "./whip";

/** What filming goes through; each state carries only what exists in it. */
export type Capture =
  | { state: "idle" }
  | { state: "opening_camera" }
  | { state: "connecting"; camera: Camera; attempt: number }
  | { state: "filming"; camera: Camera; session: Session }
  | { state: "waiting"; camera: Camera; attempt: number; retryInMs: number; detail: string }
  | { state: "stopping" }
  | { state: "failed"; reason: FailureReason; detail: string };

export interface CaptureParts {
  openCamera: () => Promise<Camera>;
  publish: (stream: MediaStream, signal: AbortSignal) => Promise<Session>;
  /** Tells the server that no more frames will come. */
  finish: () => Promise<void>;
  sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

export class Filming {
  #capture: Capture = { state: "idle" };
  #stop: AbortController | null = null;
  #hasFilmed = false; // an acquisition without a frame is not finished: another device may film it

  constructor(
    private readonly parts: CaptureParts,
    private readonly onChange: (capture: Capture) => void,
  ) {}

  get capture(): Capture {
    return this.#capture;
  }

  /** Films until `stop`, or until something fails that trying again does not mend. Does nothing while filming. */
  async start(): Promise<void> {
    if (this.#stop !== null) return;
    const stop = new AbortController();
    this.#stop = stop;
    let camera: Camera | null = null;
    try {
      this.#become({ state: "opening_camera" });
      camera = await this.parts.openCamera();
      await this.#keepPublishing(camera, stop.signal);
      if (this.#hasFilmed) await this.parts.finish();
      this.#become({ state: "idle" });
    } catch (error) {
      const reason = error instanceof PageError ? error.reason : "refused";
      this.#become({ state: "failed", reason, detail: messageOf(error) });
    } finally {
      camera?.close();
      this.#stop = null;
    }
  }

  /** Ends the session and the acquisition; `start` then returns. */
  stop(): void {
    if (this.#stop === null || this.#stop.signal.aborted) return;
    this.#become({ state: "stopping" });
    this.#stop.abort();
  }

  /** Ends the session alone, as when the page is left: the acquisition can be gone on with. */
  leave(): void {
    this.#hasFilmed = false;
    this.stop();
  }

  async #keepPublishing(camera: Camera, stop: AbortSignal): Promise<void> {
    let failures = 0;
    while (!stop.aborted) {
      this.#become({ state: "connecting", camera, attempt: failures + 1 });
      let detail: string;
      try {
        if ((await this.#publishOnce(camera, stop)) === "stopped") return;
        failures = 1;
        detail = "The connection was lost.";
      } catch (error) {
        if (stop.aborted) return;
        if (!(error instanceof PageError) || !error.isPassing) throw error;
        failures += 1;
        detail = error.message;
      }
      await this.#wait(camera, failures, detail, stop);
    }
  }

  /** One session, to its end. */
  async #publishOnce(camera: Camera, stop: AbortSignal): Promise<"stopped" | "lost"> {
    const session = await this.parts.publish(camera.stream, stop);
    this.#hasFilmed = true;
    this.#become({ state: "filming", camera, session });
    const ending = await Promise.race([
      aborted(stop).then(() => "stopped" as const),
      session.lost.then(() => "lost" as const),
      camera.taken.then(() => "taken" as const),
    ]);
    await session.stop();
    if (ending === "taken") {
      throw new PageError("camera_taken", "Another app took the camera. Press Film to go on with the same image.");
    }
    return ending;
  }

  async #wait(camera: Camera, attempt: number, detail: string, stop: AbortSignal): Promise<void> {
    const retryInMs = backoffMs(attempt);
    this.#become({ state: "waiting", camera, attempt, retryInMs, detail });
    await this.parts.sleep(retryInMs, stop).catch((error: unknown) => {
      if (!stop.aborted) throw error;
    });
  }

  /** While stopping, nothing but the end is worth telling. */
  #become(capture: Capture): void {
    const isOver = capture.state === "idle" || capture.state === "failed";
    if (this.#stop?.signal.aborted && !isOver) return;
    this.#capture = capture;
    this.onChange(capture);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
