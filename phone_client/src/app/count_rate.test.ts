import { expect, test } from "vitest";

import { CountRate } from "./count_rate";

test("what was counted before the first look is no speed", () => {
  const rate = new CountRate(4000);
  rate.add(900_000, 100);
  expect(rate.perS).toBeNull();
  rate.add(1_000_000, 1100);
  expect(rate.perS).toBe(100_000);
});

test("only the last while counts", () => {
  const rate = new CountRate(1000);
  for (const [count, atMs] of [
    [0, 0],
    [1000, 100],
    [1010, 1100],
    [1020, 2100],
  ] as const) {
    rate.add(count, atMs);
  }
  expect(rate.perS).toBe(10);
});
