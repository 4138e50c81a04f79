import { expect, test, vi } from "vitest";
import { PageError } from "../app/errors";
import { acquisitionWith, bytesOf, examples, FakeSocket, framed, opening, settled } from "../app/fakes";
import { type FeedEvent, follow } from "./feed";

type Ask = (signal?: AbortSignal) => Promise<never> | Promise<ReturnType<typeof acquisitionWith>>;

const answered = async () => acquisitionWith();

const NOTHING = framed(JSON.stringify(opening()), JSON.stringify({ kind: "progress", acquisition: acquisitionWith() }));
const EXAMPLE = framed(JSON.stringify(opening()), bytesOf(examples.snapshot), bytesOf(examples.delta));

interface Given {
  ask?: Ask;
  newestRows?: number;
  /** What is there when it joins; an error for an answer that does not come. */
  soFar?: BodyInit | Error;
}

/** Has read what is there, and then opened its first socket. */
async function feed({ ask = answered, newestRows, soFar = NOTHING }: Given = {}) {
  const asked: (number | undefined)[] = [];
  const sockets: FakeSocket[] = [];
  const events: FeedEvent[] = [];
  const leaving = new AbortController();
  const open = (url: string) => {
    sockets.push(new FakeSocket(url));
    return sockets.at(-1) as unknown as WebSocket;
  };
  const answer = async (newest: number | undefined) => {
    asked.push(newest);
    if (soFar instanceof Error) throw soFar;
    return new Response(soFar);
  };
  const network = new EventTarget();
  const parts = { soFar: answer, open, ask, network };
  const done = follow("wss://lab/live", parts, (event) => events.push(event), leaving.signal, newestRows);
  await vi.waitFor(() => expect(sockets.length + events.filter(({ type }) => type === "refused").length).toBe(1));
  return { asked, sockets, events, leaving, done, network, types: () => events.map((event) => event.type) };
}

test("what is there comes in one answer, and the socket is asked for what follows", async () => {
  const { asked, sockets, types, leaving, done } = await feed({ soFar: EXAMPLE, newestRows: 5000 });
  expect(asked).toEqual([5000]);
  expect(types()).toEqual(["progress", "localizations", "localizations"]);
  expect(sockets[0]!.url).toBe(`wss://lab/live?newest=5000&history=7&rows=${examples.rows.length}`);
  leaving.abort();
  await done;
});

test("of an answer that breaks off, what came is kept and the rest asked for", async () => {
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(EXAMPLE.subarray(0, -10)),
    pull: (controller) => controller.error(new TypeError("network error")),
  });
  const { sockets, types, leaving, done } = await feed({ soFar: body });
  expect(types()).toEqual(["progress", "localizations"]);
  expect(sockets[0]!.url).toBe("wss://lab/live?history=7&rows=9");
  leaving.abort();
  await done;
});

test("an answer that falls silent is not waited for", async () => {
  vi.useFakeTimers();
  const sockets: string[] = [];
  const leaving = new AbortController();
  const parts = {
    soFar: (_: number | undefined, signal: AbortSignal) =>
      new Promise<Response>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    open: (url: string) => {
      sockets.push(url);
      return new FakeSocket(url) as unknown as WebSocket;
    },
    ask: async () => acquisitionWith(),
    network: new EventTarget(),
  };
  const done = follow("wss://lab/live", parts, () => undefined, leaving.signal);
  await vi.advanceTimersByTimeAsync(9000);
  expect(sockets).toEqual([]);
  await vi.advanceTimersByTimeAsync(2000);
  expect(sockets).toEqual(["wss://lab/live"]);
  leaving.abort();
  await done;
  vi.useRealTimers();
});

test("where the answer does not come, the socket brings everything", async () => {
  const { sockets, events, leaving, done } = await feed({ soFar: new PageError("unreachable", "no answer") });
  expect(sockets[0]!.url).toBe("wss://lab/live");
  expect(events).toEqual([]);
  leaving.abort();
  await done;
});

test("messages come out as events", async () => {
  const { sockets, types, leaving, done } = await feed();
  expect(types()).toEqual(["progress", "progress"]);
  sockets[0]!.receive(opening());
  sockets[0]!.receive(bytesOf(examples.delta));
  sockets[0]!.receive({ kind: "progress", acquisition: acquisitionWith({ localizations: 9 }) });
  expect(types().slice(2)).toEqual(["connected", "progress", "localizations", "progress"]);
  leaving.abort();
  await done;
});

test("after closing there is no coming back", async () => {
  const { sockets, events, done } = await feed();
  sockets[0]!.receive(opening());
  sockets[0]!.receive({ kind: "closing", reason: "finished" });
  sockets[0]!.close();
  await done;
  expect(events.at(-1)).toEqual({ type: "closed", reason: "finished" });
  expect(sockets).toHaveLength(1);
});

test("a lost connection and a gateway that restarts are joined again", async () => {
  vi.useFakeTimers();
  const { sockets, types, leaving, done } = await feed();
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

const away = () => Promise.reject(new PageError("unreachable", "no answer"));

test("a link that is lost without a word is noticed, and joined again when it is back", async () => {
  vi.useFakeTimers();
  let isAway = false;
  const { sockets, types, leaving, done } = await feed({ ask: () => (isAway ? away() : answered()) });
  sockets[0]!.receive(opening());
  sockets[0]!.isDead = isAway = true;
  await vi.advanceTimersByTimeAsync(4900);
  expect(types().at(-1)).toBe("progress");
  await vi.advanceTimersByTimeAsync(200);
  expect(types().at(-1)).toBe("disconnected");
  isAway = false;
  await vi.advanceTimersByTimeAsync(1000);
  sockets[1]!.receive(opening());
  expect(types().slice(-2)).toEqual(["connected", "progress"]);
  leaving.abort();
  await done;
  vi.useRealTimers();
});

test("a browser that says it is offline is believed when the server does not answer, and online wakes it", async () => {
  vi.useFakeTimers();
  let isAway = true;
  const { sockets, types, network, leaving, done } = await feed({ ask: () => (isAway ? away() : answered()) });
  sockets[0]!.receive(opening());
  sockets[0]!.isDead = true;
  network.dispatchEvent(new Event("offline"));
  await vi.advanceTimersByTimeAsync(0);
  expect(types().at(-1)).toBe("disconnected");
  isAway = false;
  network.dispatchEvent(new Event("online"));
  await vi.advanceTimersByTimeAsync(0);
  expect(sockets).toHaveLength(2);
  leaving.abort();
  await done;
  vi.useRealTimers();
});

test("what only stands still is no lost link, nor a server in reach of a browser without the internet", async () => {
  vi.useFakeTimers();
  const ask = vi.fn(answered);
  const { sockets, types, network, leaving, done } = await feed({ ask });
  sockets[0]!.receive(opening());
  network.dispatchEvent(new Event("offline"));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(ask.mock.calls.length).toBeGreaterThan(5);
  expect(types()).not.toContain("disconnected");
  leaving.abort();
  await done;
  vi.useRealTimers();
});

test("a server that takes a question and never answers is as good as away", async () => {
  vi.useFakeTimers();
  const ask = (signal?: AbortSignal) =>
    new Promise<never>((_, reject) => signal!.addEventListener("abort", () => reject(signal!.reason)));
  const { sockets, types, leaving, done } = await feed({ ask });
  sockets[0]!.receive(opening());
  await vi.advanceTimersByTimeAsync(9100);
  expect(types().at(-1)).toBe("disconnected");
  leaving.abort();
  await done;
  vi.useRealTimers();
});

test("whoever joins again tells what it has, and asks for no more than it can hold", async () => {
  vi.useFakeTimers();
  const { sockets, leaving, done } = await feed({ newestRows: 5000 });
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
  const { sockets, events, done } = await feed({ ask: () => Promise.reject(refused) });
  sockets[0]!.close();
  await done;
  expect(events.at(-1)).toEqual({ type: "refused", error: refused });
});

const otherLayout = () => ({ ...opening(), columns: opening().columns.slice(1) });
const reload = { type: "refused", error: { message: "The server was updated. Reload this page." } };

test("rows of another layout are not drawn; the person is asked to reload", async () => {
  const { sockets, events, done } = await feed({ soFar: framed(JSON.stringify(otherLayout()), "rows") });
  await done;
  expect(events).toMatchObject([reload]);
  expect(sockets).toHaveLength(0);
});

test("nor are those of a server that was updated while the connection was lost", async () => {
  const { sockets, events, done } = await feed();
  sockets[0]!.receive(otherLayout());
  await settled();
  expect(events.at(-1)).toMatchObject(reload);
  await done;
  expect(sockets).toHaveLength(1);
});
