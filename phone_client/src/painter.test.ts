import { expect, test } from "vitest";
import { bytesOf, examples } from "./fakes";
import { GrowingImage } from "./image";
import { type BinaryMessage, decodeBinary, ROW_VALUES } from "./live";
import { Painter, type Rectangle, type Surface } from "./painter";

const FIELD = { widthPx: 64, heightPx: 64, pixelSizeNm: 100 };

class FakeSurface implements Surface {
  width = 0;
  height = 0;
  pixels = new Uint32Array();
  readonly puts: Rectangle[] = [];

  put(pixels: Uint32Array<ArrayBuffer>, _: number, dirty: Rectangle): void {
    this.pixels = pixels;
    this.puts.push(dirty);
  }
}

const snapshot = () => decodeBinary(bytesOf(examples.snapshot));
const delta = () => decodeBinary(bytesOf(examples.delta));
const frozen = (nowMs: number) => () => nowMs;

function manyRows(count: number): BinaryMessage {
  const values = new Float32Array(count * ROW_VALUES).fill(500);
  return { kind: "snapshot", rows: { count, values }, framesProcessed: 1, endFrame: 1, leftOut: 0 };
}

test("an empty image is painted once, black, and then left alone", () => {
  const surface = new FakeSurface();
  const painter = new Painter(new GrowingImage(FIELD), surface);
  painter.paint(frozen(0), 1);
  painter.paint(frozen(2000), 2001);
  expect([surface.width, surface.height]).toEqual([320, 320]);
  expect(surface.puts).toEqual([{ left: 0, top: 0, right: 320, bottom: 320 }]);
  expect(surface.pixels.every((word) => word === 0xff000000)).toBe(true);
});

test("a delta repaints only the part that it touches", () => {
  const surface = new FakeSurface();
  const painter = new Painter(new GrowingImage(FIELD), surface);
  painter.handle(snapshot());
  painter.paint(frozen(0), 1);
  painter.handle(delta());
  painter.paint(frozen(100), 101);
  expect(surface.puts[1]).toMatchObject({ left: 0, top: 0 });
  expect(surface.puts[1]!.right).toBeLessThan(100);
  expect(surface.pixels.some((word) => word !== 0xff000000)).toBe(true);
});

test("another snapshot replaces what was there, and what still waited", () => {
  const image = new GrowingImage(FIELD);
  const painter = new Painter(image, new FakeSurface());
  painter.handle(snapshot());
  painter.paint(frozen(0), 1);
  painter.handle(delta());
  painter.handle(snapshot());
  painter.paint(frozen(100), 101);
  expect(image.drawn + image.outside).toBe(snapshot().rows.count);
});

test("a large snapshot is drawn over several turns, so that the page stays responsive", () => {
  const image = new GrowingImage(FIELD);
  const painter = new Painter(image, new FakeSurface());
  painter.handle(manyRows(5000));
  painter.paint(frozen(10), 10);
  expect(image.drawn).toBeGreaterThan(0);
  expect(image.drawn).toBeLessThan(5000);
  painter.paint(frozen(10), 11);
  expect(image.drawn).toBe(5000);
});
