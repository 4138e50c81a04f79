import { expect, test } from "vitest";
import { acquisitionWith } from "../app/fakes";
import { type View, fit, zoomed } from "../viewer/view";
import { areFramesTurned, changesOf, formOf, regionSeen, wholeFrame } from "./changes";

const SETTINGS = { ...acquisitionWith().settings, threshold: 0.4, frames: "10:50" };
const KEPT = acquisitionWith({ settings: SETTINGS, roi: "16,8,64,64", frame_width: 128, frame_height: 96 });
const FORM = formOf(KEPT, "Cells");

test("the form tells how it was made, with the last frame included", () => {
  expect(FORM).toEqual({
    name: "Cells",
    model: "default",
    threshold: "0.4",
    roi: "16,8,64,64",
    firstFrame: "10",
    lastFrame: "49",
  });
  expect(formOf(acquisitionWith(), "x")).toMatchObject({ threshold: "", roi: "", firstFrame: "", lastFrame: "" });
});

test("what is left as it was is not sent", () => {
  expect(changesOf(FORM, KEPT)).toEqual({});
  expect(changesOf({ ...FORM, roi: "16, 8, 64, 64" }, KEPT)).toEqual({});
});

test("what is otherwise is sent as the server reads it", () => {
  const form = {
    name: "new",
    model: "classical",
    threshold: "0.55",
    roi: "0, 0, 32, 32",
    firstFrame: "",
    lastFrame: "9",
  };
  expect(changesOf(form, KEPT)).toEqual({
    name: "new",
    model: "classical",
    threshold: 0.55,
    roi: "0,0,32,32",
    frames: "0:10",
  });
});

test("what is emptied goes back to the generator's own, and to everything", () => {
  const changes = changesOf({ ...FORM, threshold: "", roi: "", firstFrame: "", lastFrame: "" }, KEPT);
  expect(changes).toEqual({ threshold: null, roi: null, frames: null });
  expect(changesOf({ ...FORM, lastFrame: "" }, KEPT)).toEqual({ frames: "10:" });
});

test("frames in the wrong order are noticed", () => {
  expect(areFramesTurned({ ...FORM, firstFrame: "50", lastFrame: "49" })).toBe(true);
  expect(areFramesTurned({ ...FORM, firstFrame: "49", lastFrame: "49" })).toBe(false);
  expect(areFramesTurned({ ...FORM, firstFrame: "50", lastFrame: "" })).toBe(false);
});

test("what is in view is a region of the frame, in whole camera pixels", () => {
  const field = { widthPx: 64, heightPx: 64, pixelSizeNm: 100 };
  const whole = fit(field, 640, 320);
  expect(regionSeen(whole, KEPT)).toBeNull();
  // 20 nm per pixel: 128 camera pixels across, of which 32 lie on the left of the region.
  expect(regionSeen(zoomed(whole, field, 1), { ...KEPT, roi: "16,8,200,200" })).toBe("16,8,96,64");
  const near: View = { ...whole, xNm: 3200, yNm: 1550, nmPerPx: 5 };
  expect(regionSeen(near, KEPT)).toBe("32,15,32,17");
});

test("a view of less than a region may have still gives one, within the old one", () => {
  const near: View = { xNm: 6400, yNm: 0, nmPerPx: 0.5, widthPx: 100, heightPx: 100 };
  expect(regionSeen(near, KEPT)).toBe("72,8,8,8");
  expect(regionSeen(near, acquisitionWith())).toBeNull();
});

test("the whole frame is known with its first frame", () => {
  expect(wholeFrame(KEPT)).toBe("0,0,128,96");
  expect(wholeFrame(acquisitionWith())).toBeNull();
});
