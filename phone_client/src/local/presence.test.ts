import { expect, test } from "vitest";

import examples from "../generated/examples.json";
import type { Judge } from "../generated/models";
import { JUDGING, PRESENCE } from "../generated/tables";
import { ROW_VALUES, columnIndex } from "../live/messages";
import { Group, bestThreshold } from "./presence";

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

test("a person's own threshold takes the place of the best", () => {
  const row = new Float32Array(ROW_VALUES);
  row[columnIndex("probability")] = 0.8;
  const counts = [0.75, 0.85].map((threshold) => {
    const group = new Group(SCALE, null, threshold);
    group.add(row);
    return group.end()[0]!.length / ROW_VALUES;
  });
  expect(counts).toEqual([1, 0]);
});

test("the best threshold falls with what can be expected", () => {
  const many = <T>(values: T[]): T[] => Array.from({ length: 50 }, () => values).flat();
  const volumePx = JUDGING.unit_volume_px;
  expect(bestThreshold(many([1, 1, 1]), volumePx)).toBeCloseTo(0.5, 5);
  expect(bestThreshold(many([0.9, 0.4, 0.4, 0.4]), volumePx)).toBeLessThan(0.4);
});

test("more is asked of what is seen alone", () => {
  const volumePx = JUDGING.unit_volume_px;
  expect(bestThreshold([], volumePx)).toBe(PRESENCE.least_alone);
  expect(bestThreshold([0.6], volumePx)).toBeGreaterThan(0.6);
  expect(bestThreshold([0.6], volumePx / PRESENCE.group_frames)).toBeLessThan(0.6); // a single frame tells little
});
