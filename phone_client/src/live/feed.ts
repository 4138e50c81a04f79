/**
 * Follows one acquisition over its WebSocket and connects anew when the connection is lost. Whoever joins again tells
 * how far it was, and is sent what follows; where the server's rows have another order by then, a new snapshot.
 */
import { backoffMs, sleep } from "../app/backoff";
import { PageError } from "../app/errors";
import { texts } from "../app/texts";
import type { Acquisition, Closing } from "../generated/models";
import { type BinaryMessage, columnsAreKnown, decodeBinary, decodeText } from "./messages";

export type FeedEvent =
  | { type: "connected" }
  | { type: "progress"; acquisition: Acquisition }
  | { type: "localizations"; message: BinaryMessage }
  | { type: "closed"; reason: Closing["reason"] }
  | { type: "disconnected"; retryInMs: number }
  | { type: "refused"; error: PageError };

export interface FeedParts {
  open: (url: string) => WebSocket;
  /** Over REST: a browser hides why a WebSocket was refused. */
  ask: (signal: AbortSignal) => Promise<Acquisition>;
}

/** The rows that are here already, in the order that the server told. */
interface Held {
  history: number;
  rows: number;
}

type Ending = { by: "closing"; reason: Closing["reason"] } | { by: "loss"; hadOpening: boolean };

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
  while (!signal.aborted) {
    const ending = await listen(parts.open(addressOf(url, held, newestRows)), remember, signal);
    if (signal.aborted) return;
    if (ending.by === "closing" && ending.reason !== "shutting_down") {
      on({ type: "closed", reason: ending.reason });
      return;
    }
    failures = ending.by === "loss" && !ending.hadOpening ? failures + 1 : 1;
    on({ type: "disconnected", retryInMs: backoffMs(failures) });
    const refusal = await refusalOf(parts, signal);
    if (refusal !== null) {
      on({ type: "refused", error: refusal });
      return;
    }
    await sleep(backoffMs(failures), signal).catch(() => undefined); // aborted: the loop's condition ends it
  }
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

async function refusalOf(parts: FeedParts, signal: AbortSignal): Promise<PageError | null> {
  try {
    await parts.ask(signal);
    return null;
  } catch (error) {
    if (signal.aborted || (error instanceof PageError && error.isPassing)) return null;
    if (error instanceof PageError) return error;
    throw error;
  }
}

/** One connection, to its end. */
function listen(socket: WebSocket, on: (event: FeedEvent) => void, signal: AbortSignal): Promise<Ending> {
  return new Promise((resolve) => {
    let ending: Ending = { by: "loss", hadOpening: false };
    const hangUp = () => socket.close();
    socket.binaryType = "arraybuffer";
    socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => {
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
        if (!columnsAreKnown(message.columns)) {
          on({ type: "refused", error: new PageError("refused", texts.problems.updated) });
          ending = { by: "closing", reason: "failed" };
          hangUp();
          return;
        }
        ending = { by: "loss", hadOpening: true };
        on({ type: "connected" });
      }
      on({ type: "progress", acquisition: message.acquisition });
    };
    socket.onclose = () => {
      signal.removeEventListener("abort", hangUp);
      resolve(ending);
    };
    signal.addEventListener("abort", hangUp, { once: true });
    if (signal.aborted) hangUp();
  });
}
