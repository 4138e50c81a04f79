import { expect, test } from "vitest";
import { acquisitionWith } from "../app/fakes";
import type { Acquisition } from "../generated/models";
import { layoutFor, onTheWall } from "./tiles";

const NOW = Date.parse("2026-11-22T12:30:00Z");
const made = (id: string, state: Acquisition["state"], minute: number, localizations = 1) =>
  acquisitionWith({ id, state, localizations, created_at: `2026-11-22T12:${String(minute).padStart(2, "0")}:00Z` });

test("running ones come first, then the newest", () => {
  const all = [made("old", "finished", 1), made("new", "finished", 9), made("live", "receiving", 0)];
  expect(onTheWall(all, NOW).map((each) => each.id)).toEqual(["live", "new", "old"]);
});

test("what never came to anything does not hang there", () => {
  const abandoned = acquisitionWith({ id: "abandoned", created_at: "2026-11-22T11:00:00Z" });
  const all = [
    made("broken", "failed", 1, 0),
    made("cut short", "failed", 2, 9),
    abandoned,
    made("next", "waiting", 3),
  ];
  expect(onTheWall(all, NOW).map((each) => each.id)).toEqual(["next", "cut short"]);
});

test("thirty tiles fit on a projector without scrolling", () => {
  const { columns, sidePx } = layoutFor(30, 1880, 980);
  const rows = Math.ceil(30 / columns);
  expect(rows * sidePx + (rows - 1) * 12).toBeLessThanOrEqual(980);
  expect(columns * sidePx + (columns - 1) * 12).toBeLessThanOrEqual(1880);
  expect(sidePx).toBeGreaterThan(180);
});

test("one tile fills the screen, and on a phone tiles stay large enough to see", () => {
  expect(layoutFor(1, 1880, 980)).toEqual({ columns: 1, sidePx: 980 });
  expect(layoutFor(30, 358, 700)).toEqual({ columns: 2, sidePx: 173 });
});
