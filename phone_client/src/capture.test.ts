import { expect, test } from "vitest";
import type { Camera } from "./camera";
import { type Capture, type CaptureParts, Filming } from "./capture";
import { PageError } from "./errors";
import { settled } from "./fakes";
import type { Session } from "./whip";

class FakeSession implements Session {
  isReplaced = false;
  lose!: () => void;
  readonly lost = new Promise<void>((resolve) => (this.lose = resolve));
  isStopped = false;
  async stop(): Promise<void> {
    this.isStopped = true;
    if (this.isReplaced) throw new PageError("replaced", "another phone films this acquisition now");
  }
  async stats(): Promise<null> {
    return null;
  }
}

class FakeCamera implements Camera {
  readonly stream = {} as MediaStream;
  readonly settings = {};
  take!: () => void;
  readonly taken = new Promise<void>((resolve) => (this.take = resolve));
  isClosed = false;
  close(): void {
    this.isClosed = true;
  }
}

/** Filming with parts that do at once what they are asked; `outcomes` go wrong first, in their order. */
function filming(outcomes: Error[] = [], changes: Partial<CaptureParts> = {}) {
  const camera = new FakeCamera();
  const sessions: FakeSession[] = [];
  const states: Capture["state"][] = [];
  const waits: number[] = [];
  let finished = 0;
  const parts: CaptureParts = {
    openCamera: async () => camera,
    publish: async () => {
      const error = outcomes.shift();
      if (error !== undefined) throw error;
      sessions.push(new FakeSession());
      return sessions.at(-1)!;
    },
    finish: async () => void finished++,
    sleep: async (ms) => void waits.push(ms),
    ...changes,
  };
  const made = new Filming(parts, (capture) => states.push(capture.state));
  return { made, camera, sessions, states, waits, finished: () => finished };
}

test("from the button to the end: session ended, acquisition finished, camera closed", async () => {
  const { made, camera, sessions, states, finished } = filming();
  const done = made.start();
  await settled();
  expect(made.capture.state).toBe("filming");
  made.stop();
  await done;
  expect(states).toEqual(["opening_camera", "connecting", "filming", "stopping", "idle"]);
  expect([sessions[0]!.isStopped, finished(), camera.isClosed]).toEqual([true, 1, true]);
});

test("a lost connection is made anew, for the same acquisition", async () => {
  const { made, sessions, states, finished } = filming();
  const done = made.start();
  await settled();
  sessions[0]!.lose();
  await settled();
  expect(sessions).toHaveLength(2);
  expect(sessions[0]!.isStopped).toBe(true);
  expect(states.slice(2)).toEqual(["filming", "waiting", "connecting", "filming"]);
  made.stop();
  await done;
  expect(finished()).toBe(1);
});

test("while the server is away the waits grow, and begin anew after success", async () => {
  const away = () => new PageError("unreachable", "away");
  const { made, sessions, waits } = filming([away(), away(), away()]);
  const done = made.start();
  await settled();
  sessions[0]!.lose();
  await settled();
  expect(waits).toEqual([500, 1000, 2000, 500]);
  made.stop();
  await done;
});

test("what trying again does not mend ends it, and says why", async () => {
  const { made, camera, waits, finished } = filming([new PageError("wrong_state", "it is finished")]);
  await made.start();
  expect(made.capture).toEqual({ state: "failed", reason: "wrong_state", detail: "it is finished" });
  expect([waits.length, finished(), camera.isClosed]).toEqual([0, 0, true]);
});

test("a camera that is not given is told in its own words, and can be asked for again", async () => {
  const refused = new PageError("camera_refused", "Allow the camera");
  const { made, states } = filming([], { openCamera: () => Promise.reject(refused) });
  await made.start();
  await made.start();
  expect(states).toEqual(["opening_camera", "failed", "opening_camera", "failed"]);
});

test("a camera that is taken away ends the session, not the acquisition", async () => {
  const { made, camera, sessions, finished } = filming();
  const done = made.start();
  await settled();
  camera.take();
  await done;
  expect(made.capture).toMatchObject({ state: "failed", reason: "camera_taken" });
  expect([sessions[0]!.isStopped, finished()]).toEqual([true, 0]);
});

test("cancelling before the first frame leaves the acquisition to others", async () => {
  const { made, finished } = filming([], {
    publish: (_, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))),
  });
  const done = made.start();
  await settled();
  made.stop();
  await done;
  expect([made.capture.state, finished()]).toEqual(["idle", 0]);
});

test("leaving the page ends the session, and the acquisition can be gone on with", async () => {
  const { made, camera, sessions, finished } = filming();
  const done = made.start();
  await settled();
  made.leave();
  await done;
  expect([sessions[0]!.isStopped, camera.isClosed, finished()]).toEqual([true, true, 0]);
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
  const { made, sessions, waits, finished } = filming();
  const done = made.start();
  await settled();
  sessions[0]!.isReplaced = true;
  sessions[0]!.lose();
  await done;
  expect(made.capture).toMatchObject({ state: "failed", reason: "replaced" });
  expect([sessions.length, waits.length, finished()]).toEqual([1, 0, 0]);
});
