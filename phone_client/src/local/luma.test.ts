import { expect, test } from "vitest";

import { type CopiedFrame, centred, lumaOf, turned } from "./luma";

/** A frame whose luma tells its place: 16 * row + column. */
function planar(codedWidth: number, codedHeight: number, format: VideoPixelFormat = "I420"): CopiedFrame {
  return {
    format,
    codedWidth,
    codedHeight,
    allocationSize: (options) => (options!.rect!.width! + 3) * options!.rect!.height! * 2,
    copyTo: async (target, options) => {
      const { x = 0, y = 0, width = 0, height = 0 } = options!.rect!;
      if (x % 2 || y % 2) throw new TypeError("a corner amid the samples of colour");
      const data = target as Uint8Array;
      const stride = width + 3;
      for (let row = 0; row < height; row++) {
        for (let column = 0; column < width; column++) data[row * stride + column] = 16 * (y + row) + x + column;
      }
      return [{ offset: 0, stride }];
    },
  };
}

test("luma is taken as it is, also from an odd corner", async () => {
  const luma = await lumaOf(planar(12, 10), { x: 3, y: 5, width: 3, height: 2 });
  expect([...luma]).toEqual([83, 84, 85, 99, 100, 101]);
});

test("black and white of a picture in colours are video's", async () => {
  const frame: CopiedFrame = {
    format: "RGBA",
    codedWidth: 2,
    codedHeight: 1,
    allocationSize: () => 8,
    copyTo: async (target) => {
      (target as Uint8Array).set([0, 0, 0, 255, 255, 255, 255, 255]);
      return [{ offset: 0, stride: 8 }];
    },
  };
  expect([...(await lumaOf(frame, { x: 0, y: 0, width: 2, height: 1 }))]).toEqual([16, 235]);
});

test("a kind of picture that it cannot read is told", async () => {
  const frame = { ...planar(8, 8), format: "I420P10" as VideoPixelFormat };
  await expect(lumaOf(frame, { x: 0, y: 0, width: 8, height: 8 })).rejects.toThrow("I420P10");
});

test("the square is in the middle, and no larger than the frame", () => {
  expect(centred(64, { x: 0, y: 0, width: 100, height: 70 })).toEqual({ x: 18, y: 3, width: 64, height: 64 });
  expect(centred(64, { x: 2, y: 0, width: 50, height: 70 })).toEqual({ x: 2, y: 3, width: 50, height: 64 });
});

test("a video that was filmed upright is turned, and so is the place of its part", () => {
  const counts = Uint8Array.from([1, 2, 3, 4, 5, 6]); // two rows of three
  const region = { x: 10, y: 4, width: 3, height: 2 };
  const whole = { width: 20, height: 12 };
  expect(turned(counts, region, whole, 0)).toEqual({ counts, region });
  const once = turned(counts, region, whole, 1);
  expect([...once.counts]).toEqual([4, 1, 5, 2, 6, 3]);
  expect(once.region).toEqual({ x: 6, y: 10, width: 2, height: 3 });
  const twice = turned(counts, region, whole, 2);
  expect([...twice.counts]).toEqual([6, 5, 4, 3, 2, 1]);
  expect(twice.region).toEqual({ x: 7, y: 6, width: 3, height: 2 });
  expect([...turned(counts, region, whole, 3).counts]).toEqual([3, 6, 2, 5, 1, 4]);
});
