import { expect, test } from "vitest";
import { Api } from "./api";
import { texts } from "./texts";
import { acquisitionWith, FakeServer, problem } from "./fakes";

const ORIGIN = "https://lab.example";
const apiOf = (server: FakeServer) => new Api(ORIGIN, server.send);

test("settings are sent as JSON, and no token with them", async () => {
  const created = { ...acquisitionWith(), token: "its-own" };
  const server = new FakeServer(() => Response.json(created, { status: 201 }));
  expect((await apiOf(server).create({ name: "Cells" })).token).toBe("its-own");
  const [request] = server.requests;
  expect(request).toMatchObject({ method: "POST", url: `${ORIGIN}/api/v1/acquisitions`, body: '{"name":"Cells"}' });
  expect(request!.headers.has("authorization")).toBe(false);
});

test("what the server refuses is told in its own words", async () => {
  const server = new FakeServer(() => problem(403, "this is for the admin"));
  await expect(apiOf(server).list()).rejects.toMatchObject({
    reason: "not_allowed",
    message: "this is for the admin",
  });
});

test("whose right has ended is told so in the page's words, and the page hears of it", async () => {
  let heard = 0;
  const server = new FakeServer(() => problem(401, "send the header Authorization: Bearer TOKEN"));
  const api = new Api(ORIGIN, server.send, () => (heard += 1));
  await expect(api.list()).rejects.toMatchObject({ reason: "not_joined", message: texts.problems.rightEnded });
  expect(heard).toBe(1);
});

test("a server that is away is worth another try, one that refuses is not", async () => {
  const away = new FakeServer(() => Promise.reject(new TypeError("network")));
  const full = new FakeServer(() => problem(503, "all places are taken"));
  const wrong = new FakeServer(() => problem(422, "pixel_size_nm: too small"));
  await expect(apiOf(away).acquisition("a")).rejects.toMatchObject({ reason: "unreachable", isPassing: true });
  await expect(apiOf(full).acquisition("a")).rejects.toMatchObject({ reason: "busy", isPassing: true });
  await expect(apiOf(wrong).acquisition("a")).rejects.toMatchObject({ reason: "refused", isPassing: false });
});

test("a proxy's page of HTML gives a status, not its markup", async () => {
  const server = new FakeServer(() => new Response("<h1>Bad gateway</h1>", { status: 502 }));
  await expect(apiOf(server).acquisition("a")).rejects.toMatchObject({ message: "The server answered 502." });
});

test("a widefield that is not there yet is none, not an error", async () => {
  expect(await apiOf(new FakeServer(() => problem(409, "no frame yet"))).widefield("a")).toBeNull();
  const picture = await apiOf(new FakeServer(() => new Response("png"))).widefield("a");
  expect(picture?.size).toBe(3);
});

test("kept video goes again with what is otherwise, and two results are held against each other", async () => {
  const server = new FakeServer(() => Response.json({ ...acquisitionWith({ id: "new" }), token: "" }, { status: 201 }));
  expect((await apiOf(server).reprocess("a 1", { threshold: null })).id).toBe("new");
  await apiOf(server).comparison("a 1", "b/2", 50, new AbortController().signal);
  const [again, comparison] = server.requests;
  expect(again).toMatchObject({ method: "POST", body: '{"threshold":null}' });
  expect(again!.url).toBe(`${ORIGIN}/api/v1/acquisitions/a%201/reprocess`);
  expect(comparison!.url).toBe(`${ORIGIN}/api/v1/acquisitions/a%201/compare/b%2F2?tolerance_nm=50`);
  expect(apiOf(server).differenceUrl("a", "b")).toBe(`${ORIGIN}/api/v1/acquisitions/a/compare/b/difference.png`);
});

test("what is there so far is asked for whole, or no more of it than can be held", async () => {
  const server = new FakeServer(() => new Response("rows"));
  const { signal } = new AbortController();
  for (const newest of [undefined, 500]) await apiOf(server).soFar("a 1", newest, signal);
  const live = `${ORIGIN}/api/v1/acquisitions/a%201/live`;
  expect(server.requests.map(({ url }) => url)).toEqual([live, `${live}?newest=500`]);
});

test("addresses follow the page's own", () => {
  const api = new Api(ORIGIN);
  expect(api.whipUrl("a-1")).toBe("https://lab.example/whip/a-1");
  expect(api.liveUrl("a-1")).toBe("wss://lab.example/api/v1/acquisitions/a-1/live");
});
