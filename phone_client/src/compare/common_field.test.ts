import { expect, test } from "vitest";
import { acquisitionWith } from "../app/fakes";
import type { BinaryMessage } from "../live/messages";
import { rowsAt } from "../viewer/fakes";
import { commonField, inField } from "./common_field";

const of = (roi: string | null, pixelNm = 100) =>
  acquisitionWith({ roi, settings: { ...acquisitionWith().settings, pixel_size_nm: pixelNm } });

test("results of one region lie on that region", () => {
  const place = { x: 0, y: 0, width: 64, height: 48 };
  expect(commonField(of("8,4,64,48"), of("8,4,64,48"))).toEqual({
    state: "placed",
    field: { widthPx: 64, heightPx: 48, pixelSizeNm: 100 },
    places: [place, place],
  });
});

test("results of two regions lie on the rectangle that holds both", () => {
  expect(commonField(of("10,40,20,20"), of("16,8,64,16"))).toEqual({
    state: "placed",
    field: { widthPx: 70, heightPx: 52, pixelSizeNm: 100 },
    places: [
      { x: 0, y: 32, width: 20, height: 20 },
      { x: 6, y: 0, width: 64, height: 16 },
    ],
  });
});

test("without a first frame there is no field yet, with pixels of other sizes never", () => {
  expect(commonField(of(null), of("0,0,8,8"))).toEqual({ state: "waiting" });
  expect(commonField(of(null, 100), of("0,0,8,8", 108))).toEqual({ state: "apart" });
});

test("rows move with their region, and what was received stays as it was", () => {
  const rows = rowsAt([{ x: 50, y: 20 }]);
  const message = { rows } as BinaryMessage;
  const moved = inField(message, { x: 2, y: 3, width: 8, height: 8 }, 100);
  expect([moved.rows.x_nm[0], moved.rows.y_nm[0]]).toEqual([250, 320]);
  expect(rows.x_nm[0]).toBe(50);
  expect(inField(message, { x: 0, y: 0, width: 8, height: 8 }, 100)).toBe(message);
});
