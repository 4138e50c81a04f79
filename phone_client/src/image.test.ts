import { expect, test } from "vitest";
import { bytesOf, examples } from "./fakes";
import { erf, fieldOf, GrowingImage, outputPixelNm, TILE } from "./image";
import { decodeBinary, ROW_VALUES, type Rows } from "./live";

const [widthPx, heightPx] = examples.image.field_px as [number, number];
const FIELD = { widthPx, heightPx, pixelSizeNm: examples.image.pixel_size_nm };

function rowsAt(...points: [number, number, number][]): Rows {
  const values = new Float32Array(points.length * ROW_VALUES);
  points.forEach(([x, y, precision], row) => {
    values[row * ROW_VALUES + 1] = x;
    values[row * ROW_VALUES + 2] = y;
    values[row * ROW_VALUES + 5] = precision;
  });
  return { count: points.length, values };
}

test("the image is the server's own, pixel by pixel", () => {
  const image = new GrowingImage(FIELD);
  for (const data of [examples.snapshot, examples.delta]) image.add(decodeBinary(bytesOf(data)).rows);
  const expected = new Float32Array(bytesOf(examples.image.float32));
  expect([image.height, image.width]).toEqual(examples.image.height_width);
  expect(image.outside).toBe(examples.image.outside);
  image.values.forEach((value, place) => expect(Math.abs(value - expected[place]!)).toBeLessThan(2e-6));
});

test("it grows the same, whatever the size of the deltas", () => {
  const { rows } = decodeBinary(bytesOf(examples.snapshot));
  const once = new GrowingImage(FIELD);
  once.add(rows);
  const slowly = new GrowingImage(FIELD);
  for (let row = 0; row < rows.count; row++) slowly.add(rows, row, row + 1);
  expect(slowly.values).toEqual(once.values);
  expect(slowly.drawn).toBe(once.drawn);
});

test("a localization within the field adds one, and marks only the squares that it touches", () => {
  const image = new GrowingImage({ widthPx: 64, heightPx: 64, pixelSizeNm: 100 });
  image.add(rowsAt([1000, 1000, 10]));
  expect(image.values.reduce((sum, value) => sum + value)).toBeCloseTo(1, 5);
  const tile = Math.floor(52 / TILE);
  expect([...image.changed.keys()].filter((place) => image.changed[place] === 1)).toEqual([
    tile * image.tilesAcross + tile,
  ]);
});

test("what lies beyond the camera's pixels, or nowhere, is counted and left out", () => {
  const image = new GrowingImage(FIELD);
  image.add(rowsAt([-51, 0, 10], [0, 560, 10], [Number.NaN, 0, 10]));
  expect([image.drawn, image.outside]).toEqual([0, 3]);
  expect(image.values.every((value) => value === 0)).toBe(true);
});

test("a large field gets coarser pixels, so that its image fits into a phone's memory", () => {
  expect(outputPixelNm({ widthPx: 512, heightPx: 512, pixelSizeNm: 100 })).toBe(20);
  expect(outputPixelNm({ widthPx: 1024, heightPx: 512, pixelSizeNm: 100 })).toBe(40);
  expect(outputPixelNm({ widthPx: 64, heightPx: 64, pixelSizeNm: 50 })).toBe(10);
});

test("a region of interest gives the field", () => {
  expect(fieldOf("4,8,512,256", 90)).toEqual({ widthPx: 512, heightPx: 256, pixelSizeNm: 90 });
  expect(() => fieldOf("4,8", 90)).toThrow("region of interest");
});

test.each([
  [0, 0],
  [0.5, 0.5204998778],
  [-1, -0.8427007929],
  [3, 0.9999779095],
])("erf(%d)", (x, expected) => expect(erf(x)).toBeCloseTo(expected, 6));
