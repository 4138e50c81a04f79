import { expect, test } from "vitest";
import { rowsAt } from "./fakes";
import { BLOCK_ROWS, EVERYTHING, LocalizationTable, MAX_ROWS, NO_FILTER } from "./table";

const FIELD = { widthPx: 64, heightPx: 64, pixelSizeNm: 100 };
const AREA = { left: 800, top: 1600, right: 2400, bottom: 3200 };

function scattered(count: number, firstFrame = 0) {
  return rowsAt(
    Array.from({ length: count }, (_, row) => ({
      x: (row * 7919) % 6400,
      y: (row * 104_729) % 6400,
      frame: firstFrame + (row >> 6),
    })),
  );
}

test("rows fill blocks in their order, whatever the size of the messages", () => {
  const table = new LocalizationTable();
  const rows = scattered(BLOCK_ROWS + 10);
  table.append(rows);
  table.append(scattered(5, 5000));
  expect(table.blocks.map(({ count }) => count)).toEqual([BLOCK_ROWS, 15]);
  expect(table.blocks[1]!.x_nm[3]).toBe(rows.x_nm[BLOCK_ROWS + 3]);
  expect(table.blocks[1]!.lastFrame).toBe(5000);
});

test("a sorted block has the same rows, and runs that hold all in an area but not all there are", () => {
  const table = new LocalizationTable();
  table.append(scattered(BLOCK_ROWS));
  const block = table.blocks[0]!;
  const sum = block.x_nm.reduce((a, b) => a + b);
  const inside = (row: number) => {
    const [x, y] = [block.x_nm[row]! + 50, block.y_nm[row]! + 50];
    return x >= AREA.left && x <= AREA.right && y >= AREA.top && y <= AREA.bottom;
  };
  const wanted = [...block.x_nm.keys()].filter(inside).length;
  expect(table.sortNext(FIELD)).toBe(block);
  expect(table.sortNext(FIELD)).toBe(null);
  let [found, looked] = [0, 0];
  for (let run = block.nextRun(0, AREA, FIELD); run !== null; run = block.nextRun(run.to, AREA, FIELD)) {
    for (let row = run.from; row < run.to; row++) if (inside(row)) found++;
    looked += run.to - run.from;
  }
  expect(found).toBe(wanted);
  expect(looked).toBeLessThan(BLOCK_ROWS / 4);
  expect(block.x_nm.reduce((a, b) => a + b)).toBeCloseTo(sum, 0);
});

test("the rows of one frame are found in any block", () => {
  const table = new LocalizationTable();
  table.append(
    rowsAt([
      { x: 1, frame: 3 },
      { x: 2, frame: 4 },
      { x: 3, frame: 3 },
    ]),
  );
  const found: number[] = [];
  table.forFrame(3, (block, row) => found.push(block.x_nm[row]!));
  expect(found).toEqual([1, 3]);
});

test("beyond what the page holds the oldest go, and what was drawn is known to be out of date", () => {
  const table = new LocalizationTable();
  const rows = scattered(BLOCK_ROWS);
  const blocks = Math.floor(MAX_ROWS / BLOCK_ROWS) + 1;
  for (let n = 0; n < blocks; n++) table.append(rows);
  expect(table.count + table.leftOut).toBe(blocks * BLOCK_ROWS);
  expect(table.count).toBeLessThanOrEqual(MAX_ROWS);
  expect(table.leftOut).toBeGreaterThan(0);
  expect(table.generation).toBe(1);
});

test("what passes the filter is counted as it is drawn", () => {
  const table = new LocalizationTable();
  table.append(
    rowsAt([
      { frame: 0, photons: 100, precision: 10 },
      { frame: 1, photons: 500, precision: 20 },
      { frame: 2, photons: 900, precision: 30 },
      { frame: 3, photons: 900, precision: NaN },
    ]),
  );
  expect(table.countPassing(NO_FILTER)).toBe(4);
  expect(table.countPassing({ ...NO_FILTER, photons: { from: 500, to: Infinity } })).toBe(3);
  expect(table.countPassing({ ...NO_FILTER, precisionNm: { from: -Infinity, to: 20 } })).toBe(3);
  expect(table.countPassing({ ...NO_FILTER, frames: { from: 1, to: 3 } })).toBe(2);
  expect(table.countPassing({ frames: { from: 9, to: Infinity }, photons: EVERYTHING, precisionNm: EVERYTHING })).toBe(
    0,
  );
});
