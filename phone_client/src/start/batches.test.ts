import { expect, test } from "vitest";
import type { Batch } from "../generated/models";
import { hiddenBatches, hideBatch, progressOf, worthListing } from "./batches";

const made = (id: string, states: Record<string, number>, is_over = true) => ({ id, states, is_over }) as Batch;

function kept() {
  const items = new Map<string, string>();
  return {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => void items.set(key, value),
  };
}

test("what failed or was cancelled is over, too, and is told", () => {
  const states = { waiting: 1, receiving: 0, processing: 2, finished: 4, failed: 1, cancelled: 2 };
  expect(progressOf({ states })).toEqual({ all: 10, done: 7, failed: 3 });
});

test("a batch of one recording is not listed, and one that is hidden is not once it is over", () => {
  const all = [made("one", { finished: 1 }), made("over", { finished: 2 }), made("going", { waiting: 2 }, false)];
  expect(worthListing(all, []).map(({ id }) => id)).toEqual(["over", "going"]);
  expect(worthListing(all, ["over", "going"]).map(({ id }) => id)).toEqual(["going"]);
});

test("what is hidden stays hidden, and is forgotten when the server has it no more", () => {
  const keep = kept();
  const [first, second] = [made("first", { finished: 2 }), made("second", { finished: 2 })];
  hideBatch("first", [first, second], keep);
  hideBatch("second", [first, second], keep);
  expect(worthListing([first, second], hiddenBatches(keep))).toEqual([]);
  hideBatch("second", [second], keep);
  expect(hiddenBatches(keep)).not.toContain("first");
});
