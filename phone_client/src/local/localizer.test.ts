import { expect, test } from "vitest";

import { EMITTER_CHANNELS } from "../generated/tables";
import type { GeneratorSpec } from "../generated/models";
import { rowsOfTable } from "../live/messages";
import { Localizer } from "./localizer";

const SPEC: GeneratorSpec = {
  name: "fake",
  version: "1",
  sha256: null,
  output: "emitters",
  context_frames: 3,
  size_multiple: 8,
  threshold: null,
  judge: null,
  upsampling: 1,
  precision_px: null,
  least_signal: 0,
  map_signal: 1,
};
const READOUT = { threshold: null, pixelSizeNm: 100, gain: 1, offset: 0 };

/** Finds one emitter in each window, whose signal is the sum of the window's first pixels. */
async function predict(windows: Float32Array, height: number, width: number): Promise<Float32Array> {
  const output = new Float32Array(EMITTER_CHANNELS.length * height * width);
  output[2 * width + 3] = 0.9;
  for (let frame = 0; frame < 3; frame++)
    output[3 * height * width + 2 * width + 3]! += windows[frame * height * width]!;
  return output;
}

const frame = (value: number) => new Uint8Array(10 * 12).fill(value);

test("every frame is localized once, each in its own window", async () => {
  const localizer = new Localizer(predict, SPEC, { height: 10, width: 12 }, READOUT);
  for (const [index, value] of [1, 10, 100].entries()) await localizer.add(frame(value), index === 0);
  await localizer.end();
  const found = localizer.take();
  const rows = rowsOfTable(found.table);
  expect([...rows.frame]).toEqual([0, 1, 2]);
  expect([...rows.photons]).toEqual([12, 111, 210]);
  expect([...rows.x_nm]).toEqual([300, 300, 300]);
  expect(found).toMatchObject({ framesProcessed: 3, endFrame: 3 });
});

test("what was taken does not come again", async () => {
  const localizer = new Localizer(predict, SPEC, { height: 10, width: 12 }, READOUT);
  await localizer.add(frame(1), true);
  await localizer.add(frame(1), false);
  expect(rowsOfTable(localizer.take().table).count).toBe(0); // nothing yet: they are judged together
  await localizer.end();
  expect(rowsOfTable(localizer.take().table).count).toBe(2);
  expect(rowsOfTable(localizer.take().table).count).toBe(0);
});

test("a chunk's end keeps its last frame from seeing the next chunk's first", async () => {
  const localizer = new Localizer(predict, SPEC, { height: 10, width: 12 }, READOUT);
  await localizer.add(frame(1), true);
  await localizer.add(frame(2), false);
  await localizer.add(frame(100), true);
  await localizer.end();
  expect([...rowsOfTable(localizer.take().table).photons]).toEqual([4, 5, 300]);
});

test("a picture is enlarged to the generator's multiple by repeating its border", async () => {
  const seen: number[][] = [];
  const look = async (windows: Float32Array, height: number, width: number) => {
    seen.push([height, width, windows[width - 1]!, windows[(height - 1) * width]!]);
    return new Float32Array(EMITTER_CHANNELS.length * height * width);
  };
  const counts = new Uint8Array(10 * 12).map((_, at) => at);
  const localizer = new Localizer(look, SPEC, { height: 10, width: 12 }, READOUT);
  await localizer.add(counts, true);
  await localizer.end();
  expect(seen).toEqual([[16, 16, 11, 9 * 12]]);
});
