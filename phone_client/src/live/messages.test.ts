import { expect, test } from "vitest";
import { bytesOf, examples, opening } from "../app/fakes";
import { COLUMNS } from "../generated/tables";
import { columnIndex, columnsAreKnown, decode, decodeBinary, decodeText, ROW_VALUES, rowsOfTable } from "./messages";

test("a snapshot and a delta written by the server are read, header and every value", () => {
  const snapshot = decodeBinary(bytesOf(examples.snapshot));
  const delta = decodeBinary(bytesOf(examples.delta));
  expect(snapshot).toMatchObject({ kind: "snapshot", framesProcessed: 5, endFrame: 7, firstRow: 0, totalRows: 9 });
  expect(delta).toMatchObject({
    kind: "delta",
    framesProcessed: 11,
    endFrame: 12,
    firstRow: 9,
    totalRows: 20,
    history: 7,
  });
  expect(snapshot.rows.count + delta.rows.count).toBe(examples.rows.length);
  for (const { name } of COLUMNS) {
    const read = [snapshot, delta].flatMap(({ rows }) => [...rows[name]]);
    expect(read).toEqual(examples.rows.map((row) => Math.fround(row[name])));
  }
});

test("rows as they lie in memory become columns", () => {
  const values = new Float32Array(2 * ROW_VALUES);
  new Uint32Array(values.buffer)[ROW_VALUES + columnIndex("frame")] = 70_000_001;
  values[columnIndex("x_nm")] = 12;
  values[ROW_VALUES + columnIndex("probability")] = 0.5;
  const rows = rowsOfTable(values);
  expect(rows.count).toBe(2);
  expect([[...rows.frame], [...rows.x_nm], [...rows.probability]]).toEqual([
    [0, 70_000_001],
    [12, 0],
    [0, 0.5],
  ]);
});

test("bytes that are cut short or come from elsewhere are refused", () => {
  const whole = bytesOf(examples.snapshot);
  expect(() => decodeBinary(whole.slice(0, 10))).toThrow("header");
  expect(() => decodeBinary(whole.slice(0, whole.byteLength - 1))).toThrow("not one of localizations");
  const foreign = whole.slice(0);
  new DataView(foreign).setUint8(0, 0);
  expect(() => decodeBinary(foreign)).toThrow("not one of localizations");
});

test("text messages are told apart by their kind", () => {
  expect(decodeText('{"kind":"closing","reason":"finished"}')).toEqual({ kind: "closing", reason: "finished" });
  expect(() => decodeText('{"kind":"news"}')).toThrow('"news"');
});

test("of an answer that holds both, texts are told from rows", () => {
  const text = '{"kind":"closing","reason":"finished"}';
  expect(decode(new TextEncoder().encode(text).buffer)).toEqual(decodeText(text));
  expect(decode(bytesOf(examples.delta)).kind).toBe("delta");
});

test("columns of another release are noticed", () => {
  const { columns } = opening();
  expect(columnsAreKnown(columns)).toBe(true);
  expect(columnsAreKnown([...columns].reverse())).toBe(false);
  expect(columnsAreKnown(columns.map((column) => ({ ...column, dtype: "<f8" })))).toBe(false);
});
