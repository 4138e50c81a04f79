import { expect, test, vi } from "vitest";
import { PageError } from "../app/errors";
import { acquisitionWith, bytesOf, examples, FakeSocket, opening, settled } from "../app/fakes";
import { type FeedEvent, follow } from "./feed";

type Ask = () => Promise<never> | Promise<ReturnType<typeof acquisitionWith>>;

function feed(ask: Ask = async () => acquisitionWith(), newestRows?: number) {
  const sockets: FakeSocket[] = [];
  const events: FeedEvent[] = [];
  const leaving = new AbortController();
  const open = (url: string) => {
    sockets.push(new FakeSocket(url));
    return sockets.at(-1) as unknown as WebSocket;
  };
  const done = follow("wss://lab/live", { open, ask }, (event) => events.push(event), leaving.signal, newestRows);
  return { sockets, events, leaving, done, types: () => events.map((event) => event.type) };
}

test("messages come out as events", async () => {
  const { sockets, events, leaving, done } = feed();
  sockets[0]!.receive(opening());
  sockets[0]!.receive(bytesOf(examples.snapshot));
  sockets[0]!.receive({ kind: "progress", acquisition: acquisitionWith({ localizations: 9 }) });
  expect(events.map((event) => event.type)).toEqual(["connected", "progress", "localizations", "progress"]);
  leaving.abort();
  await done;
});

test("after closing there is no coming back", async () => {
  const { sockets, events, done } = feed();
  sockets[0]!.receive(opening());
  sockets[0]!.receive({ kind: "closing", reason: "finished" });
  sockets[0]!.close();
  await done;
  expect(events.at(-1)).toEqual({ type: "closed", reason: "finished" });
  expect(sockets).toHaveLength(1);
});

test("a lost connection and a gateway that restarts are joined again", async () => {
  vi.useFakeTimers();
  const { sockets, types, leaving, done } = feed();
  sockets[0]!.receive(opening());
  sockets[0]!.close();
  await vi.advanceTimersByTimeAsync(1000);
  expect(types().at(-1)).toBe("disconnected");
  sockets[1]!.receive(opening());
  sockets[1]!.receive({ kind: "closing", reason: "shutting_down" });
  sockets[1]!.close();
  await vi.advanceTimersByTimeAsync(1000);
  expect(sockets).toHaveLength(3);
  leaving.abort();
  await done;
  vi.useRealTimers();
});

test("whoever joins again tells what it has, and asks for no more than it can hold", async () => {
  vi.useFakeTimers();
  const { sockets, leaving, done } = feed(undefined, 5000);
  expect(sockets[0]!.url).toBe("wss://lab/live?newest=5000");
  sockets[0]!.receive(opening());
  sockets[0]!.receive(bytesOf(examples.snapshot));
  sockets[0]!.receive(bytesOf(examples.delta));
  sockets[0]!.close();
  await vi.advanceTimersByTimeAsync(1000);
  expect(sockets[1]!.url).toBe(`wss://lab/live?newest=5000&history=7&rows=${examples.rows.length}`);
  leaving.abort();
  await done;
  vi.useRealTimers();
});

test("a session that is refused ends it, and the reason is told", async () => {
  const refused = new PageError("not_allowed", "the token does not fit");
  const { sockets, events, done } = feed(() => Promise.reject(refused));
  sockets[0]!.close();
  await done;
  expect(events.at(-1)).toEqual({ type: "refused", error: refused });
});

test("rows of another layout are not drawn; the person is asked to reload", async () => {
  const { sockets, events, done } = feed();
  const other = opening();
  sockets[0]!.receive({ ...other, columns: other.columns.slice(1) });
  await settled();
  expect(events[0]).toMatchObject({ type: "refused", error: { message: "The server was updated. Reload this page." } });
  await done;
  expect(sockets).toHaveLength(1);
});
