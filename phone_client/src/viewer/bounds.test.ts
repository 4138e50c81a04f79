import { expect, test } from "vitest";
import { PHOTONS, rangeLabel, rangeOf, STEPS, valueAt } from "./bounds";
import { keepPreferences, keptPreferences } from "./preferences";
import { DEFAULT_LOOK } from "./contrast";
import { pinch } from "./gestures";

test("the ends of the sliders stand for any value", () => {
  expect(rangeOf(0, STEPS, PHOTONS)).toEqual({ from: -Infinity, to: Infinity });
  expect(rangeOf(50, STEPS, PHOTONS)).toEqual({ from: valueAt(50, PHOTONS), to: Infinity });
  expect(rangeOf(0, 50, PHOTONS)).toEqual({ from: -Infinity, to: valueAt(50, PHOTONS) });
});

test("sliders that are crossed choose the range between them", () => {
  expect(rangeOf(70, 30, PHOTONS)).toEqual(rangeOf(30, 70, PHOTONS));
});

test("equal steps are equal ratios", () => {
  expect(valueAt(0, PHOTONS)).toBe(PHOTONS.low);
  expect(valueAt(STEPS, PHOTONS)).toBe(PHOTONS.high);
  expect(valueAt(50, PHOTONS)).toBe(450);
});

test("a range says what it means", () => {
  const labels = [rangeOf(0, 100, PHOTONS), { from: 5, to: Infinity }, { from: -Infinity, to: 9 }, { from: 5, to: 9 }];
  expect(labels.map((range) => rangeLabel(range, "any"))).toEqual(["any", "≥ 5", "≤ 9", "5 – 9"]);
});

function keep(text: string | null) {
  let kept = text;
  return { getItem: () => kept, setItem: (_: string, value: string) => void (kept = value) };
}

test("how a person likes images to look is kept", () => {
  const store = keep(null);
  const wanted = {
    look: { ...DEFAULT_LOOK, colormap: "fire", invert: true },
    drawWith: "canvas",
    compareAs: "swipe",
  } as const;
  keepPreferences(wanted, store);
  expect(keptPreferences(store)).toEqual(wanted);
});

test.each([
  ["nothing", null],
  ["not JSON", "{"],
  ["no object", "7"],
  ["nonsense", '{"look":{"gamma":99,"colormap":"mud"}}'],
])("%s in the browser's storage gives the usual look", (_, text) =>
  expect(keptPreferences(keep(text))).toEqual({ look: DEFAULT_LOOK, drawWith: "auto", compareAs: "side" }),
);

test("two fingers that part enlarge what is between them", () => {
  const made: unknown[] = [];
  const moves = {
    pan: (...by: number[]) => made.push(["pan", ...by]),
    zoom: (...by: number[]) => made.push(["zoom", ...by]),
  };
  pinch(moves, [100, 100], [200, 100], [300, 100]);
  expect(made).toEqual([
    ["pan", 50, 0],
    ["zoom", 2, 200, 100],
  ]);
});
