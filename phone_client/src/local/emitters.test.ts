import { expect, test } from "vitest";

import examples from "../generated/examples.json";
import { CAMERAS } from "../generated/tables";
import { ROW_VALUES } from "../live/messages";
import { EmitterMap } from "./emitters";

const { emitters } = examples;
const [height, width] = emitters.height_width as [number, number];
const readout = { threshold: null, pixelSizeNm: emitters.pixel_size_nm, ...CAMERAS.phone };

const floats = (base64: string) => new Float32Array(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)).buffer);

test("a generator's output becomes the server's candidates", () => {
  const map = new EmitterMap(floats(emitters.output), height, width);
  const rows = map.candidates(41, readout);
  const expected = floats(emitters.rows);
  expect(rows.length / ROW_VALUES).toBe(emitters.count);
  expect(new Uint32Array(rows.buffer)[0]).toBe(41);
  for (let at = 0; at < expected.length; at++) {
    if (at % ROW_VALUES !== 0) expect(rows[at]).toBeCloseTo(expected[at]!, 2);
  }
});

test("what lies in the padding is no candidate", () => {
  const map = new EmitterMap(floats(emitters.output), height, width, 8, width);
  const rows = map.candidates(0, readout);
  const lowest = Math.max(...Array.from({ length: rows.length / ROW_VALUES }, (_, row) => rows[row * ROW_VALUES + 2]!));
  expect(rows.length).toBeGreaterThan(0);
  expect(lowest).toBeLessThan((7 + 0.9) * emitters.pixel_size_nm + 1);
});

test("where a network has gone astray, the other candidates still count", () => {
  const output = floats(emitters.output);
  const all = new EmitterMap(output, height, width).candidates(0, readout).length / ROW_VALUES;
  const likeliest = output
    .subarray(0, height * width)
    .reduce((best, value, at, of) => (value > of[best]! ? at : best), 0);
  for (let channel = 1; channel < output.length / (height * width); channel++) {
    const astray = Float32Array.from(output);
    astray[channel * height * width + likeliest] = NaN;
    const rows = new EmitterMap(astray, height, width).candidates(0, readout);
    expect(rows.every((value, at) => at % ROW_VALUES === 0 || Number.isFinite(value))).toBe(true);
    expect(rows.length / ROW_VALUES).toBeGreaterThanOrEqual(all - 2);
    expect(rows.length / ROW_VALUES).toBeLessThan(all + 1);
  }
});

test("an output of another size is refused", () => {
  expect(() => new EmitterMap(new Float32Array(7), height, width)).toThrow("7 values");
});
