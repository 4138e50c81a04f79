import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { FromCropper } from "./crop_messages";
import { Cropper, INSET_PX, insetOf } from "./cropper";
import { lumaOfPixels } from "./monochrome";

const [WIDTH, HEIGHT] = [64, 48];

/** A camera frame in I420 whose luma tells its place, with colours; copies rectangles tightly, as browsers do. */
class FakeCameraFrame {
  readonly visibleRect = { x: 0, y: 0, width: WIDTH, height: HEIGHT };
  readonly codedWidth = WIDTH;
  readonly codedHeight = HEIGHT;
  readonly duration = null;
  readonly colorSpace = { fullRange: false };
  format = "I420";
  isClosed = false;

  constructor(readonly timestamp: number) {}

  allocationSize({ rect }: { rect: DOMRectInit }): number {
    return (rect.width! * rect.height! * 3) / 2;
  }

  async copyTo(into: Uint8Array, { rect }: { rect: DOMRectInit }): Promise<void> {
    into.fill(77, 0, this.allocationSize({ rect }));
    for (let y = 0; y < rect.height!; y++) {
      for (let x = 0; x < rect.width!; x++) into[y * rect.width! + x] = levelAt(rect.x! + x, rect.y! + y);
    }
  }

  close(): void {
    this.isClosed = true;
  }
}

function levelAt(x: number, y: number): number {
  return (x + 3 * y) % 256;
}

class FakeMadeFrame {
  readonly data: Uint8Array;
  constructor(
    data: Uint8Array,
    readonly init: { format: string; codedWidth: number; timestamp: number },
  ) {
    this.data = data.slice();
  }
}

beforeEach(() => {
  vi.stubGlobal("VideoFrame", FakeMadeFrame);
});
afterEach(() => {
  vi.unstubAllGlobals();
});

function cropper(nowMs = { at: 0 }) {
  const told: FromCropper[] = [];
  const made = new Cropper(
    (message) => told.push(message),
    () => nowMs.at,
  );
  made.square = { x: 10, y: 4, side: 32 };
  return { made, told };
}

async function crop(
  made: Cropper,
  timestamp: number,
): Promise<{ camera: FakeCameraFrame; encoded: FakeMadeFrame | null }> {
  const camera = new FakeCameraFrame(timestamp);
  const encoded = (await made.handle(camera as unknown as VideoFrame)) as unknown as FakeMadeFrame | null;
  return { camera, encoded };
}

test("luma goes through as it is, colours become neutral, the time stays", async () => {
  const { made } = cropper();
  const { camera, encoded } = await crop(made, 4242);
  expect(encoded!.init).toMatchObject({ format: "I420", codedWidth: 32, codedHeight: 32, timestamp: 4242 });
  expect(encoded!.data.length).toBe((32 * 32 * 3) / 2);
  const luma = Array.from({ length: 32 * 32 }, (_, at) => levelAt(10 + (at % 32), 4 + Math.floor(at / 32)));
  expect([...encoded!.data.subarray(0, 32 * 32)]).toEqual(luma);
  expect(new Set(encoded!.data.subarray(32 * 32))).toEqual(new Set([128]));
  expect(camera.isClosed).toBe(true);
});

test("every frame is counted, and one that is left out is closed all the same", async () => {
  const { made, told } = cropper();
  made.pace(10);
  const passed: boolean[] = [];
  for (let n = 0; n < 40; n++) {
    const { camera, encoded } = await crop(made, n * 50_000);
    expect(camera.isClosed).toBe(true);
    passed.push(encoded !== null);
  }
  expect(passed.filter(Boolean).length).toBe(20);
  const counts = told.filter((message) => message.kind === "counts").at(-1)!;
  expect(counts).toMatchObject({ fidelity: "exact", counts: { passed: 20, skipped: 0 } });
});

test("the inset comes ten times a second at most, a sample only when it is asked for", async () => {
  const nowMs = { at: 0 };
  const { made, told } = cropper(nowMs);
  for (let n = 0; n < 20; n++) {
    await crop(made, n * 50_000);
    nowMs.at += 50;
  }
  const kinds = () => told.map((message) => message.kind);
  expect(kinds().filter((kind) => kind === "inset").length).toBe(10);
  expect(kinds()).not.toContain("luma");
  made.sample();
  await crop(made, 2_000_000);
  await crop(made, 2_050_000);
  expect(kinds().filter((kind) => kind === "luma").length).toBe(1);
});

test("the inset shows the place that was touched, and stays inside the square", () => {
  const [width, height] = [200, 200];
  const data = Uint8Array.from({ length: width * height }, (_, at) => levelAt(at % width, Math.floor(at / width)));
  const inset = insetOf({ data, width, height }, { x: 100, y: 60 });
  expect([inset.width, inset.data[0]]).toEqual([INSET_PX, levelAt(76, 36)]);
  expect(insetOf({ data, width, height }, { x: 999, y: -5 }).data[0]).toBe(levelAt(200 - INSET_PX, 0));
  expect(insetOf({ data: data.subarray(0, 100), width: 10, height: 10 }, { x: 5, y: 5 }).width).toBe(10);
});

test("luma of greys is video's: black at 16, white at 235", () => {
  const luma = new Uint8Array(3);
  lumaOfPixels(Uint8ClampedArray.from([0, 0, 0, 255, 128, 128, 128, 255, 255, 255, 255, 255]), luma);
  expect([...luma]).toEqual([16, 126, 235]);
});
