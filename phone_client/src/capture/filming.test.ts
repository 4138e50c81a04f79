import { expect, test } from "vitest";
import { PageError } from "../app/errors";
import { settled } from "../app/fakes";
import type { LinkGap } from "../generated/models";
import { type Capture, type CaptureParts, Filming } from "./filming";
import type { LossCause, SendStats, Session } from "./whip";

class FakeSession implements Session {
  isReplaced = false;
  lose!: (cause: LossCause) => void;
  readonly lost = new Promise<LossCause>((resolve) => (this.lose = resolve));
  isStopped = false;
  isAbandoned = false;
  framesSent = 0;

  constructor(readonly id: string) {}

  async stop(): Promise<void> {
    this.isStopped = true;
    if (this.isReplaced) throw new PageError("replaced", "another phone films this acquisition now");
  }

  abandon(): void {
    this.isAbandoned = true;
  }

  async stats(): Promise<SendStats> {
    return { framesSent: this.framesSent } as SendStats;
  }
}

/** Filming with parts that do at once what they are asked; `outcomes` go wrong first, in their order. */
function filming(outcomes: Error[] = [], changes: Partial<CaptureParts> = {}) {
  const sessions: FakeSession[] = [];
  const states: Capture["state"][] = [];
  const gaps: (LinkGap | null)[] = [];
  const waits: number[] = [];
  const world = { frames: 0, nowMs: 0, finished: 0, created: 0, reachable: [] as boolean[] };
  const parts: CaptureParts = {
    create: async () => void world.created++,
    publish: async (gap) => {
      gaps.push(gap?.() ?? null);
      const error = outcomes.shift();
      if (error !== undefined) throw error;
      sessions.push(new FakeSession(`s${sessions.length}`));
      return sessions.at(-1)!;
    },
    isReachable: async () => world.reachable.shift() ?? true,
    finish: async () => void world.finished++,
    framesSoFar: () => world.frames,
    nowMs: () => world.nowMs,
    sleep: async (ms) => {
      waits.push(ms);
      world.nowMs += ms;
      world.frames += ms / 50;
    },
    ...changes,
  };
  const made = new Filming(parts, (capture) => states.push(capture.state));
  return { made, sessions, states, gaps, waits, world };
}

test("one press creates the acquisition and films; the next ends both", async () => {
  const { made, sessions, states, world } = filming();
  const done = made.start();
  await settled();
  expect(made.capture.state).toBe("filming");
  made.stop();
  await done;
  expect(states).toEqual(["creating", "connecting", "filming", "stopping", "idle"]);
  expect([sessions[0]!.isStopped, world.created, world.finished]).toEqual([true, 1, 1]);
});

test("a lost link is waited for, and the same acquisition is continued with what was missed", async () => {
  const { made, sessions, states, gaps, world } = filming();
  const done = made.start();
  await settled();
  world.frames = 200;
  sessions[0]!.framesSent = 198;
  world.reachable = [false, false, false, false, true];
  sessions[0]!.lose("silent");
  await settled();
  expect(states.slice(2)).toEqual(["filming", "away", "filming"]);
  expect(sessions[0]!.isAbandoned).toBe(true);
  expect(gaps[1]).toEqual({ session_id: "s0", frames_sent: 198, frames_missed: 40, away_s: 2 });
  expect(made.totals).toEqual({ framesSent: 198, framesMissed: 40, awayMs: 2000, losses: 1 });
  expect(made.capture).toMatchObject({ state: "filming", gap: { frames_missed: 40 } });
  made.stop();
  await done;
  expect(world.finished).toBe(1);
});

test("several losses add up, and each is told with the session that it followed", async () => {
  const { made, sessions, gaps, world } = filming();
  const done = made.start();
  for (const session of [0, 1]) {
    await settled();
    world.reachable = [false, true];
    sessions[session]!.lose("offline");
  }
  await settled();
  expect(gaps.map((gap) => gap?.session_id)).toEqual([undefined, "s0", "s1"]);
  expect(made.totals).toMatchObject({ losses: 2, framesMissed: 20 });
  made.stop();
  await done;
});

test("frames count as sent over all sessions, and the last ones of the last session too", async () => {
  const { made, sessions, world } = filming();
  const done = made.start();
  await settled();
  sessions[0]!.framesSent = 135;
  expect(await made.framesSent()).toBe(135);
  world.reachable = [false, true];
  sessions[0]!.lose("silent");
  await settled();
  expect(await made.framesSent()).toBe(135);
  sessions[1]!.framesSent = 126;
  expect(await made.framesSent()).toBe(261);
  made.stop();
  sessions[1]!.framesSent = 130; // until the gateway has heard of it
  await done;
  expect(await made.framesSent()).toBe(265);
});

test("frames of a session that was lost count as sent, also if it was never come back from", async () => {
  const untilStopped = (_: number, signal: AbortSignal) =>
    new Promise<void>((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
  const { made, sessions } = filming([], { isReachable: async () => false, sleep: untilStopped });
  const done = made.start();
  await settled();
  sessions[0]!.framesSent = 40;
  sessions[0]!.lose("silent");
  await settled();
  made.stop();
  await done;
  expect(made.totals.framesSent).toBe(40);
});

test("a gap goes on growing while the server answers but refuses", async () => {
  const { made, sessions, gaps, world } = filming();
  const done = made.start();
  await settled();
  const busy = [new PageError("busy", "all places are taken"), new PageError("unreachable", "away")];
  const { gaps: told, made: again, sessions: fresh } = filming(busy);
  const restarted = again.start();
  await settled();
  expect(told).toEqual([null, null, null]);
  expect(fresh).toHaveLength(1);
  sessions[0]!.lose("failed");
  await settled();
  expect(gaps).toHaveLength(2);
  expect(world.finished).toBe(0);
  for (const each of [made, again]) each.stop();
  await Promise.all([done, restarted]);
});

test("before the first frame the waits grow", async () => {
  const away = () => new PageError("unreachable", "away");
  const { made, waits } = filming([away(), away(), away()]);
  const done = made.start();
  await settled();
  expect(waits).toEqual([500, 1000, 2000]);
  made.stop();
  await done;
});

test("what trying again does not mend ends it, and says why", async () => {
  const { made, waits, world } = filming([new PageError("wrong_state", "it is finished")]);
  await made.start();
  expect(made.capture).toEqual({ state: "failed", reason: "wrong_state", detail: "it is finished" });
  expect([waits.length, world.finished]).toEqual([0, 0]);
});

test("an acquisition that cannot be created is told, and can be asked for again", async () => {
  const { made, states } = filming([], { create: () => Promise.reject(new PageError("busy", "the disk is full")) });
  await made.start();
  await made.start();
  expect(states).toEqual(["creating", "failed", "creating", "failed"]);
});

test("cancelling before the first frame leaves the acquisition to others", async () => {
  const { made, world } = filming([], {
    publish: (_, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))),
  });
  const done = made.start();
  await settled();
  made.stop();
  await done;
  expect([made.capture.state, world.finished]).toEqual(["idle", 0]);
});

test("stopping while the link is lost finishes what was filmed", async () => {
  const { made, sessions, world } = filming([], { isReachable: async () => false });
  const done = made.start();
  await settled();
  sessions[0]!.lose("silent");
  await Promise.resolve();
  made.stop();
  await done;
  expect([made.capture.state, world.finished, sessions.length]).toEqual(["idle", 1, 1]);
});

test("leaving the page ends the session, and the acquisition can be gone on with", async () => {
  const { made, sessions, world } = filming();
  const done = made.start();
  await settled();
  made.leave();
  await done;
  expect([sessions[0]!.isStopped, world.finished]).toEqual([true, 0]);
});

test("leaving the page after the press that ends the film does not leave the acquisition unfinished", async () => {
  const { made, world } = filming();
  const done = made.start();
  await settled();
  made.stop();
  made.leave();
  await done;
  expect(world.finished).toBe(1);
});

test("a second press while filming starts nothing", async () => {
  const { made, sessions } = filming();
  const done = made.start();
  await settled();
  await made.start();
  expect(sessions).toHaveLength(1);
  made.stop();
  await done;
});

test("a phone whose place another has taken does not take it back", async () => {
  const { made, sessions, world } = filming();
  const done = made.start();
  await settled();
  sessions[0]!.isReplaced = true;
  sessions[0]!.lose("failed");
  await done;
  expect(made.capture).toMatchObject({ state: "failed", reason: "replaced" });
  expect([sessions.length, world.finished]).toEqual([1, 0]);
});
