import { expect, test } from "vitest";
import { acquisitionWith } from "./fakes";
import { count, figuresOf } from "./figures";

const valueOf = (key: string, changes = {}) => figuresOf(acquisitionWith(changes)).find((figure) => figure.key === key);

test.each(["fps", "lag", "resolution"])("%s is not yet known before there are frames, and no number", (key) => {
  expect(valueOf(key)!.value).toBe("not yet");
});

test("what is known comes with its unit", () => {
  expect(valueOf("lag", { lag_s: 1.26 })!.value).toBe("1.3 s");
  expect(valueOf("fps", { fps: 0 })!.value).toBe("0.0 /s");
  expect(valueOf("resolution", { resolution_nm: 61.7 })!.value).toBe("62 nm");
});

test("what is over has no pace any more", () => {
  const over = acquisitionWith({ state: "finished", frames_received: 9 });
  expect(figuresOf(over).map((figure) => figure.key)).not.toContain("lag");
});

test("lost and damaged frames catch the eye", () => {
  expect(valueOf("lost")!.warns).toBe(false);
  expect(valueOf("damaged", { frames_damaged: 2 })!.warns).toBe(true);
});

test("an upload tells how much is left", () => {
  const upload = { frames_received: 40, frames_expected: 100, frames_processed: 10, eta_s: 4.2 };
  expect(valueOf("received", upload)!.value).toBe("40 of 100");
  expect(valueOf("processed", upload)!.value).toBe("10, 5 s to go");
});

test("thousands are set apart", () => {
  expect([7, 1234, 1_234_567].map(count)).toEqual(["7", "1\u2009234", "1\u2009234\u2009567"]);
});
