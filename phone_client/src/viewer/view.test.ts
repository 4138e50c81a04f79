import { expect, test } from "vitest";
import { MIN_NM_PER_PX, type View, areaOf, fit, isWhole, panned, resized, toField, toScreen, zoomed } from "./view";

const FIELD = { widthPx: 200, heightPx: 100, pixelSizeNm: 100 }; // 20 by 10 µm
const WHOLE = fit(FIELD, 800, 600);

test("the whole field fits, as large as it can be", () => {
  expect(WHOLE).toEqual({ xNm: 10_000, yNm: 5000, nmPerPx: 25, widthPx: 800, heightPx: 600 });
  expect(areaOf(WHOLE)).toEqual({ left: 0, top: -2500, right: 20_000, bottom: 12_500 });
});

test("a place of the field and its place on the screen are found from each other", () => {
  const view: View = { ...WHOLE, xNm: 1234, yNm: 777, nmPerPx: 3 };
  expect(toScreen(view, ...toField(view, 17, 450)).map((place) => Math.round(place * 1e9) / 1e9)).toEqual([17, 450]);
});

test("what lies under the pointer stays there while the image grows", () => {
  const before = toField(WHOLE, 100, 200);
  const near = zoomed(WHOLE, FIELD, 4, 100, 200);
  expect(near.nmPerPx).toBe(25 / 4);
  toField(near, 100, 200).forEach((place, axis) => expect(place).toBeCloseTo(before[axis]!, 6));
});

test("dragging moves the image by as much as the pointer", () => {
  const near = zoomed(WHOLE, FIELD, 10);
  const [x, y] = toScreen(panned(near, FIELD, 30, -20), 10_000, 5000);
  expect([x, y]).toEqual([430, 280]);
});

test("one can neither lose the field from sight nor get lost in a point", () => {
  const far = panned(WHOLE, FIELD, 1e6, -1e6);
  expect([far.xNm, far.yNm]).toEqual([0, 10_000]);
  expect(zoomed(WHOLE, FIELD, 1e9).nmPerPx).toBe(MIN_NM_PER_PX);
  expect(zoomed(WHOLE, FIELD, 1e-9).nmPerPx).toBe(2 * WHOLE.nmPerPx);
});

test("another size of the screen keeps place and scale", () => {
  const near = zoomed(WHOLE, FIELD, 8, 10, 10);
  expect(resized(near, FIELD, 300, 900)).toEqual({ ...near, widthPx: 300, heightPx: 900 });
});

test("the whole field is known as such, also on a screen that is a pixel wider", () => {
  expect(isWhole(WHOLE, FIELD)).toBe(true);
  expect(isWhole({ ...WHOLE, widthPx: 801 }, FIELD)).toBe(true);
  expect(isWhole(zoomed(WHOLE, FIELD, 1.1), FIELD)).toBe(false);
  expect(isWhole({ ...WHOLE, xNm: 9000 }, FIELD)).toBe(false);
});
