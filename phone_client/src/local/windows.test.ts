import { expect, test } from "vitest";

import { FILE_CHUNK, RAW_CHUNK } from "../generated/tables";
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

/** Of so many frames, of which those at `keys` are key frames. */
function begun(starts: ChunkStarts, keys: readonly number[], count = 100): number[] {
  return Array.from({ length: count }, (_, at) => at).filter((at) => starts.isNext(keys.includes(at)));
}

test("a key frame begins a chunk once the chunk before is long enough", () => {
  const { frames } = FILE_CHUNK;
  expect(begun(new ChunkStarts(512 * 512, true), [0, 3, frames, frames + 1])).toEqual([0, frames]);
});

test("H.264 without key frames is cut anew, until one comes", () => {
  const { frames } = RAW_CHUNK;
  const last = 2 * frames + 5;
  expect(begun(new ChunkStarts(512 * 512, true), [0, last], 3 * frames)).toEqual([0, frames, 2 * frames, last]);
});

test("what is not H.264 is cut by its length, whatever its key frames", () => {
  const keys = Array.from({ length: 30 }, (_, at) => 30 * at);
  expect(begun(new ChunkStarts(512 * 512, false), keys, 700)).toEqual([0, RAW_CHUNK.frames, 2 * RAW_CHUNK.frames]);
  expect(begun(new ChunkStarts(RAW_CHUNK.bytes / 40, false), [0, 10])).toEqual([0, 40, 80]);
});

test("chunks of large frames are shorter, but not very short", () => {
  const frameBytes = FILE_CHUNK.bytes / 20;
  expect(begun(new ChunkStarts(frameBytes, true), [0, 10, 20, 30, 41])).toEqual([0, 20, 41]);
  expect(begun(new ChunkStarts(FILE_CHUNK.bytes, true), [0, 2, 4, 6, 8, 10])).toEqual([0, 8]);
});
