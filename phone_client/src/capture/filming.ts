/**
 * Filming, from the button to the end of the acquisition: creates it, publishes, and publishes again to the same one
 * whenever the link is lost, telling the server what was missed. Knows neither browser nor page: they come in as parts.
 *
 *   idle → creating → connecting → filming ⇄ away → stopping → idle
 *                          └── failed: what trying again does not mend
 */
import { backoffMs } from "../app/backoff";
import { type FailureReason, PageError, messageOf } from "../app/errors";
import type { LinkGap } from "../generated/models";
import type { LossCause, Session } from "./whip";

/** What filming goes through; each state carries only what exists in it. */
export type Capture =
  | { state: "idle" }
  | { state: "creating" }
  | { state: "connecting"; attempt: number; detail: string | null }
  | { state: "filming"; session: Session; gap: LinkGap | null }
  | { state: "away"; away: Away }
  | { state: "stopping" }
  | { state: "failed"; reason: FailureReason; detail: string };

/** While the link is lost: frames come from the camera, and nothing leaves. */
export interface Away {
  readonly cause: LossCause;
  readonly sinceMs: number;
  readonly session: Session;
  /** Given to the lost session's encoder and sent, as far as this side knows. */
  readonly framesSent: number;
  /** That the camera had delivered when the link was lost. */
  readonly framesBefore: number;
}

/** Of all that was filmed in one go. */
export interface Totals {
  /** In sessions that are over. */
  readonly framesSent: number;
  readonly framesMissed: number;
  readonly awayMs: number;
  readonly losses: number;
}

export interface CaptureParts {
  /** The acquisition, where there is none yet. */
  create: () => Promise<void>;
  /** A new session; one that follows on a lost one asks what is to be told just before its first frame leaves. */
  publish: (gap: (() => LinkGap) | null, signal: AbortSignal) => Promise<Session>;
  /** Whether the gateway answers. */
  isReachable: (signal: AbortSignal) => Promise<boolean>;
  /** Tells the server that no more frames will come. */
  finish: () => Promise<void>;
  /** That the camera has delivered so far. */
  framesSoFar: () => number;
  nowMs: () => number;
  /** May return early, as when the browser says that it is online again. */
  sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

const PROBE_EVERY_MS = 500;

export class Filming {
  #capture: Capture = { state: "idle" };
  #stop: AbortController | null = null;
  #hasFilmed = false; // an acquisition without a frame is not finished: another device may film it
  #running: Session | null = null;
  #totals: Totals = { framesSent: 0, framesMissed: 0, awayMs: 0, losses: 0 };

  constructor(
    private readonly parts: CaptureParts,
    private readonly onChange: (capture: Capture) => void,
  ) {}

  get capture(): Capture {
    return this.#capture;
  }

  get totals(): Totals {
    return this.#totals;
  }

  /** In all sessions, also in the one that runs. */
  async framesSent(): Promise<number> {
    const running = this.#running;
    const sent = (await running?.stats())?.framesSent ?? 0;
    // It may have ended meanwhile, and is among the totals then.
    return this.#totals.framesSent + (running === this.#running ? sent : 0);
  }

  /** Films until `stop`, or until something fails that trying again does not mend. Does nothing while filming. */
  async start(): Promise<void> {
    if (this.#stop !== null) return;
    const stop = new AbortController();
    this.#stop = stop;
    try {
      this.#become({ state: "creating" });
      await this.parts.create();
      await this.#keepPublishing(stop.signal);
      if (this.#hasFilmed) await this.parts.finish();
      this.#become({ state: "idle" });
    } catch (error) {
      const reason = error instanceof PageError ? error.reason : "refused";
      this.#become({ state: "failed", reason, detail: messageOf(error) });
    } finally {
      this.#stop = null;
    }
  }

  /** Ends the session and the acquisition; `start` then returns. */
  stop(): void {
    if (this.#stop === null || this.#stop.signal.aborted) return;
    this.#become({ state: "stopping" });
    this.#stop.abort();
  }

  /** Ends the session alone, as when the page is left: the acquisition can be gone on with. Who has stopped stays stopped. */
  leave(): void {
    if (this.#stop?.signal.aborted) return;
    this.#hasFilmed = false;
    this.stop();
  }

  async #keepPublishing(stop: AbortSignal): Promise<void> {
    let away: Away | null = null;
    while (!stop.aborted) {
      const connected: { session: Session; gap: LinkGap | null } | null =
        away === null ? await this.#connect(stop) : await this.#return(away, stop);
      if (connected === null) return;
      away = await this.#film(connected.session, connected.gap, stop);
      if (away === null) return;
    }
  }

  /** The first session; null when it was stopped before there was one. */
  async #connect(stop: AbortSignal): Promise<{ session: Session; gap: null } | null> {
    let detail: string | null = null;
    for (let attempt = 1; !stop.aborted; attempt++) {
      this.#become({ state: "connecting", attempt, detail });
      try {
        return { session: await this.parts.publish(null, stop), gap: null };
      } catch (error) {
        if (stop.aborted) return null;
        if (!(error instanceof PageError) || !error.isPassing) throw error;
        detail = error.message;
      }
      await this.#sleep(backoffMs(attempt), stop);
    }
    return null;
  }

  /** One session, to its end; null when it was stopped. */
  async #film(session: Session, gap: LinkGap | null, stop: AbortSignal): Promise<Away | null> {
    this.#hasFilmed = true;
    this.#running = session;
    this.#become({ state: "filming", session, gap });
    const ending = await Promise.race([aborted(stop).then(() => "stopped" as const), session.lost]);
    if (ending === "stopped") {
      await session.stop().finally(() => this.#countSent(session));
      return null;
    }
    const away = {
      cause: ending,
      sinceMs: this.parts.nowMs(),
      session,
      framesSent: await this.#countSent(session),
      framesBefore: this.parts.framesSoFar(),
    };
    session.abandon();
    return away;
  }

  /** Of a session that ends, for good. */
  async #countSent(session: Session): Promise<number> {
    const frames = (await session.stats())?.framesSent ?? 0;
    this.#running = null;
    this.#totals = { ...this.#totals, framesSent: this.#totals.framesSent + frames };
    return frames;
  }

  /** Waits for the link, and continues the acquisition; null when it was stopped meanwhile. */
  async #return(away: Away, stop: AbortSignal): Promise<{ session: Session; gap: LinkGap } | null> {
    this.#become({ state: "away", away });
    for (let failures = 0; !stop.aborted;) {
      if (!(await this.parts.isReachable(stop))) {
        await this.#sleep(PROBE_EVERY_MS, stop);
        continue;
      }
      try {
        await away.session.stop(); // tells, too, whether another device has taken its place
        let gap = this.#gapOf(away);
        const session = await this.parts.publish(() => (gap = this.#gapOf(away)), stop);
        this.#count(gap);
        return { session, gap };
      } catch (error) {
        if (stop.aborted) return null;
        if (!(error instanceof PageError) || !error.isPassing) throw error;
        await this.#sleep(backoffMs(failures++), stop);
      }
    }
    return null;
  }

  #gapOf({ session, framesSent, framesBefore, sinceMs }: Away): LinkGap {
    return {
      session_id: session.id,
      frames_sent: framesSent,
      frames_missed: Math.max(0, this.parts.framesSoFar() - framesBefore),
      away_s: Math.round(this.parts.nowMs() - sinceMs) / 1000,
    };
  }

  #count(gap: LinkGap): void {
    this.#totals = {
      ...this.#totals,
      framesMissed: this.#totals.framesMissed + gap.frames_missed,
      awayMs: this.#totals.awayMs + 1000 * gap.away_s,
      losses: this.#totals.losses + 1,
    };
  }

  async #sleep(ms: number, stop: AbortSignal): Promise<void> {
    await this.parts.sleep(ms, stop).catch((error: unknown) => {
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
