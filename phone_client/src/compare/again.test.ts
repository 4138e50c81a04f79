import { expect, test } from "vitest";
import { acquisitionWith } from "../app/fakes";
import { canBeReprocessed } from "./again";

test("what has ended with video can be reprocessed, what was refused or goes on cannot", () => {
  expect(canBeReprocessed(acquisitionWith({ state: "finished", frames_received: 9 }))).toBe(true);
  expect(canBeReprocessed(acquisitionWith({ state: "failed", frames_received: 9 }))).toBe(true);
  expect(canBeReprocessed(acquisitionWith({ state: "failed", frames_received: 0 }))).toBe(false);
  expect(canBeReprocessed(acquisitionWith({ state: "receiving", frames_received: 9 }))).toBe(false);
  expect(canBeReprocessed(acquisitionWith({ state: "cancelled", frames_received: 9 }))).toBe(false);
});
