/**
 * Follows one acquisition: what is there already comes as one answer, which browsers take many times as fast as messages,
 * and what is new over a WebSocket, which is connected anew when it is lost. Whoever joins again tells how far it was, and
 * is sent what follows; where the server's rows have another order by then, a new snapshot.
 */
import type { Api } from "../app/api";
import { backoffMs, sleep } from "../app/backoff";
import { PageError } from "../app/errors";
import { texts } from "../app/texts";
import { hangUp, impatient, leaveOff } from "../capture/link";
import type { Acquisition, Closing, Opening } from "../generated/models";
import { Unframer } from "./framing";
import { type BinaryMessage, type TextMessage, columnsAreKnown, decode, decodeBinary, decodeText } from "./messages";

export type FeedEvent =
  | { type: "connected" }
  | { type: "progress"; acquisition: Acquisition }
  | { type: "localizations"; message: BinaryMessage }
  | { type: "closed"; reason: Closing["reason"] }
  | { type: "disconnected"; retryInMs: number }
  | { type: "refused"; error: PageError };

export interface FeedParts {
  /** Of the rows that are there by now, at most the newest so many. */
  soFar: (newestRows: number | undefined, signal: AbortSignal) => Promise<Response>;
  open: (url: string) => WebSocket;
  /** Over REST: a browser hides why a WebSocket was refused. */
  ask: (signal: AbortSignal) => Promise<Acquisition>;
  /** Tells "offline" and "online", as a window does. */
  network: EventTarget;
}

/** Of the browser and the gateway. */
export function partsOf(api: Api, id: string): FeedParts {
  return {
    soFar: (newestRows, signal) => api.soFar(id, newestRows, signal),
    open: (url) => new WebSocket(url),
    ask: (signal) => api.acquisition(id, signal),
    network: window,
  };
}

/** An answer of which nothing comes for so long is not waited for: of a link that was lost a browser may never tell. */
const QUIET_MS = 10_000;
/** Of what stands still, as while it waits for a phone, the socket tells nothing: after so long the server is asked. */
const STILL_MS = 5000;
const ANSWER_MS = 4000;

/** The rows that are here already, in the order that the server told. */
interface Held {
  history: number;
  rows: number;
}

/** A refusal was told already. */
type Ending = { by: "closing"; reason: Closing["reason"] } | { by: "loss"; hadOpening: boolean } | { by: "refusal" };

/**
 * Follows until the acquisition closes, the session is refused, or the signal is aborted; of the rows that are there
 * when it comes at most the newest so many are asked for.
 */
export async function follow(
  url: string,
  parts: FeedParts,
  on: (event: FeedEvent) => void,
  signal: AbortSignal,
  newestRows?: number,
): Promise<void> {
  let failures = 0;
  const held: Held = { history: 0, rows: 0 };
  const remember = (event: FeedEvent) => {
    if (event.type === "localizations") {
      held.history = event.message.history;
      held.rows = event.message.firstRow + event.message.rows.count;
    }
    on(event);
  };
  if (!(await takeSoFar((whole) => parts.soFar(newestRows, whole), remember, signal))) return;
  while (!signal.aborted) {
    const socket = impatient(parts.open(addressOf(url, held, newestRows)));
    const ending = await listen(socket, parts, remember, signal);
    if (signal.aborted || ending.by === "refusal") return;
    if (ending.by === "closing" && ending.reason !== "shutting_down") {
      on({ type: "closed", reason: ending.reason });
      return;
    }
    failures = ending.by === "loss" && !ending.hadOpening ? failures + 1 : 1;
    on({ type: "disconnected", retryInMs: backoffMs(failures) });
    const answer = await answerOf(parts, signal);
    if (answer instanceof PageError) {
      on({ type: "refused", error: answer });
      return;
    }
    await rest(backoffMs(failures), parts.network, signal);
  }
}

/** Shorter where the network comes back. */
async function rest(ms: number, network: EventTarget, signal: AbortSignal): Promise<void> {
  const up = new AbortController();
  network.addEventListener("online", () => up.abort(), { signal: up.signal });
  await sleep(ms, AbortSignal.any([signal, up.signal])).catch(() => undefined);
  up.abort();
}

function addressOf(url: string, held: Held, newestRows: number | undefined): string {
  const query = new URLSearchParams();
  if (newestRows !== undefined) query.set("newest", String(newestRows));
  if (held.rows > 0) {
    query.set("history", String(held.history));
    query.set("rows", String(held.rows));
  }
  return query.size === 0 ? url : `${url}?${query.toString()}`;
}

/** What the server says, soon, of whoever asks; an error is its refusal. */
async function answerOf(parts: FeedParts, signal: AbortSignal): Promise<"welcome" | "silence" | PageError> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), ANSWER_MS);
  try {
    await parts.ask(AbortSignal.any([signal, late.signal]));
    return "welcome";
  } catch (error) {
    if (signal.aborted || late.signal.aborted) return "silence";
    if (!(error instanceof PageError)) throw error;
    if (error.reason === "unreachable") return "silence";
    return error.isPassing ? "welcome" : error;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Watches over a socket, of whose lost link a browser may never tell: where it is still, or the browser says that it is
 * offline, the server is asked; `onLost` is called when neither of both tells anything. To be called with all that comes.
 */
function watchOver(parts: FeedParts, onLost: () => void, signal: AbortSignal): () => void {
  let heard = 0;
  let isAsking = false;
  let timer: ReturnType<typeof setTimeout>;
  const hear = () => {
    heard++;
    clearTimeout(timer);
    timer = setTimeout(() => void ask(), STILL_MS);
  };
  const ask = async () => {
    if (isAsking) return;
    isAsking = true;
    const before = heard;
    const answer = await answerOf(parts, signal);
    isAsking = false;
    if (signal.aborted) return;
    if (answer === "silence" && heard === before) onLost();
    else hear();
  };
  parts.network.addEventListener("offline", () => void ask(), { signal });
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  hear();
  return hear;
}

/** Whether the server's messages can be read. */
async function takeSoFar(
  ask: (signal: AbortSignal) => Promise<Response>,
  on: (event: FeedEvent) => void,
  signal: AbortSignal,
): Promise<boolean> {
  const unframer = new Unframer();
  for await (const piece of piecesOf(ask, signal)) {
    for (const data of unframer.take(piece)) if (!hear(decode(data), on)) return false;
  }
  return true;
}

/** What keeps them from coming, or from coming all, the WebSocket meets too, and there its reason is found out. */
async function* piecesOf(
  ask: (signal: AbortSignal) => Promise<Response>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const leaving = new AbortController();
  const leave = () => leaving.abort();
  let quiet = setTimeout(leave, QUIET_MS);
  try {
    const reader = (await ask(AbortSignal.any([signal, leaving.signal]))).body!.getReader();
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      clearTimeout(quiet);
      yield piece.value;
      quiet = setTimeout(leave, QUIET_MS);
    }
  } catch (error) {
    const isLost = error instanceof PageError || error instanceof TypeError; // before the answer, or within it
    if (!isLost && !signal.aborted && !leaving.signal.aborted) throw error;
  } finally {
    clearTimeout(quiet);
    leave();
  }
}

/** Of the messages of an answer; whether those that follow can be read. */
function hear(message: TextMessage | BinaryMessage, on: (event: FeedEvent) => void): boolean {
  if ("rows" in message) on({ type: "localizations", message });
  else if (message.kind === "opening" && !isReadable(message, on)) return false;
  else if (message.kind !== "closing") on({ type: "progress", acquisition: message.acquisition });
  return true;
}

/** Rows of another release are not drawn. */
function isReadable(opening: Opening, on: (event: FeedEvent) => void): boolean {
  if (columnsAreKnown(opening.columns)) return true;
  on({ type: "refused", error: new PageError("refused", texts.problems.updated) });
  return false;
}

/** One connection, to its end. */
function listen(
  socket: WebSocket,
  parts: FeedParts,
  on: (event: FeedEvent) => void,
  signal: AbortSignal,
): Promise<Ending> {
  return new Promise((resolve) => {
    let ending: Ending = { by: "loss", hadOpening: false };
    const leave = () => hangUp(socket);
    const part = () => leaveOff(socket);
    const over = new AbortController();
    const hear = watchOver(parts, leave, over.signal);
    socket.binaryType = "arraybuffer";
    socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => {
      hear();
      if (event.data instanceof ArrayBuffer) {
        on({ type: "localizations", message: decodeBinary(event.data) });
        return;
      }
      const message = decodeText(event.data);
      if (message.kind === "closing") {
        ending = { by: "closing", reason: message.reason };
        return;
      }
      if (message.kind === "opening") {
        if (!isReadable(message, on)) {
          ending = { by: "refusal" };
          leave();
          return;
        }
        ending = { by: "loss", hadOpening: true };
        on({ type: "connected" });
      }
      on({ type: "progress", acquisition: message.acquisition });
    };
    socket.onclose = () => {
      signal.removeEventListener("abort", part);
      over.abort();
      resolve(ending);
    };
    signal.addEventListener("abort", part, { once: true });
    if (signal.aborted) part();
  });
}
