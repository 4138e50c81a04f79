import { expect, test, vi } from "vitest";
import { Silence, answers, impatient } from "./link";

test("two seconds without a byte are doubtful, four are the end, one byte mends all", () => {
  const silence = new Silence(0);
  expect(silence.hear(500, 100)).toBe("heard");
  expect(silence.hear(2000, 100)).toBe("heard");
  expect(silence.hear(2500, 100)).toBe("doubtful");
  expect(silence.hear(3000, 101)).toBe("heard");
  expect(silence.hear(6900, 101)).toBe("doubtful");
  expect(silence.hear(7000, 101)).toBe("silent");
});

test("a browser that tells nothing is believed to hear", () => {
  const silence = new Silence(0);
  for (let at = 0; at < 60_000; at += 500) expect(silence.hear(at, null)).toBe("heard");
});

/** A socket that opens, fails, or does nothing. */
class FakeSocket extends EventTarget {
  readonly readyState = 0;
  isClosed = false;

  constructor(fate: "open" | "error" | "nothing") {
    super();
    if (fate !== "nothing") queueMicrotask(() => this.dispatchEvent(new Event(fate)));
  }

  close(): void {
    this.isClosed = true;
  }
}

test.each([
  ["open", true],
  ["error", false],
  ["nothing", false],
] as const)("a gateway whose socket does %s answers: %s, and is not held on to", async (fate, isAnswered) => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const socket = new FakeSocket(fate);
  const stop = new AbortController();
  const answer = answers("wss://lab/live", stop.signal, () => socket as unknown as WebSocket);
  if (fate === "nothing") stop.abort();
  expect(await answer).toBe(isAnswered);
  expect(socket.isClosed).toBe(true);
  vi.useRealTimers();
});

test("a socket that does not open soon makes room for the next", () => {
  vi.useFakeTimers();
  const [slow, quick] = [new FakeSocket("nothing"), new FakeSocket("nothing")];
  for (const each of [slow, quick]) impatient(each as unknown as WebSocket, 1000);
  quick.dispatchEvent(new Event("open"));
  vi.advanceTimersByTime(1500);
  expect([slow.isClosed, quick.isClosed]).toEqual([true, false]);
  vi.useRealTimers();
});
