import { expect, test } from "vitest";
import { isSpent } from "./freshness";

const NOW = Date.parse("2026-11-22T12:00:00Z");

test("a code is replaced once it is used up, and a little before it expires", () => {
  expect(isSpent({ uses_left: 1, expires_at: "2026-11-22T12:05:00Z" }, NOW)).toBe(false);
  expect(isSpent({ uses_left: 0, expires_at: "2026-11-22T12:05:00Z" }, NOW)).toBe(true);
  expect(isSpent({ uses_left: 9, expires_at: "2026-11-22T12:00:10Z" }, NOW)).toBe(true);
});
