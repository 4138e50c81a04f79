import { expect, test } from "vitest";
import { acquisitionWith } from "../app/fakes";
import { detailOf, found } from "./listing";

const named = (name: string, state: "finished" | "receiving" | "failed" = "finished") =>
  acquisitionWith({ id: name, state, settings: { ...acquisitionWith().settings, name } });
const ALL = [named("Actin, group 3"), named("Tubulin group 3", "receiving"), named("Beads", "failed")];
const names = (search: Parameters<typeof found>[1]) => found(ALL, search).map((each) => each.id);

test("every word must be in the name, in any case and order", () => {
  expect(names({ words: "GROUP actin", filter: "all" })).toEqual(["Actin, group 3"]);
  expect(names({ words: "  ", filter: "all" })).toHaveLength(3);
  expect(names({ words: "nothing", filter: "all" })).toEqual([]);
});

test("a filter and words together", () => {
  expect(names({ words: "group", filter: "live" })).toEqual(["Tubulin group 3"]);
  expect(names({ words: "", filter: "failed" })).toEqual(["Beads"]);
});

test("of today the time is enough", () => {
  const made = acquisitionWith({ created_at: "2026-11-22T12:00:00Z", localizations: 9733 });
  expect(detailOf(made, new Date("2026-11-22T12:30:00Z"))).toMatch(/^[^,]+ · 9\u202f733 localizations$/);
  expect(detailOf(made, new Date("2026-11-25T12:30:00Z"))).toContain("2026");
});
