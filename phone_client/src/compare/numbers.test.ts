import { expect, test } from "vitest";
import { acquisitionWith } from "../app/fakes";
import type { Acquisition, Comparison, GeneratorSpec, Side } from "../generated/models";
import { unknownFor } from "../viewer/figures";
import { factsOf, isSameRecording, partOf, rowsOf, settingsOf } from "./numbers";

const SIDE: Side = {
  localizations: 12_000,
  frames: 400,
  photons_median: 850,
  precision_nm_median: 12.4,
  resolution_nm: null,
  matched_share: 0.75,
};
const COMPARISON: Comparison = {
  first: SIDE,
  second: { ...SIDE, localizations: 9000, photons_median: 935, matched_share: 1 },
  tolerance_nm: 200,
  matched: 9000,
  jaccard: 0.75,
  offset_x_nm: -0.04,
  offset_y_nm: 3.21,
  distance_nm_rms: 18.2,
  photon_ratio_median: 1.1,
  identical: false,
};
const NOTHING: Comparison = {
  ...COMPARISON,
  second: { ...SIDE, localizations: 0, photons_median: null, precision_nm_median: null, matched_share: null },
  matched: 0,
  offset_x_nm: null,
  offset_y_nm: null,
  distance_nm_rms: null,
  photon_ratio_median: null,
};

const made = (changes: Partial<Acquisition["settings"]>, more: Partial<Acquisition> = {}) =>
  acquisitionWith({ settings: { ...acquisitionWith().settings, ...changes }, roi: "0,0,64,64", ...more });

test("figures stand side by side, with the second by the first", () => {
  const [localizations, , shared, photons, precision, resolution] = rowsOf(COMPARISON, "unknown");
  expect(localizations).toMatchObject({ first: "12\u202f000", second: "9\u202f000", ratio: "×0.75" });
  expect(shared).toMatchObject({ first: "75\u00a0%", second: "100\u00a0%", ratio: "" });
  expect(photons).toMatchObject({ first: "850", second: "935", ratio: "×1.10" });
  expect(precision).toMatchObject({ first: "12 nm", ratio: "×1.00" });
  expect(resolution).toMatchObject({ first: "unknown", second: "unknown", ratio: "" });
});

test("what both have in common is told in words and numbers", () => {
  expect(factsOf(COMPARISON, "unknown").map(({ value }) => value)).toEqual([
    "75\u00a0%",
    "9\u202f000",
    "18 nm",
    "+0.0, +3.2 nm",
    "×1.10",
  ]);
});

test("what is not known is never a number", () => {
  expect(factsOf(NOTHING, "not yet").map(({ value }) => value)).toEqual([
    "75\u00a0%",
    "0",
    "not yet",
    "not yet",
    "not yet",
  ]);
  expect(rowsOf(NOTHING, "not yet")[3]).toMatchObject({ first: "850", second: "not yet", ratio: "" });
  expect(unknownFor(acquisitionWith({ state: "finished" }), acquisitionWith({ state: "processing" }))).toBe("not yet");
  expect(unknownFor(acquisitionWith({ state: "finished" }), acquisitionWith({ state: "failed" }))).toBe("–");
});

test("where both do not have the same frames or region, it is told what the numbers are of", () => {
  expect(partOf({ frames: null, roi: null })).toBeNull();
  expect(partOf({ frames: "0:100", roi: null })).toContain("frames 0 to 99, which both have");
  const region = "the region 64\u00a0×\u00a032 at 8,\u00a00";
  expect(partOf({ frames: null, roi: "8,0,64,32" })).toContain(`in ${region}, which`);
  expect(partOf({ frames: "5:10", roi: "8,0,64,32" })).toContain(`in frames 5 to 9 and ${region}, which`);
});

test("settings that differ are marked, those that are the same are not", () => {
  const generator = { version: "0.3.0", threshold: 0.4 } as GeneratorSpec;
  const first = made({ frames: "10:50" }, { generator });
  const second = made({ model: "classical", threshold: 0.6 }, { generator: { ...generator, version: "1.0.0" } });
  const told = settingsOf(first, second, "unknown");
  expect(told.map(({ differs }) => differs)).toEqual([true, true, true, false, true, false, false]);
  expect(told.map((setting) => setting.first).slice(0, 5)).toEqual([
    "default",
    "0.3.0",
    "0.4 (its own)",
    "64\u00a0×\u00a064 at 0,\u00a00",
    "10 to 49",
  ]);
  expect(told[2]!.second).toBe("0.6");
});

test("what is not known does not differ", () => {
  const told = settingsOf(
    made({}),
    made({}, { roi: null, generator: { version: "1.0.0" } as GeneratorSpec }),
    "not yet",
  );
  expect(told.map(({ differs }) => differs)).not.toContain(true);
  expect(told[3]).toMatchObject({ second: "not yet" });
});

test("of one recording is what was made from it, or from the same", () => {
  const [original, again, another] = [
    acquisitionWith({ id: "a" }),
    acquisitionWith({ id: "b", reprocessed_from: "a" }),
    acquisitionWith({ id: "c", reprocessed_from: "a" }),
  ];
  expect(isSameRecording(original, again)).toBe(true);
  expect(isSameRecording(another, again)).toBe(true);
  expect(isSameRecording(acquisitionWith({ id: "x" }), acquisitionWith({ id: "y" }))).toBe(false);
});

test("of one recording is what was made of the same file, sent twice", () => {
  const [once, twice, another] = [
    acquisitionWith({ id: "a", video_sha256: "5e" }),
    acquisitionWith({ id: "b", video_sha256: "5e" }),
    acquisitionWith({ id: "c", video_sha256: "77" }),
  ];
  expect(isSameRecording(once, twice)).toBe(true);
  expect(isSameRecording(once, another)).toBe(false);
});
