/** The messages of `/acquisitions/{id}/live`, as core/cellstorm/messages.py describes them. */
import type { Closing, ColumnDescription, Opening, Progress } from "../generated/models";
import { COLUMNS, DELTA, ROW_BYTES, SNAPSHOT, WIRE_COLUMNS } from "../generated/tables";

export type TextMessage = Opening | Progress | Closing;

export type ColumnName = (typeof COLUMNS)[number]["name"];
type RealColumn = Exclude<ColumnName, "frame">;

/** Localizations, column by column, each (count) long. */
export type Rows = Readonly<Record<RealColumn, Float32Array>> & { readonly frame: Uint32Array; readonly count: number };

export interface BinaryMessage {
  readonly kind: "snapshot" | "delta";
  readonly rows: Rows;
  readonly framesProcessed: number;
  readonly endFrame: number;
  /** Place of the first row among all; rows before a snapshot's first were not asked for. */
  readonly firstRow: number;
  /** Rows that there are by now, sent or yet to be sent. */
  readonly totalRows: number;
  /** Which order the places count in. */
  readonly history: number;
}

/** Of a row of the localization table as it lies in memory: eight values of four bytes, `frame` an unsigned integer. */
export const ROW_VALUES = ROW_BYTES / Float32Array.BYTES_PER_ELEMENT;

const HEADER_BYTES = 32;
const MAGIC = 0x324c5343; // "CSL2", little-endian
const BRACE = 0x7b; // what a JSON text begins with
const widthOf = (dtype: string): number => (dtype === "bfloat16" ? 2 : 4);
const WIRE_ROW_BYTES = WIRE_COLUMNS.reduce((sum, { dtype }) => sum + widthOf(dtype), 0);

/** Place of a column within a row's values. */
export function columnIndex(name: ColumnName): number {
  const column = COLUMNS.find((candidate) => candidate.name === name);
  if (column === undefined) throw new Error(`there is no column ${name}`);
  return column.offset / Float32Array.BYTES_PER_ELEMENT;
}

/** Whether this page reads rows as the server writes them; a page from another release may not. */
export function columnsAreKnown(columns: readonly ColumnDescription[]): boolean {
  return (
    columns.length === WIRE_COLUMNS.length &&
    WIRE_COLUMNS.every((column, index) => columns[index]?.name === column.name && columns[index].dtype === column.dtype)
  );
}

export function decodeText(text: string): TextMessage {
  const message = JSON.parse(text) as { kind?: unknown };
  if (message.kind === "opening" || message.kind === "progress" || message.kind === "closing") {
    return message as TextMessage;
  }
  throw new Error(`a message of unknown kind ${JSON.stringify(message.kind)}`);
}

/** A text or a binary message, of an answer that holds both. */
export function decode(data: ArrayBuffer): TextMessage | BinaryMessage {
  const isText = new Uint8Array(data, 0, 1)[0] === BRACE;
  return isText ? decodeText(new TextDecoder().decode(data)) : decodeBinary(data);
}

/** Columns of four bytes are views of `data`, which must not change afterwards. */
export function decodeBinary(data: ArrayBuffer): BinaryMessage {
  if (data.byteLength < HEADER_BYTES) throw new Error("a binary message without its header");
  const header = new DataView(data, 0, HEADER_BYTES);
  const kind = header.getUint8(4);
  const count = header.getUint32(8, true);
  const isWhole = data.byteLength === HEADER_BYTES + count * WIRE_ROW_BYTES;
  if (header.getUint32(0, true) !== MAGIC || (kind !== SNAPSHOT && kind !== DELTA) || !isWhole) {
    throw new Error("a binary message that is not one of localizations");
  }
  return {
    kind: kind === SNAPSHOT ? "snapshot" : "delta",
    rows: columnsOf(data, count),
    framesProcessed: header.getUint32(12, true),
    endFrame: header.getUint32(16, true),
    firstRow: header.getUint32(20, true),
    totalRows: header.getUint32(24, true),
    history: header.getUint32(28, true),
  };
}

/** Rows of the table as they lie in memory (ROW_VALUES each), column by column. */
export function rowsOfTable(values: Float32Array<ArrayBuffer>): Rows {
  const count = values.length / ROW_VALUES;
  const integers = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const column = (name: ColumnName) => values.filter((_, index) => index % ROW_VALUES === columnIndex(name));
  const columns = Object.fromEntries(COLUMNS.map(({ name }) => [name, column(name)])) as Record<
    RealColumn,
    Float32Array
  >;
  return { ...columns, frame: integers.filter((_, index) => index % ROW_VALUES === columnIndex("frame")), count };
}

/** Columns that travel as halves are widened when they are first asked for: not every page needs all of them. */
function columnsOf(data: ArrayBuffer, count: number): Rows {
  const rows = { count };
  let offset = HEADER_BYTES;
  for (const { name, dtype } of WIRE_COLUMNS) {
    const place = offset;
    if (dtype === "<u4") Object.assign(rows, { [name]: new Uint32Array(data, place, count) });
    else if (dtype === "<f4") Object.assign(rows, { [name]: new Float32Array(data, place, count) });
    else
      Object.defineProperty(
        rows,
        name,
        asked(() => widened(new Uint16Array(data, place, count))),
      );
    offset += count * widthOf(dtype);
  }
  return rows as Rows;
}

/** A property that is made once, when it is first read. */
function asked<Value>(make: () => Value): PropertyDescriptor {
  let made: Value | undefined;
  return { enumerable: true, get: () => (made ??= make()) };
}

/** From the upper halves of float32 values. */
function widened(halves: Uint16Array): Float32Array {
  const bits = new Uint32Array(halves.length);
  for (let row = 0; row < halves.length; row++) bits[row] = halves[row]! << 16;
  return new Float32Array(bits.buffer);
}
