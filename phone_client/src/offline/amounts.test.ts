import { expect, test } from "vitest";

import { duration, size } from "./amounts";

test.each([
  [0, "0"],
  [999, "999"],
  [1500, "1.5"],
  [15_400_000, "15"],
  [4_200_000_000, "4.2"],
])("%d bytes are written with %s", (bytes, text) => {
  expect(size(bytes).replace(/[^\d.]/g, "")).toBe(text);
});

test.each([
  [0, "0:00"],
  [59.6, "1:00"],
  [754, "12:34"],
  [3661, "1:01:01"],
])("%d seconds are %s", (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});
