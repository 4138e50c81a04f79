import { expect, test } from "vitest";

import { MIN_CHUNK_FRAMES } from "../generated/tables";
import { ChunkStarts } from "./chunk_starts";
import { Windows } from "./windows";

const frame = (index: number) => ({ index, counts: Uint8Array.of(index) });

/** Each window's middle frame and the frames in it. */
function seen(frames: number, windows = new Windows(3)): [number, number[]][] {
  const all = Array.from({ length: frames }, (_, index) => windows.add(frame(index))).flat();
  return [...all, ...windows.endChunk()].map(({ index, frames: inside }) => [index, inside.map(([value]) => value!)]);
}

test("the first and the last frame of a chunk repeat themselves", () => {
  expect(seen(4)).toEqual([
    [0, [0, 0, 1]],
    [1, [0, 1, 2]],
    [2, [1, 2, 3]],
    [3, [2, 3, 3]],
  ]);
});

test("a chunk of one frame is a window of that frame alone", () => {
  expect(seen(1)).toEqual([[0, [0, 0, 0]]]);
});

test("no window reaches into the next chunk", () => {
  const windows = new Windows(3);
  seen(3, windows);
  expect(windows.add(frame(3))).toEqual([]);
  expect(windows.add(frame(4))[0]!.frames.map(([value]) => value)).toEqual([3, 3, 4]);
});

test("five frames of context are five frames", () => {
  expect(seen(4, new Windows(5))[1]).toEqual([1, [0, 0, 1, 2, 3]]);
});

test("a key frame begins a chunk once the chunk before is long enough", () => {
  const starts = new ChunkStarts();
  const keys = [0, 3, MIN_CHUNK_FRAMES, MIN_CHUNK_FRAMES + 1];
  const begun = Array.from({ length: 2 * MIN_CHUNK_FRAMES }, (_, at) => at).filter((at) =>
    starts.isNext(keys.includes(at)),
  );
  expect(begun).toEqual([0, MIN_CHUNK_FRAMES]);
});
