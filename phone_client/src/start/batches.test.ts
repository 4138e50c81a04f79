import { expect, test } from "vitest";
import { progressOf } from "./batches";

test("what failed or was cancelled is over, too, and is told", () => {
  const states = { waiting: 1, receiving: 0, processing: 2, finished: 4, failed: 1, cancelled: 2 };
  expect(progressOf({ states })).toEqual({ all: 10, done: 7, failed: 3 });
});
