/**
 * Follows one acquisition over its WebSocket and connects anew when the connection is lost; joining again brings a new
 * snapshot, so nothing has to be remembered here. Browsers cannot send headers with a WebSocket: the token travels as
 * a subprotocol.
 */
import { backoffMs, sleep } from "./backoff";
import { PageError } from "./errors";
import type { Acquisition, Closing } from "./generated/models";
import { type BinaryMessage, columnsAreKnown, decodeBinary, decodeText } from "./live";

export type FeedEvent =
  | { type: "connected" }
  | { type: "progress"; acquisition: Acquisition }
  | { type: "localizations"; message: BinaryMessage }
  | { type: "closed"; reason: Closing["reason"] }
  | { type: "disconnected"; retryInMs: number }
  | { type: "refused"; error: PageError };

export interface FeedParts {
  open: (url: string, protocols: string[]) => WebSocket;
  /** Over REST: a browser hides why a WebSocket was refused. */
  ask: (signal: AbortSignal) => Promise<Acquisition>;
}

type Ending = { by: "closing"; reason: Closing["reason"] } | { by: "loss"; hadOpening: boolean };

/** Follows until the acquisition closes, the token is refused, or the signal is aborted. */
export async function follow(
  url: string,
  token: string,
  parts: FeedParts,
  on: (event: FeedEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    const ending = await listen(parts.open(url, ["cellstorm", `bearer.${token}`]), on, signal);
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
          on({ type: "refused", error: new PageError("refused", "The server was updated. Reload this page.") });
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
