import { expect, test } from "vitest";
import { rowsAt } from "./fakes";
import { BINS, FrameSeries, TimeSeries } from "./series";
import { pathOf } from "./sparkline";

test("each frame has its own bin while there are few", () => {
  const series = new FrameSeries();
  series.add(rowsAt([{ frame: 0 }, { frame: 0 }, { frame: 2, background: 4 }]), 4);
  expect(series.localizationsPerFrame()).toEqual([2, 0, 1, 0]);
  expect(series.background).toEqual([10, null, 4, null]);
});

test("frames that were not processed are gaps, not frames without molecules", () => {
  const series = new FrameSeries();
  series.add(rowsAt([{ frame: 2 }, { frame: 2 }, { frame: 4 }]), 6);
  const missing = [
    { from: 0, to: 2 },
    { from: 3, to: 4 },
    { from: 5, to: Infinity },
  ];
  expect(series.localizationsPerFrame(missing)).toEqual([null, null, 2, null, 1, null]);
});

test("a bin of which a part was processed tells the mean of that part", () => {
  const series = new FrameSeries();
  series.add(rowsAt([{ frame: 1 }]), 2 * BINS);
  expect(series.localizationsPerFrame([{ from: 0, to: 1 }]).slice(0, 2)).toEqual([1, 0]);
});

test("medians are right to a percent or two", () => {
  const series = new FrameSeries();
  series.add(rowsAt(Array.from({ length: 4001 }, (_, n) => ({ photons: n, precision: 5 + n / 200 }))), 1);
  expect(series.medianPhotons! / 2000).toBeCloseTo(1, 1);
  expect(Math.abs(series.medianPrecisionNm! - 15)).toBeLessThan(0.3);
  expect(series.photons).toEqual([series.medianPhotons]);
});

test("bins grow with the acquisition, and their number does not", () => {
  const [slowly, once] = [new FrameSeries(), new FrameSeries()];
  const spots = Array.from({ length: 5000 }, (_, n) => ({ frame: n, photons: 100 + n }));
  for (const spot of spots) slowly.add(rowsAt([spot]), spot.frame + 1);
  once.add(rowsAt(spots), 5000);
  expect(slowly.width).toBe(32);
  expect(slowly.localizationsPerFrame().length).toBeLessThanOrEqual(BINS);
  expect(slowly.localizationsPerFrame().every((value) => value === 1)).toBe(true);
  expect(slowly.photons).toEqual(once.photons);
});

test("nothing is known of an empty acquisition", () => {
  const series = new FrameSeries();
  expect([series.medianPhotons, series.localizationsPerFrame()]).toEqual([null, []]);
});

test("what is told from time to time is thinned out, and the newest kept", () => {
  const series = new TimeSeries();
  for (let n = 0; n < 10 * BINS; n++) series.add(n);
  expect(series.plot.length).toBeLessThanOrEqual(BINS + 1);
  expect(series.plot.length).toBeGreaterThan(BINS / 2 - 1);
  expect(series.plot.at(-1)).toBeGreaterThan(9 * BINS);
});

test("a line has a gap where nothing is known, and none of a single value", () => {
  expect(pathOf([1]).line).toBe("");
  const { line, area } = pathOf([1, 2, null, 3, 4]);
  expect(line.match(/M/g)).toHaveLength(2);
  expect(area.match(/Z/g)).toHaveLength(2);
});

test("small changes of a large value are seen, and a value that stands still is a line", () => {
  const heights = (values: number[]) =>
    [...pathOf(values).line.matchAll(/ ([\d.]+)/g)].map((match) => Number(match[1]));
  const [low, high] = heights([100, 101]);
  expect(low! - high!).toBeGreaterThan(15);
  expect(new Set(heights([7, 7, 7])).size).toBe(1);
});
