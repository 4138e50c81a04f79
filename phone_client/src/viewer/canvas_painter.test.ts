import { expect, test } from "vitest";
import { bytesOf, examples } from "../app/fakes";
import { decodeBinary } from "../live/messages";
import { GrowingImage, TILE } from "./canvas_painter";
import { type Spot, rowsAt } from "./fakes";
import { type Grid, erf, fieldOf, wholeGrid } from "./rule";
import { NO_FILTER } from "./table";

const [widthPx, heightPx] = examples.image.field_px as [number, number];
const FIELD = { widthPx, heightPx, pixelSizeNm: examples.image.pixel_size_nm };
const WHOLE = wholeGrid(FIELD, examples.image.output_pixel_nm);

function drawn(grid: Grid, ...spots: Spot[]): GrowingImage {
  const image = new GrowingImage(grid, FIELD);
  image.add(rowsAt(spots), { from: 0, to: spots.length }, NO_FILTER);
  return image;
}

function example(grid: Grid): GrowingImage {
  const image = new GrowingImage(grid, FIELD);
  for (const data of [examples.snapshot, examples.delta]) {
    const { rows } = decodeBinary(bytesOf(data));
    image.add(rows, { from: 0, to: rows.count }, NO_FILTER);
  }
  return image;
}

test("the image is the server's own, pixel by pixel", () => {
  const image = example(WHOLE);
  const expected = new Float32Array(bytesOf(examples.image.float32));
  expect([WHOLE.height, WHOLE.width]).toEqual(examples.image.height_width);
  image.values.forEach((value, place) => expect(Math.abs(value - expected[place]!)).toBeLessThan(2e-6));
});

test("a part of the image is that part of the whole, whatever reaches into it", () => {
  const whole = example(WHOLE);
  const part = example({ pixelNm: WHOLE.pixelNm, left: 7, top: 5, width: 20, height: 11 });
  for (let y = 0; y < 11; y++) {
    for (let x = 0; x < 20; x++) {
      expect(part.values[y * 20 + x]).toBeCloseTo(whole.values[(y + 5) * WHOLE.width + x + 7]!, 6);
    }
  }
});

test("a localization within the field adds one, and marks only the squares that it touches", () => {
  const image = drawn(WHOLE, { x: 400, y: 300 });
  expect(image.values.reduce((sum, value) => sum + value)).toBeCloseTo(1, 5);
  image.clearChanges();
  image.add(rowsAt([{ x: 100, y: 100 }]), { from: 0, to: 1 }, NO_FILTER);
  expect([...image.changed.keys()].filter((place) => image.changed[place] === 1)).toEqual([0]);
  expect(TILE).toBeLessThan(WHOLE.width);
});

test("what lies beyond the camera's pixels, or nowhere, is left out", () => {
  const image = drawn(WHOLE, { x: -51 }, { y: 560 }, { x: Number.NaN });
  expect(image.values.every((value) => value === 0)).toBe(true);
});

test("a precision that is not known is drawn as wide as any", () => {
  const unknown = drawn(WHOLE, { x: 400, y: 300, precision: Number.NaN });
  const wide = drawn(WHOLE, { x: 400, y: 300, precision: 1000 });
  expect(unknown.values).toEqual(wide.values);
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
