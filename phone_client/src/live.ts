/** The messages of `/acquisitions/{id}/live`, as core/cellstorm/messages.py describes them. */
import type { Closing, ColumnDescription, Opening, Progress } from "./generated/models";
import { COLUMNS, DELTA, ROW_BYTES, SNAPSHOT } from "./generated/tables";

export type TextMessage = Opening | Progress | Closing;

/** Localizations as they came, row after row; every column is four bytes wide. */
export interface Rows {
  readonly count: number;
  /** (count * ROW_VALUES) the same bytes, read as float32; `frame` alone is an integer in them. */
  readonly values: Float32Array;
}

export interface BinaryMessage {
  readonly kind: "snapshot" | "delta";
  readonly rows: Rows;
  readonly framesProcessed: number;
  readonly endFrame: number;
  readonly leftOut: number;
}

export type ColumnName = (typeof COLUMNS)[number]["name"];

export const ROW_VALUES = ROW_BYTES / Float32Array.BYTES_PER_ELEMENT;

const HEADER_BYTES = 24;
const MAGIC = 0x314c5343; // "CSL1", little-endian

/** Place of a column within a row's values. */
export function columnIndex(name: ColumnName): number {
  const column = COLUMNS.find((candidate) => candidate.name === name);
  if (column === undefined) throw new Error(`there is no column ${name}`);
  return column.offset / Float32Array.BYTES_PER_ELEMENT;
}

/** Whether this page reads rows as the server writes them; a page from another release may not. */
export function columnsAreKnown(columns: readonly ColumnDescription[]): boolean {
  return (
    columns.length === COLUMNS.length &&
    COLUMNS.every((column, index) => columns[index]?.name === column.name && columns[index].dtype === column.dtype)
  );
}

export function decodeText(text: string): TextMessage {
  const message = JSON.parse(text) as { kind?: unknown };
  if (message.kind === "opening" || message.kind === "progress" || message.kind === "closing") {
    return message as TextMessage;
  }
  throw new Error(`a message of unknown kind ${JSON.stringify(message.kind)}`);
}

/** A view of `data`, which must not change afterwards. */
export function decodeBinary(data: ArrayBuffer): BinaryMessage {
  if (data.byteLength < HEADER_BYTES) throw new Error("a binary message without its header");
  const header = new DataView(data, 0, HEADER_BYTES);
  const kind = header.getUint8(4);
  const count = header.getUint32(8, true);
  const isWhole = data.byteLength === HEADER_BYTES + count * ROW_BYTES;
  if (header.getUint32(0, true) !== MAGIC || (kind !== SNAPSHOT && kind !== DELTA) || !isWhole) {
    throw new Error("a binary message that is not one of localizations");
  }
  return {
    kind: kind === SNAPSHOT ? "snapshot" : "delta",
    rows: { count, values: new Float32Array(data, HEADER_BYTES, count * ROW_VALUES) },
    framesProcessed: header.getUint32(12, true),
    endFrame: header.getUint32(16, true),
    leftOut: header.getUint32(20, true),
  };
}
