import { expect, test } from "vitest";
import { CommonBrightness, type Index } from "./brightness";

function begun() {
  const asked: Index[] = [];
  return { asked, common: new CommonBrightness((index) => asked.push(index)) };
}

test("the image with more localizations tells how bright both are, and the other one is told", () => {
  const { asked, common } = begun();
  expect(common.of(0, 2)).toBe(2);
  expect(common.of(1, 5)).toBe(5);
  expect(asked).toEqual([1, 0]);
  expect(common.of(0, 2)).toBe(5);
  expect(asked).toEqual([1, 0]);
});

test("a small change is no reason to colour the other image anew", () => {
  const { asked, common } = begun();
  common.of(0, 100);
  asked.length = 0;
  common.of(0, 104);
  expect(asked).toEqual([]);
  common.of(0, 50);
  expect(asked).toEqual([1]);
});

test("each by itself where that is wanted, and both hear of it", () => {
  const { asked, common } = begun();
  common.of(0, 2);
  common.of(1, 5);
  asked.length = 0;
  common.isCommon = false;
  expect(asked).toEqual([0, 1]);
  expect([common.of(0, 2), common.of(1, 5)]).toEqual([2, 5]);
});
