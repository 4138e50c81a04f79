import { expect, test } from "vitest";
import { backoffMs, sleep } from "./backoff";

test("waits double up to a bound", () => {
  expect([1, 2, 3, 4, 5, 50].map(backoffMs)).toEqual([500, 1000, 2000, 4000, 5000, 5000]);
});

test("a wait ends at once when it is called off", async () => {
  const off = new AbortController();
  const waiting = sleep(1_000_000, off.signal);
  off.abort(new Error("called off"));
  await expect(waiting).rejects.toThrow("called off");
  await expect(sleep(1, off.signal)).rejects.toThrow("called off");
});
