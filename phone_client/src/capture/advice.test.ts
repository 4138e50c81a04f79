import { expect, test } from "vitest";
import { Sharpest, adviceOf } from "./advice";
import type { Measurement } from "./measure";

const GOOD: Measurement = {
  histogram: [],
  black: 0,
  white: 0,
  peak: 0.6,
  spotSigmaPx: 1.4,
  spots: 200,
  density: 0.001,
};

test("a good picture is good in every way", () => {
  expect(adviceOf(GOOD, 1.4)).toEqual({ light: "good", focus: "sharp", blinking: "good" });
});

test("light: clipping at white comes before all, then black, then too little", () => {
  expect(adviceOf({ ...GOOD, white: 0.01, black: 0.5, peak: 0.1 }, null).light).toBe("clipped");
  expect(adviceOf({ ...GOOD, black: 0.5, peak: 0.1 }, null).light).toBe("black_clipped");
  expect(adviceOf({ ...GOOD, peak: 0.1 }, null).light).toBe("dark");
});

test("focus is told against the sharpest of late", () => {
  expect(adviceOf({ ...GOOD, spotSigmaPx: 1.8 }, 1.4).focus).toBe("soft");
  expect(adviceOf({ ...GOOD, spotSigmaPx: 1.8 }, null).focus).toBe("sharp");
  expect(adviceOf({ ...GOOD, spotSigmaPx: null }, 1.4).focus).toBe("unknown");
});

test("blinking: none, few, good, crowded", () => {
  const told = [0, 0.00005, 0.002, 0.02].map((density) => adviceOf({ ...GOOD, density }, null).blinking);
  expect(told).toEqual(["none", "few", "good", "crowded"]);
});

test("one lucky picture does not set the mark, and a minute later it is forgotten", () => {
  const sharpest = new Sharpest();
  [2, 2, 2, 1, 2, 2].forEach((sigma, at) => sharpest.add(sigma, at * 250));
  expect(sharpest.sigmaPx).toBe(2);
  [1.5, 1.5, 1.5, 1.5, 1.5].forEach((sigma, at) => sharpest.add(sigma, 2000 + at * 250));
  expect(sharpest.sigmaPx).toBe(1.5);
  sharpest.add(null, 60_000);
  for (let at = 0; at < 5; at++) sharpest.add(2.5, 70_000 + at * 250);
  expect(sharpest.sigmaPx).toBe(2.5);
  expect(sharpest.add(null, 71_000)).toBeNull();
});
