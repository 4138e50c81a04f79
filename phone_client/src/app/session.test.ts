import { expect, test } from "vitest";
import { FakeServer, keepWith, problem } from "./fakes";
import type { Grant } from "../generated/models";
import { Session } from "./session";

const ORIGIN = "https://lab.example";
const granting = (...grants: Grant[]) =>
  new FakeServer(() => Response.json({ grants, expires_at: "2026-11-23T12:00:00Z" }));

async function sessionWith(...grants: Grant[]): Promise<Session> {
  const session = new Session(keepWith({ "cellstorm.joined": "yes" }), ORIGIN, granting(...grants).send);
  await session.known();
  return session;
}

test("a code is exchanged once, and what it opens is known without asking again", async () => {
  const server = granting({ right: "film", acquisition_id: null });
  const session = new Session(keepWith({ "cellstorm.joined": "yes" }), ORIGIN, server.send);
  await session.enter({ code: "K7Q" });
  expect(await session.known()).toMatchObject({ state: "open" });
  expect(server.requests).toHaveLength(1);
  expect(server.requests[0]).toMatchObject({
    method: "POST",
    url: `${ORIGIN}/api/v1/session`,
    body: '{"code":"K7Q"}',
  });
});

test("a member of the class watches all and films only what it created", async () => {
  const session = await sessionWith({ right: "film", acquisition_id: null });
  expect(session.may("film")).toBe(true);
  expect(session.may("watch", "a")).toBe(true);
  expect(session.may("film", "a")).toBe(false);
  session.created("a");
  expect(session.may("film", "a")).toBe(true);
  expect(session.may("manage")).toBe(false);
});

test("a spectator of one acquisition sees neither the others nor the list", async () => {
  const session = await sessionWith({ right: "watch", acquisition_id: "a" });
  expect(session.may("watch", "a")).toBe(true);
  expect(session.may("film", "a")).toBe(false);
  expect(session.may("watch", "b")).toBe(false);
  expect(session.may("watch")).toBe(false);
});

test("the admin may do everything", async () => {
  const session = await sessionWith({ right: "manage", acquisition_id: null });
  expect(session.may("manage") && session.may("film") && session.may("film", "a") && session.may("watch")).toBe(true);
});

test("a browser that never joined is told apart from a server that is away", async () => {
  const stranger = new Session(
    keepWith({ "cellstorm.joined": "yes" }),
    ORIGIN,
    new FakeServer(() => problem(401, "join first")).send,
  );
  expect(await stranger.known()).toEqual({ state: "none" });
  let isAway = true;
  const server = new FakeServer(() => {
    if (isAway) throw new TypeError("network");
    return Response.json({ grants: [], expires_at: "2026-11-23T12:00:00Z" });
  });
  const session = new Session(keepWith({ "cellstorm.joined": "yes" }), ORIGIN, server.send);
  expect(await session.known()).toMatchObject({ state: "unknown" });
  isAway = false;
  expect(await session.known()).toEqual({ state: "open", grants: [] });
});

test("signing out ends what it opened", async () => {
  const session = await sessionWith({ right: "manage", acquisition_id: null });
  await session.leave();
  expect(session.may("watch")).toBe(false);
});

test("a browser that never joined does not bother the server, and one that did asks it after a reload", async () => {
  const keep = keepWith();
  const server = granting({ right: "watch", acquisition_id: null });
  expect(await new Session(keep, ORIGIN, server.send).known()).toEqual({ state: "none" });
  expect(server.requests).toHaveLength(0);
  await new Session(keep, ORIGIN, server.send).enter({ code: "K7Q" });
  expect(await new Session(keep, ORIGIN, server.send).known()).toMatchObject({ state: "open" });
});

test("an answer that was on its way while somebody joined does not undo it", async () => {
  let answer = (_: Response): void => undefined;
  const server = new FakeServer((method) =>
    method === "POST"
      ? Response.json({ grants: [{ right: "film", acquisition_id: null }] })
      : new Promise((resolve) => (answer = resolve)),
  );
  const session = new Session(keepWith({ "cellstorm.joined": "yes" }), "https://lab", server.send);
  const asking = session.known();
  await session.enter({ code: "K7QM2P01" });
  answer(problem(401, "expired"));
  await asking;
  expect(session.may("film")).toBe(true);
});
