import { expect, test } from "vitest";
import { backlogOf, framesWaiting } from "./backlog";

const counts = { frames_received: 400, frames_processed: 130, frames_damaged: 5, frames_left_out: 5, fps: 7 };

test("what was received and is neither done nor damaged nor left out waits", () => {
  expect(framesWaiting(counts)).toBe(260);
});

test("a server that does fewer frames than come is too slow", () => {
  expect(backlogOf(counts, 20)).toEqual({ frames: 260, seconds: 13, tooSlow: { doneFps: 7, sentFps: 20 } });
});

test("one that is late but as fast as the camera catches up, as does one of which no rate is known", () => {
  expect(backlogOf({ ...counts, fps: 19 }, 20)?.tooSlow).toBeNull();
  expect(backlogOf({ ...counts, fps: null }, 20)?.tooSlow).toBeNull();
});

test("few frames, and those of a camera whose rate is not known, are not spoken of", () => {
  expect(backlogOf({ ...counts, frames_received: 260 }, 20)).toBeNull();
  expect(backlogOf(counts, null)).toBeNull();
  expect(backlogOf(counts, 0)).toBeNull();
});
