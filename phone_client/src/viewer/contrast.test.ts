import { expect, test } from "vitest";
import { COLORMAPS } from "../generated/tables";
import { COLORMAP_NAMES, DEFAULT_LOOK, brightnessScale, colourTable, levelOf, whiteLevel } from "./contrast";

test("white is the percentile of what is lit, as numpy interpolates it", () => {
  expect(whiteLevel(Float32Array.of(0, 1, 0, 2, 3, 5), 50)).toBe(2.5);
  expect(whiteLevel(Float32Array.of(0, 1, 0, 2, 3, 5), 100)).toBe(5);
  expect(whiteLevel(new Float32Array(4))).toBe(0);
});

test("a large image is sampled to nearly the same white", () => {
  const values = new Float32Array(2 ** 20).map((_, place) => (place * 7919) % 1000);
  expect(whiteLevel(values, 90)).toBeCloseTo(900, -1);
});

test("nothing is black, white is white, and brightness never falls between", () => {
  const table = colourTable();
  const sums = [...table].map((word) => (word & 255) + ((word >> 8) & 255) + ((word >> 16) & 255));
  expect(table[0]).toBe(0xff000000);
  const scale = brightnessScale(9);
  expect(table[levelOf(9, scale)]).toBe(0xffffffff);
  expect(table[levelOf(9e12, scale)]).toBe(0xffffffff);
  expect(levelOf(5, brightnessScale(0))).toBe(0);
  expect(sums.every((sum, level) => level === 0 || sum >= sums[level - 1]!)).toBe(true);
  expect(levelOf(4.5, scale)).toBeGreaterThan(levelOf(4, scale));
});

test.each(COLORMAP_NAMES)("%s is the server's colour map, and inverted the same from its other end", (colormap) => {
  const look = { ...DEFAULT_LOOK, colormap, gamma: 1 };
  const [table, inverted] = [colourTable(look), colourTable({ ...look, invert: true })];
  const last = Number.parseInt(COLORMAPS[colormap].slice(-6), 16);
  const word = table.at(-1)!;
  expect(((word & 255) << 16) | (word & 0xff00) | ((word >> 16) & 255)).toBe(last);
  expect([inverted[0], inverted.at(-1)]).toEqual([table.at(-1), table[0]]);
});
