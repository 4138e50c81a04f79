import { expect, test } from "vitest";
import { DEFAULT_LOOK, whiteLevel } from "./contrast";
import { FakePainter, type FakePainting, type Spot, rowsAt } from "./fakes";
import { Scene } from "./scene";
import { EVERYTHING, NO_FILTER } from "./table";
import { fit, panned, zoomed } from "./view";

const FIELD = { widthPx: 64, heightPx: 64, pixelSizeNm: 100 };
const WHOLE = fit(FIELD, 320, 320); // 20 nm per pixel

class Watch {
  ms = 1000;
  readonly now = () => this.ms;
}

function begun({ rowsPerTurn = Infinity, spots = many(400) }: { rowsPerTurn?: number; spots?: Spot[] } = {}) {
  const watch = new Watch();
  const painter = new FakePainter(rowsPerTurn, watch.now);
  const scene = new Scene(FIELD, painter, watch.now);
  scene.table.append(rowsAt(spots));
  scene.lookAt(WHOLE, 1);
  const settle = (turns = 200) => {
    let used = 0;
    do watch.ms += 50;
    while (scene.turn() && ++used < turns);
    return used;
  };
  return { watch, painter, scene, settle };
}

/** Spread over the field, ten in each frame. */
function many(count: number): Spot[] {
  return Array.from({ length: count }, (_, row) => ({
    x: 200 + ((row * 7919) % 6000),
    y: 200 + ((row * 104_729) % 6000),
    frame: Math.floor(row / 10),
  }));
}

const top = (scene: Scene) => scene.paintings.at(-1) as FakePainting;

test("everything is drawn once, over as many turns as it takes, and then there is nothing to do", () => {
  const { scene, settle } = begun({ rowsPerTurn: 50 });
  expect(settle()).toBeGreaterThan(6);
  expect(scene.isComplete).toBe(true);
  expect(top(scene).total).toBeCloseTo(400, 3);
  expect(top(scene).grid).toEqual({ pixelNm: 20, left: 0, top: 0, width: 320, height: 320 });
});

test("a turn is short only while somebody moves the view", () => {
  const { scene, painter, watch } = begun();
  watch.ms += 16;
  scene.turn();
  expect(painter.turnMs).toBeLessThan(10);
  watch.ms += 1000;
  scene.turn();
  expect(painter.turnMs).toBeGreaterThan(20);
});

test("it is complete only with all rows, and then the contrast is that of all of them, without waiting", () => {
  const { scene, watch } = begun({ rowsPerTurn: 100, spots: many(4000) });
  let turns = 0;
  do {
    watch.ms += 5; // all within a time in which the contrast of little that is new would wait
    scene.turn();
    turns++;
    expect(scene.isComplete).toBe(top(scene).total > 3999);
  } while (!scene.isComplete && turns < 60);
  expect(turns).toBe(40);
  const { white } = top(scene).colours.at(-1)!;
  expect(white).toBeCloseTo(whiteLevel(top(scene).values()), 6);
});

test("what is new costs no more than what is new", () => {
  const { scene, painter, settle } = begun();
  settle();
  scene.table.append(rowsAt(many(30)));
  settle();
  expect(top(scene).total).toBeCloseTo(430, 3);
  expect(painter.paintings).toHaveLength(1);
});

test("moving draws nothing anew; at rest what is in view is drawn finer, above the image of the whole field", () => {
  const { scene, painter, settle, watch } = begun();
  settle();
  const near = zoomed(WHOLE, FIELD, 2, 160, 160);
  for (let step = 0; step < 5; step++) {
    scene.lookAt(panned(near, FIELD, step, 0), 1);
    watch.ms += 16;
    scene.turn();
  }
  expect(painter.paintings).toHaveLength(1);
  settle();
  expect(scene.paintings).toHaveLength(2);
  expect(scene.paintings[1]!.grid).toMatchObject({ pixelNm: 10, width: 480 });
  expect((scene.whole as FakePainting).total).toBeCloseTo(400, 3);
});

test("where the view is no longer covered, the next image is begun without waiting for rest", () => {
  const { scene, painter, settle, watch } = begun();
  const near = zoomed(WHOLE, FIELD, 8, 160, 160);
  scene.lookAt(near, 1);
  settle();
  const before = painter.paintings.length;
  scene.lookAt(panned(near, FIELD, 200, 0), 1);
  watch.ms += 16;
  scene.turn();
  expect(painter.paintings.length).toBe(before + 1);
});

test("while a new image is drawn the old one is shown, and afterwards it is given back", () => {
  const { scene, painter, settle } = begun({ rowsPerTurn: 50 });
  settle();
  const [old] = painter.paintings;
  scene.filter = { ...NO_FILTER, photons: { from: 2000, to: Infinity } };
  scene.turn();
  scene.turn();
  expect(top(scene)).toBe(old);
  settle();
  expect(top(scene).total).toBe(0);
  expect(old!.isReleased).toBe(true);
});

test("the image as of a later frame is the old one and what is new in it; of an earlier one, another image", () => {
  const { scene, painter, settle } = begun();
  scene.filter = { ...NO_FILTER, frames: { from: -Infinity, to: 10 } };
  settle();
  expect(top(scene).total).toBeCloseTo(100, 3);
  scene.filter = { ...NO_FILTER, frames: { from: -Infinity, to: 25 } };
  settle();
  expect(top(scene).total).toBeCloseTo(250, 3);
  expect(painter.paintings).toHaveLength(1);
  scene.filter = { ...NO_FILTER, frames: { from: -Infinity, to: 5 } };
  settle();
  expect(top(scene).total).toBeCloseTo(50, 3);
  scene.filter = NO_FILTER;
  scene.table.append(rowsAt(many(10)));
  settle();
  expect(top(scene).total).toBeCloseTo(410, 3);
});

test("later frames are let in while the image still catches up, and none is drawn twice", () => {
  const { scene, settle } = begun({ rowsPerTurn: 30 });
  scene.filter = { ...NO_FILTER, frames: { from: -Infinity, to: 10 } };
  for (let frame = 11; frame < 45; frame += 3) {
    scene.turn();
    scene.filter = { ...NO_FILTER, frames: { from: -Infinity, to: frame } };
  }
  scene.filter = NO_FILTER;
  settle();
  expect(top(scene).total).toBeCloseTo(400, 3);
});

test("filters by photons, precision and first frame leave out what lies beyond their bounds", () => {
  const spots = [100, 200, 300].map((photons, row) => ({ x: 3000, y: 3000, photons, precision: 30 - row, frame: row }));
  const { scene, settle } = begun({ spots });
  for (const [filter, left] of [
    [{ ...NO_FILTER, photons: { from: 200, to: 300 } }, 2],
    [{ ...NO_FILTER, precisionNm: { from: -Infinity, to: 28 } }, 1],
    [{ ...NO_FILTER, frames: { from: 1, to: 2 } }, 1],
    [{ photons: EVERYTHING, precisionNm: EVERYTHING, frames: EVERYTHING }, 3],
  ] as const) {
    scene.filter = filter;
    settle();
    expect(top(scene).total).toBeCloseTo(left, 4);
  }
});

test("rows that are replaced vanish from the image", () => {
  const { scene, settle } = begun();
  settle();
  scene.table.begin(0);
  scene.table.append(rowsAt(many(7)));
  settle();
  expect(top(scene).total).toBeCloseTo(7, 4);
});

test("equally many localizations per area are equally bright in coarse and in fine pixels", () => {
  const { scene, settle } = begun();
  settle();
  scene.lookAt(zoomed(WHOLE, FIELD, 4, 160, 160), 1);
  settle();
  const [coarse, fine] = scene.paintings.map((painting) => (painting as FakePainting).colours.at(-1)!.white);
  expect(coarse! / fine!).toBeCloseTo(16, 5);
});

test("the contrast is that of the whole image, even where the first turns saw little of it", () => {
  const spots = Array.from({ length: 300 }, (_, row) => ({ x: 3000 + (row % 3), y: 3000 + (row % 5), frame: row }));
  const [slow, quick] = [begun({ spots, rowsPerTurn: 2 }), begun({ spots })];
  for (const { settle } of [slow, quick]) settle(400);
  const [one, other] = [slow, quick].map(({ scene }) => top(scene).colours.at(-1)!.white);
  expect(one! / other!).toBeCloseTo(1, 1);
});

test("another look colours anew and draws nothing", () => {
  const { scene, painter, settle } = begun();
  settle();
  const look = { ...DEFAULT_LOOK, colormap: "viridis", gamma: 0.5 } as const;
  scene.look = look;
  settle();
  expect(painter.paintings).toHaveLength(1);
  expect(top(scene).colours.at(-1)!.look).toBe(look);
});

test("pixels finer than the painter draws are magnified", () => {
  const { scene, settle } = begun();
  scene.lookAt(zoomed(WHOLE, FIELD, 100, 160, 160), 1);
  settle();
  expect(top(scene).grid.pixelNm).toBe(2);
});

test("brightness may be chosen with another image in mind, per area, and chosen again when that one has changed", () => {
  const { scene, settle } = begun();
  settle();
  const alone = top(scene).colours.at(-1)!.white;
  const told: number[] = [];
  scene.brightest = (own) => (told.push(own), 3 * own);
  scene.brighten();
  settle();
  expect(top(scene).colours.at(-1)!.white).toBeCloseTo(3 * alone, 6);
  expect(told[0]).toBeCloseTo(alone / 20 ** 2, 9);
  scene.lookAt(zoomed(WHOLE, FIELD, 2, 160, 160), 1);
  settle();
  expect(told.at(-1)! / told[0]!).toBeCloseTo((top(scene).colours.at(-1)!.white * 400) / (3 * alone * 100), 6);
});
