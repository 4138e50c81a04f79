import { expect, test } from "vitest";

import { pixelSizeOf } from "./pixel_size";

test.each([
  ["100", 100],
  [" 108.5 ", 108.5],
  ["108,5", 108.5],
  ["1", 1],
  ["10000", 10_000],
])("%j is a pixel size", (typed, size) => {
  expect(pixelSizeOf(typed)).toBe(size);
});

test.each(["", " ", "0.16", "0", "-100", "10001", "1e3", "NaN", "null", "1,085.3", "100 nm", "Infinity"])(
  "%j is none",
  (typed) => {
    expect(pixelSizeOf(typed)).toBeNull();
  },
);
