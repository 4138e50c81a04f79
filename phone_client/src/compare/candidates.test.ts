import { expect, test } from "vitest";
import { acquisitionWith } from "../app/fakes";
import { candidatesFor } from "./candidates";

const made = (id: string, changes: Partial<ReturnType<typeof acquisitionWith>> = {}) =>
  acquisitionWith({ id, localizations: 10, ...changes });

test("of the same recording first, then the others as they come", () => {
  const all = [made("x"), made("mine"), made("again", { reprocessed_from: "mine" }), made("y")];
  expect(candidatesFor(made("mine"), all).map(({ id }) => id)).toEqual(["again", "x", "y"]);
});

test("what has no image, or pixels of another size, cannot be compared", () => {
  const other = { ...acquisitionWith().settings, pixel_size_nm: 108 };
  const all = [made("empty", { localizations: 0 }), made("other", { settings: other })];
  expect(candidatesFor(made("mine"), all)).toEqual([]);
});
