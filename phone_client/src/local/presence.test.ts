import { expect, test } from "vitest";

import examples from "../generated/examples.json";
import type { Judge } from "../generated/models";
import { JUDGING, PRESENCE } from "../generated/tables";
import { ROW_VALUES, columnIndex } from "../live/messages";
import { Group, best } from "./presence";

const SCALE = { framePixels: 100, pixelSizeNm: 100 };

const floats = (base64: string) => new Float32Array(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)).buffer);
const frameOf = (rows: Float32Array, row: number) => new Uint32Array(rows.buffer)[row * ROW_VALUES];

/** Of each frame, in their order. */
function byFrame(rows: Float32Array, frames: number): Float32Array[] {
  const parts = Array.from({ length: frames }, (): number[] => []);
  for (let row = 0; row < rows.length / ROW_VALUES; row++) parts[frameOf(rows, row)!]!.push(row);
  return parts.map((own) => {
    const part = new Float32Array(own.length * ROW_VALUES);
    const bits = new Uint32Array(part.buffer);
    for (const [index, row] of own.entries()) {
      bits.set(new Uint32Array(rows.buffer, 4 * row * ROW_VALUES, ROW_VALUES), index * ROW_VALUES);
    }
    return part;
  });
}

test("of a server's candidates the same are reported as the server reports", () => {
  const { presence } = examples;
  const scale = { framePixels: presence.frame_pixels, pixelSizeNm: presence.pixel_size_nm };
  const group = new Group(scale, presence.judge as unknown as Judge, null);
  const frames = byFrame(floats(presence.candidates), presence.frames);
  const reported = [...frames.flatMap((rows) => group.add(rows)), ...group.end()];
  const expected = floats(presence.reported);
  const rows = reported.flatMap((part) => [...part]);
  expect(rows).toHaveLength(expected.length);
  const revised = [columnIndex("probability"), columnIndex("precision_nm")];
  for (const [at, value] of rows.entries()) {
    if (revised.includes(at % ROW_VALUES)) expect(value / expected[at]!).toBeCloseTo(1, 5);
    else expect(value).toBe(expected[at]);
  }
});

test("nothing is reported before a group is full or its chunk over", () => {
  const row = new Float32Array(ROW_VALUES);
  row[columnIndex("probability")] = 1;
  const group = new Group(SCALE, null, null);
  const given = Array.from({ length: PRESENCE.group_frames }, () => group.add(row).length);
  expect(given).toEqual([...Array.from({ length: PRESENCE.group_frames - 1 }, () => 0), PRESENCE.group_frames]);
  expect(group.end()).toEqual([]);
});

test("a person's own threshold takes the place of the best choice", () => {
  const row = new Float32Array(ROW_VALUES);
  row[columnIndex("probability")] = 0.8;
  const counts = [0.75, 0.85].map((threshold) => {
    const group = new Group(SCALE, null, threshold);
    group.add(row);
    return group.end()[0]!.length / ROW_VALUES;
  });
  expect(counts).toEqual([1, 0]);
});

const many = <T>(values: T[]): T[] => Array.from({ length: 50 }, () => values).flat();
const chosenOf = (probability: number[], precisionPx: number[], volumePx: number = JUDGING.unit_volume_px) =>
  probability.filter((_, at) => best(probability, precisionPx, volumePx)[at]!);

test("less is asked where less can be expected", () => {
  const sharp = many([0.1, 0.1, 0.1, 0.1]);
  expect(chosenOf(many([1, 1, 1, 0.4]), sharp)).toEqual(many([1, 1, 1]));
  expect(chosenOf(many([0.9, 0.4, 0.4, 0.4]), sharp)).toHaveLength(sharp.length);
});

test("more is asked of what is vague", () => {
  const faint = many([0.9, 0.9, 0.9, 0.6]);
  expect(chosenOf(faint, many([0.2, 0.2, 0.2, 0.2]))).toHaveLength(faint.length);
  expect(chosenOf(faint, many([0.2, 0.2, 0.2, 1.2]))).toEqual(many([0.9, 0.9, 0.9]));
});

test("more is asked of what is seen alone", () => {
  expect(chosenOf([], [])).toEqual([]);
  expect(chosenOf([PRESENCE.least_alone - 0.05], [0.1])).toEqual([]);
  expect(chosenOf([0.6], [0.1], JUDGING.unit_volume_px / PRESENCE.group_frames)).toEqual([0.6]); // a single frame tells little
});
