import { expect, test } from "vitest";
import { acquisitionWith, bytesOf, examples } from "../app/fakes";
import { decodeBinary } from "../live/messages";
import { LiveFigures, count } from "./figures";

function figuresOf(changes: Parameters<typeof acquisitionWith>[0], messages: string[] = []) {
  const live = new LiveFigures();
  live.tell(acquisitionWith(changes));
  for (const message of messages) live.handle(decodeBinary(bytesOf(message)));
  return Object.fromEntries(live.figures.map((figure) => [figure.key, figure]));
}

test("what is not known is not yet there, and never a number", () => {
  const figures = figuresOf({ state: "receiving" });
  for (const key of ["photons", "precision", "lag", "fps", "drift", "resolution", "density", "background"]) {
    expect(figures[key]!.value).toBe("not yet");
  }
});

test("what is not known of what is over will never be known", () => {
  for (const state of ["finished", "failed", "cancelled"] as const) {
    const figures = figuresOf({ state });
    for (const key of ["photons", "drift", "resolution", "density"]) expect(figures[key]!.value).toBe("–");
  }
});

test("rows give figures and their course", () => {
  const told = { state: "receiving", roi: "0,0,8,6", lag_s: 0.44, localizations: 16, frames_processed: 12 } as const;
  const figures = figuresOf(told, [examples.snapshot, examples.delta]);
  expect(figures["perFrame"]!.plot).toHaveLength(12);
  expect(figures["perFrame"]!.plot!.reduce<number>((sum, value) => sum + value!, 0)).toBe(16);
  expect(figures["density"]!.value).toBe("2.78"); // 16 in 12 frames of 0.48 µm²
  expect(figures["lag"]!.value).toBe("0.4 s");
  expect(figures["background"]!.value).toBe("10.0");
});

test("of what is over the figures are those of all processed frames, as in its report", () => {
  const settings = { ...acquisitionWith().settings, frames: "0:8" };
  const over = { state: "finished", localizations: 16, frames_processed: 8, settings } as const;
  const figures = figuresOf(over, [examples.snapshot, examples.delta]);
  expect(figures["perFrame"]!.value).toBe("2.00");
  expect(figures["perFrame"]!.plot!.slice(8)).toEqual([null, null, null, null]);
  expect(figures["background"]!.value).toBe("10.0");
});

test("another snapshot replaces what was counted", () => {
  const once = figuresOf({}, [examples.snapshot]);
  const twice = figuresOf({}, [examples.snapshot, examples.snapshot]);
  expect(twice["perFrame"]!.plot).toEqual(once["perFrame"]!.plot);
});

test("lost and damaged frames warn, and what is over has no pace", () => {
  const figures = figuresOf({ state: "finished", frames_lost: 2, resolution_nm: 41.6 });
  expect([figures["lost"]!.warns, figures["damaged"]!.warns]).toEqual([true, false]);
  expect([figures["lag"], figures["fps"]]).toEqual([undefined, undefined]);
  expect(figures["resolution"]!.value).toBe("42 nm");
});

test("drift and resolution are shown as soon as the server knows them", () => {
  const live = new LiveFigures();
  live.tell(acquisitionWith({ state: "receiving" }));
  const before = Object.fromEntries(live.figures.map(({ key, value }) => [key, value]));
  expect([before["drift"], before["resolution"]]).toEqual(["not yet", "not yet"]);
  live.tell(acquisitionWith({ state: "receiving", drift_nm: 8.26, resolution_nm: 55 }));
  const values = Object.fromEntries(live.figures.map(({ key, value }) => [key, value]));
  expect([values["drift"], values["resolution"]]).toEqual(["8.3 nm", "55 nm"]);
});

test("thousands are told apart", () => {
  expect([7, 1234, 1_234_567].map(count)).toEqual(["7", "1\u202f234", "1\u202f234\u202f567"]);
});
