import { expect, test } from "vitest";
import { shareAfter } from "./divider";

test("a slider's keys move the divider, others do not", () => {
  expect(shareAfter("ArrowLeft", 0.5)).toBeCloseTo(0.48);
  expect(shareAfter("ArrowUp", 0.5)).toBeCloseTo(0.52);
  expect(shareAfter("PageUp", 0.5)).toBeCloseTo(0.6);
  expect([shareAfter("Home", 0.5), shareAfter("End", 0.5)]).toEqual([0, 1]);
  expect(shareAfter("+", 0.5)).toBeNull();
});
