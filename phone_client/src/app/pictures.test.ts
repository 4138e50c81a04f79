import { expect, test } from "vitest";
import { PageError } from "./errors";
import { acquisitionWith } from "./fakes";
import { Pictures, type Target, pixelNm } from "./pictures";

/** Pictures whose clock goes by their own waiting, for `rounds` turns. */
function running(rounds: number, answer: () => Promise<Blob | null> = async () => new Blob(["png"])) {
  const asked: string[] = [];
  const leaving = new AbortController();
  let nowMs = 0;
  const pictures = new Pictures(
    {
      ask: async (id) => {
        asked.push(id);
        return await answer();
      },
      sleep: async (ms) => {
        nowMs += ms;
        if ((rounds -= 1) <= 0) leaving.abort();
      },
      nowMs: () => nowMs,
    },
    { everyMs: 100, eachMs: 1000 },
  );
  return { pictures, asked, run: () => pictures.keepFresh(leaving.signal) };
}

function target(changes: Partial<Target> = {}): Target & { puts: number } {
  const made = {
    puts: 0,
    sidePx: () => 320,
    isSeen: () => true,
    put: async () => void made.puts++,
    ...changes,
  };
  return made;
}

const growing = (id: string, localizations = 5) => acquisitionWith({ id, localizations, state: "receiving" });

test("what has not grown is not asked for again", async () => {
  const { pictures, asked, run } = running(30);
  pictures.want(growing("a"), target());
  await run();
  expect(asked).toEqual(["a"]);
});

test("what has no localization yet is not asked for", async () => {
  const { pictures, asked, run } = running(5);
  pictures.want(growing("a", 0), target());
  await run();
  expect(asked).toEqual([]);
});

test("all have their turn before one comes twice", async () => {
  let grown = 5;
  const { pictures, asked, run } = running(24, async () => {
    grown += 1;
    for (const id of ["a", "b", "c"]) pictures.want(growing(id, grown), target());
    return new Blob();
  });
  for (const id of ["a", "b", "c"]) pictures.want(growing(id), target());
  await run();
  expect(asked.slice(0, 6)).toEqual(["a", "b", "c", "a", "b", "c"]);
  expect(asked.length).toBeLessThanOrEqual(9); // each at most once a second, in 2.4 s
});

test("what nobody sees is not asked for", async () => {
  const { pictures, asked, run } = running(5);
  pictures.want(growing("a"), target({ isSeen: () => false }));
  await run();
  expect(asked).toEqual([]);
});

test("a server that is away is asked again, and the old picture stays", async () => {
  let isAway = true;
  const { pictures, asked, run } = running(15, async () => {
    if (!isAway) return new Blob();
    isAway = false;
    throw new PageError("unreachable", "away");
  });
  const place = target();
  pictures.want(growing("a"), place);
  await run();
  expect([asked.length, place.puts]).toEqual([2, 1]);
});

test("windows of nearly the same size share the server's image", () => {
  const { settings } = acquisitionWith();
  const field = { roi: "0,0,512,512", settings };
  expect(pixelNm(field, 320)).toBe(160);
  expect(pixelNm(field, 300)).toBe(160);
  expect(pixelNm(field, 4000)).toBe(20);
  expect(pixelNm({ roi: "0,0,512,64", settings }, 320)).toBe(160);
});

test("what was forgotten and is wanted again is put in its new place", async () => {
  const { pictures, run } = running(3);
  const [before, now] = [target(), target()];
  pictures.want(growing("a"), before);
  pictures.forget("a");
  pictures.want(growing("a"), now);
  await run();
  expect([before.puts, now.puts]).toEqual([0, 1]);
});
