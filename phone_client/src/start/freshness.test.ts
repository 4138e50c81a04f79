import { expect, test } from "vitest";
import { isSpent, wasUsed } from "./freshness";

const NOW = Date.parse("2026-11-22T12:00:00Z");

test("a code is replaced once it is used up, and a little before it expires", () => {
  expect(isSpent({ uses_left: 1, expires_at: "2026-11-22T12:05:00Z" }, NOW)).toBe(false);
  expect(isSpent({ uses_left: 0, expires_at: "2026-11-22T12:05:00Z" }, NOW)).toBe(true);
  expect(isSpent({ uses_left: 9, expires_at: "2026-11-22T12:00:10Z" }, NOW)).toBe(true);
});

test.each([
  ["another use is gone", 30, { uses_left: 29 }, true],
  ["its only use is gone", 1, { uses_left: 0 }, true],
  ["nothing has changed", 30, { uses_left: 30 }, false],
  ["it has expired while the page was hidden", 30, null, false],
])("of a code of which %s it is known whether somebody has joined", (_, left, known, expected) => {
  expect(wasUsed({ uses_left: left }, known)).toBe(expected);
});
