import { expect, test } from "vitest";
import { bytesOf, examples, opening } from "./fakes";
import { COLUMNS } from "./generated/tables";
import { columnIndex, columnsAreKnown, decodeBinary, decodeText, ROW_VALUES } from "./live";

test("a snapshot and a delta written by the server are read, header and every value", () => {
  const snapshot = decodeBinary(bytesOf(examples.snapshot));
  const delta = decodeBinary(bytesOf(examples.delta));
  expect(snapshot).toMatchObject({ kind: "snapshot", framesProcessed: 5, endFrame: 7, leftOut: 0 });
  expect(delta).toMatchObject({ kind: "delta", framesProcessed: 11, endFrame: 12, leftOut: 2 });
  expect(snapshot.rows.count + delta.rows.count).toBe(examples.rows.length);
  for (const { name } of COLUMNS.filter((column) => column.name !== "frame")) {
    const read = [snapshot, delta].flatMap(({ rows }) =>
      Array.from({ length: rows.count }, (_, row) => rows.values[row * ROW_VALUES + columnIndex(name)]),
    );
    expect(read).toEqual(examples.rows.map((row) => Math.fround(row[name])));
  }
});

test("bytes that are cut short or come from elsewhere are refused", () => {
  const whole = bytesOf(examples.snapshot);
  expect(() => decodeBinary(whole.slice(0, 10))).toThrow("header");
  expect(() => decodeBinary(whole.slice(0, whole.byteLength - 1))).toThrow("not one of localizations");
  const foreign = whole.slice(0);
  new DataView(foreign).setUint8(0, 0);
  expect(() => decodeBinary(foreign)).toThrow("not one of localizations");
});

test("texts are told apart by kind, and an unknown kind is refused", () => {
  expect(decodeText('{"kind":"closing","reason":"finished"}')).toEqual({ kind: "closing", reason: "finished" });
  expect(() => decodeText('{"kind":"surprise"}')).toThrow("unknown kind");
});

test("columns that another release has changed are noticed", () => {
  const { columns } = opening();
  expect(columnsAreKnown(columns)).toBe(true);
  expect(columnsAreKnown(columns.slice(1))).toBe(false);
  expect(columnsAreKnown(columns.map((column) => ({ ...column, dtype: "<f8" })))).toBe(false);
});
