import { expect, test } from "vitest";
import { canBeFinished } from "../viewer/finish";
import { acquisitionWith } from "./fakes";
import { stateWord } from "./states";

test.each([
  ["Filming", { frames_received: 9 }],
  ["Receiving", {}],
  ["Receiving", { frames_received: 9, video_from: "file" }],
  ["Filming", { frames_received: 9, video_from: "phone" }],
  ["Receiving", { frames_received: 9, batch_id: "b" }],
  ["Processing", { frames_received: 9, reprocessed_from: "a" }],
] as const)("what comes in is called %s by what it is: %o", (word, changes) => {
  expect(stateWord(acquisitionWith({ state: "receiving", ...changes }))).toBe(word);
});

test("what a phone filmed is being finished, a recording that has come has only begun", () => {
  const word = (changes: Parameters<typeof acquisitionWith>[0]) =>
    stateWord(acquisitionWith({ state: "processing", frames_received: 9, ...changes }));
  expect(word({ video_from: "phone" })).toBe("Finishing");
  expect(word({ video_from: "file" })).toBe("Processing");
  expect(word({ batch_id: "b" })).toBe("Processing");
  expect(word({ reprocessed_from: "a" })).toBe("Processing");
});

test("what is to be reprocessed waits for its turn, all else for video", () => {
  expect(stateWord(acquisitionWith())).toBe("Waiting for video");
  expect(stateWord(acquisitionWith({ reprocessed_from: "a" }))).toBe("Waiting for its turn");
});

test("what a phone films can be finished once something has come, and while it is open", () => {
  const can = (changes: Parameters<typeof acquisitionWith>[0]) => canBeFinished(acquisitionWith(changes));
  expect([can({ frames_received: 9 }), can({ state: "receiving", frames_received: 9 })]).toEqual([true, true]);
  expect([can({}), can({ frames_received: 9, video_from: "file" })]).toEqual([false, false]);
  expect(can({ state: "finished", frames_received: 9 })).toBe(false);
});
