import { expect, test } from "vitest";
import { type Luma, measure } from "./measure";

/** A repeatable source of chance (mulberry32). */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Spots of one width on a noisy ground that brightens from left to right. */
function picture(spots: number, sigmaPx: number, { peak = 90, ground = 40, noise = 4, side = 256 } = {}): Luma {
  const random = chance(7);
  const values = new Float32Array(side * side);
  values.forEach((_, at) => (values[at] = ground + (20 * (at % side)) / side + noise * gaussian(random)));
  for (let spot = 0; spot < spots; spot++) {
    const [cx, cy] = [12 + random() * (side - 24), 12 + random() * (side - 24)];
    for (let y = Math.floor(cy) - 10; y < cy + 10; y++) {
      for (let x = Math.floor(cx) - 10; x < cx + 10; x++) {
        values[y * side + x]! += peak * Math.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * sigmaPx ** 2));
      }
    }
  }
  return { data: Uint8Array.from(values, (v) => Math.max(0, Math.min(255, Math.round(v)))), width: side, height: side };
}

function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

test.each([1.1, 1.5, 2, 3])("the width of the spots is found: sigma %s px", (sigma) => {
  const found = measure(picture(60, sigma)).spotSigmaPx;
  expect(found).not.toBeNull();
  expect(Math.abs(found! - sigma) / sigma).toBeLessThan(0.12);
});

test("neither brightness nor noise nor number changes the width", () => {
  const width = (changes: Parameters<typeof picture>[2], spots = 60) =>
    measure(picture(spots, 1.5, changes)).spotSigmaPx!;
  const usual = width({});
  for (const other of [width({ peak: 45 }), width({ noise: 8 }), width({}, 20)]) {
    expect(Math.abs(other - usual)).toBeLessThan(0.15);
  }
});

test("noise alone has no width and no spots", () => {
  const { spotSigmaPx, spots } = measure(picture(0, 1));
  expect(spotSigmaPx).toBeNull();
  expect(spots).toBeLessThanOrEqual(2);
});

test("spots are counted", () => {
  const { spots, density } = measure(picture(40, 1.4));
  expect(spots).toBeGreaterThanOrEqual(36);
  expect(spots).toBeLessThanOrEqual(42);
  expect(density).toBeCloseTo(spots / 65_536);
});

test("a flat picture without noise has no spots", () => {
  expect(measure({ data: new Uint8Array(64 * 64).fill(80), width: 64, height: 64 })).toMatchObject({
    spots: 0,
    spotSigmaPx: null,
    black: 0,
    white: 0,
  });
});

test("clipping is told at the levels that the camera uses", () => {
  const level = (n: number) => (n % 10 === 0 ? 235 : n % 10 === 1 ? 16 : 100);
  const limited = measure({ data: Uint8Array.from({ length: 6400 }, (_, n) => level(n)), width: 80, height: 80 });
  expect([limited.white, limited.black]).toEqual([0.1, 0.1]);
  const wide = (n: number) => (n % 20 === 2 ? 0 : level(n));
  const full = measure({ data: Uint8Array.from({ length: 6400 }, (_, n) => wide(n)), width: 80, height: 80 });
  expect([full.white, full.black]).toEqual([0, 0.05]);
});

test("the peak is what few pixels exceed, not one hot pixel", () => {
  const data = new Uint8Array(100 * 100).fill(100);
  data[0] = 255;
  data[1] = 3;
  expect(measure({ data, width: 100, height: 100 }).peak).toBeCloseTo(100 / 255, 2);
});
