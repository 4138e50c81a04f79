import { expect, test } from "vitest";
import { centred, fitted, moved, onSensor, resized, sidesFor, within } from "./square";

const HD = { width: 1280, height: 720 };

test("the default square lies in the middle, on even pixels", () => {
  expect(centred(HD, 512)).toEqual({ x: 384, y: 104, side: 512 });
  expect(centred({ width: 1281, height: 723 }, 512)).toEqual({ x: 384, y: 106, side: 512 });
});

test("sides that do not fit are not offered, and a small picture is taken whole", () => {
  expect(sidesFor(HD)).toEqual([128, 256, 512, 720]);
  expect(sidesFor({ width: 1920, height: 1080 })).toEqual([128, 256, 512, 768, 1024]);
  expect(sidesFor({ width: 100, height: 100 })).toEqual([96]);
  expect(centred({ width: 192, height: 192 }, 512)).toEqual({ x: 0, y: 0, side: 192 });
});

test("a square cannot be moved out of the picture", () => {
  const square = centred(HD, 512);
  expect(moved(HD, square, -9999, 9999)).toEqual({ x: 0, y: 208, side: 512 });
  expect(moved(HD, square, 3, 0).x % 2).toBe(0);
});

test("another side keeps the middle where there is room", () => {
  const small = resized(HD, { x: 384, y: 104, side: 512 }, 256);
  expect(small).toEqual({ x: 512, y: 232, side: 256 });
  expect(resized(HD, { x: 0, y: 0, side: 256 }, 512)).toEqual({ x: 0, y: 0, side: 512 });
});

test("a remembered square is fitted into another camera's picture", () => {
  expect(fitted(HD, { x: 1900, y: 0, side: 512 })).toEqual({ x: 768, y: 0, side: 512 });
  expect(fitted(HD, { x: 10, y: 10, side: 1024 })).toEqual(centred(HD, 720));
});

test("odd sizes leave no odd place", () => {
  expect(within({ width: 641, height: 481 }, { x: 500, y: 500, side: 256 })).toEqual({ x: 384, y: 224, side: 256 });
});

test("a frame that people see turned is cropped where they chose", () => {
  const square = { x: 20, y: 100, side: 512 }; // of a picture 720 wide and 1280 high
  expect(onSensor(HD, square, 90)).toEqual({ x: 100, y: 188, side: 512 });
  expect(onSensor(HD, square, 270)).toEqual({ x: 668, y: 20, side: 512 });
  expect(onSensor(HD, { x: 20, y: 100, side: 512 }, 180)).toEqual({ x: 748, y: 108, side: 512 });
  expect(onSensor(HD, { x: 20, y: 100, side: 512 }, 0)).toEqual({ x: 20, y: 100, side: 512 });
});
