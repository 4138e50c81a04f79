import { expect, test } from "vitest";
import { examples } from "../app/fakes";
import { lengthLabel, scaleBarNm } from "./scalebar";

test.each(Object.entries(examples.scale_bars_nm))("a field of %s nm has the server's scale bar", (width, expected) => {
  expect(scaleBarNm(Number(width))).toBe(expected);
});

test("a thousand nanometres are a micrometre", () => {
  expect([500, 1000, 20_000].map(lengthLabel)).toEqual(["500 nm", "1 µm", "20 µm"]);
});
