import { expect, test } from "vitest";
import { Pacer } from "./pacing";

/** Timestamps of a camera with a browser's jitter; some frames missing. */
function feed(pacer: Pacer, frames: number, fps: number, missing: readonly number[] = []): boolean[] {
  const passed: boolean[] = [];
  for (let n = 0; n < frames; n++) {
    if (missing.includes(n)) continue;
    passed.push(pacer.take((n * 1e6) / fps + (n % 2 === 0 ? 8000 : -8000)));
  }
  return passed;
}

test("a jittering camera misses nothing and loses nothing", () => {
  const pacer = new Pacer();
  feed(pacer, 200, 20);
  expect(pacer.counts).toEqual({ seen: 200, passed: 200, skipped: 0, repeated: 0, leftOut: 0 });
  expect(pacer.cameraFps).toBeCloseTo(20, 0);
});

test("frames that the camera owes are counted by the step in time", () => {
  const pacer = new Pacer();
  feed(pacer, 100, 20, [40, 41, 42, 70]);
  expect(pacer.counts.skipped).toBe(4);
  expect(pacer.counts.passed).toBe(96);
});

test("a camera that exposes for longer has a new pace, and owes no more than before", () => {
  const pacer = new Pacer();
  for (let n = 0; n < 60; n++) pacer.take((n * 1e6) / 30);
  for (let n = 1; n <= 100; n++) pacer.take(59e6 / 30 + (n * 1e6) / 15);
  expect(pacer.cameraFps).toBeCloseTo(15, 0);
  expect(pacer.counts.skipped).toBeLessThan(10);
});

test("a frame that comes twice is encoded once", () => {
  const pacer = new Pacer();
  for (const at of [0, 50_000, 50_000, 100_000]) pacer.take(at);
  expect(pacer.counts).toMatchObject({ seen: 4, passed: 3, repeated: 1 });
});

test.each([
  { wanted: "all", fps: null, expected: 40 },
  { wanted: "half", fps: 10, expected: 20 },
])("of a camera that was taken away and counts its time anew, $wanted frames go on", ({ fps, expected }) => {
  const pacer = new Pacer(fps);
  for (let n = 0; n < 200; n++) pacer.take(n * 50_000);
  const before = pacer.counts.passed;
  for (let n = 1; n <= 40; n++) pacer.take(n * 50_000);
  expect(pacer.counts.passed - before).toBe(expected);
  expect(pacer.counts).toMatchObject({ seen: 240, skipped: 0, repeated: 0 });
});

test("a chosen rate takes evenly from a faster camera", () => {
  const pacer = new Pacer(20);
  const passed = feed(pacer, 300, 30);
  expect(pacer.counts.passed).toBeGreaterThanOrEqual(198);
  expect(pacer.counts.passed).toBeLessThanOrEqual(202);
  expect(pacer.counts.passed + pacer.counts.leftOut).toBe(300);
  expect(passed.join().includes("false,false")).toBe(false);
});

test("a rate above the camera's own leaves nothing out", () => {
  const pacer = new Pacer(60);
  feed(pacer, 100, 20);
  expect(pacer.counts.passed).toBe(100);
});

test("after a pause the chosen rate does not hurry to catch up", () => {
  const pacer = new Pacer(20);
  for (let n = 0; n < 60; n++) pacer.take((n * 1e6) / 30);
  const before = pacer.counts.passed;
  for (let n = 0; n < 60; n++) pacer.take(60e6 + (n * 1e6) / 30);
  expect(pacer.counts.passed - before).toBeLessThanOrEqual(42);
});
