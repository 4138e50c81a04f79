import { expect, test } from "vitest";
import { FakeServer, keepWith } from "./fakes";
import { firstPlace, isOpenToAll, permits } from "./permits";
import type { Grant } from "../generated/models";
import { Session } from "./session";

async function holding(...grants: Grant[]): Promise<Session> {
  const session = new Session(
    keepWith({ "cellstorm.joined": "yes" }),
    "https://lab",
    new FakeServer(() => Response.json({ grants })).send,
  );
  await session.known();
  return session;
}

test("a spectator of one acquisition opens that one and nothing else", async () => {
  const session = await holding({ right: "watch", acquisition_id: "a" });
  expect(permits(session, { page: "view", id: "a" })).toBe(true);
  expect(permits(session, { page: "view", id: "b" })).toBe(false);
  expect(permits(session, { page: "film", id: "a" })).toBe(false);
  expect(permits(session, { page: "start" })).toBe(false);
});

test("two are compared by whoever may watch both", async () => {
  const place = { page: "compare", first: "a", second: "b" } as const;
  const one = { right: "watch", acquisition_id: "a" } as const;
  expect(permits(await holding(one), place)).toBe(false);
  expect(permits(await holding(one, { right: "film", acquisition_id: "b" }), place)).toBe(true);
  expect(permits(await holding({ right: "watch", acquisition_id: null }), place)).toBe(true);
});

test("whoever has not joined records here, and keeps what was recorded", () => {
  for (const page of ["record", "recordings"] as const) expect(isOpenToAll({ page })).toBe(true);
  expect(isOpenToAll({ page: "film", id: null })).toBe(false);
});

test("a member of the class films, plays the sample and sees the wall", async () => {
  const session = await holding({ right: "film", acquisition_id: null });
  for (const page of ["start", "wall", "sample"] as const) expect(permits(session, { page })).toBe(true);
  expect(permits(session, { page: "film", id: null })).toBe(true);
  expect(permits(session, { page: "film", id: "of-another" })).toBe(false);
});

test.each([
  [
    { right: "film", acquisition_id: null },
    { page: "film", id: null },
  ],
  [
    { right: "film", acquisition_id: "a" },
    { page: "film", id: "a" },
  ],
  [
    { right: "watch", acquisition_id: "a" },
    { page: "view", id: "a" },
  ],
  [{ right: "watch", acquisition_id: null }, { page: "wall" }],
  [{ right: "manage", acquisition_id: null }, { page: "start" }],
] as const)("who has just got %o begins at %o", (grant, place) => {
  expect(firstPlace([{ right: "watch", acquisition_id: "older" }, grant])).toEqual(place);
});
