import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { PageError } from "./errors";
import { keepListed } from "./listed";

class FakeDocument extends EventTarget {
  hidden = false;

  turn(hidden: boolean): void {
    this.hidden = hidden;
    this.dispatchEvent(new Event("visibilitychange"));
  }
}

let page: FakeDocument;
let leaving: AbortController;
let ended: Promise<void>;

beforeEach(() => {
  vi.useFakeTimers();
  page = new FakeDocument();
  leaving = new AbortController();
  vi.stubGlobal("document", page);
});
afterEach(async () => {
  leaving.abort();
  await ended;
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** Kept each second; what was shown and told so far. */
function kept(load: () => Promise<number>) {
  const shown: number[] = [];
  const told: unknown[] = [];
  const listing = {
    load,
    show: (loaded: number) => void shown.push(loaded),
    complain: (problem: unknown) => void told.push(problem),
    everyMs: 1000,
  };
  ended = keepListed(listing, leaving.signal);
  return { shown, told };
}

test("what is there is asked for again and again, until the place is left", async () => {
  let asked = 0;
  const { shown } = kept(async () => ++asked);
  await vi.advanceTimersByTimeAsync(2500);
  expect(shown).toEqual([1, 2, 3]);
  leaving.abort();
  await ended;
  expect(asked).toBe(3);
});

test("what was on its way when the place was left is not shown", async () => {
  let answer = (_: number): void => undefined;
  const { shown, told } = kept(() => new Promise((resolve) => (answer = resolve)));
  leaving.abort();
  answer(1);
  await ended;
  expect([...shown, ...told]).toEqual([]);
});

test("nothing is asked for while nobody looks, and at once when somebody looks again", async () => {
  let asked = 0;
  const { shown } = kept(async () => ++asked);
  await vi.advanceTimersByTimeAsync(500);
  page.turn(true);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(shown).toEqual([1]);
  page.turn(false);
  await vi.advanceTimersByTimeAsync(0);
  expect(shown).toEqual([1, 2]);
});

test("a server that is away is told until it is back", async () => {
  const away = new PageError("unreachable", "cannot be reached");
  const answers = [Promise.reject(away), Promise.resolve(2)];
  answers[0]!.catch(() => undefined);
  const { shown, told } = kept(() => answers.shift() ?? Promise.resolve(3));
  await vi.advanceTimersByTimeAsync(1500);
  expect([shown, told]).toEqual([[2], [away, null]]);
});
