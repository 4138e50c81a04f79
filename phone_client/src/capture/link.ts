/**
 * Whether the other side is still there. Its reports arrive several times a second; a silence of two seconds is looked
 * into, and one of four is the end, whatever else still answers (a gateway that was restarted does).
 */
export type Hearing = "heard" | "doubtful" | "silent";

const DOUBTFUL_MS = 2000;
const SILENT_MS = 4000;

export class Silence {
  #bytes = -1;
  #heardAtMs: number;

  constructor(nowMs: number) {
    this.#heardAtMs = nowMs;
  }

  /** `bytesReceived`: of all that has come over the connection; null where the browser does not tell. */
  hear(nowMs: number, bytesReceived: number | null): Hearing {
    if (bytesReceived === null || bytesReceived !== this.#bytes) {
      this.#bytes = bytesReceived ?? -1;
      this.#heardAtMs = nowMs;
    }
    const silentMs = nowMs - this.#heardAtMs;
    if (silentMs >= SILENT_MS) return "silent";
    return silentMs >= DOUBTFUL_MS ? "doubtful" : "heard";
  }
}

const ANSWER_MS = 1500;
/** Of WebSocket.readyState. */
const CONNECTING = 0;

/**
 * Whether the gateway answers at all, and soon; by a WebSocket of its live view. A fetch would wait for connections that
 * the browser began while the link was lost, and go on trying at ever longer intervals long after its return.
 */
export function answers(
  url: string,
  signal: AbortSignal,
  open: (url: string) => WebSocket = (each) => new WebSocket(each),
): Promise<boolean> {
  const over = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
  if (over.aborted) return Promise.resolve(false);
  const socket = impatient(open(url), ANSWER_MS);
  return new Promise((resolve) => {
    const end = (isAnswered: boolean) => {
      resolve(isAnswered);
      socket.close();
    };
    socket.addEventListener("open", () => end(true), { once: true });
    socket.addEventListener("error", () => end(false), { once: true });
    over.addEventListener("abort", () => end(false), { once: true });
  });
}

/** Gives up where it is not open soon: browsers connect one WebSocket at a time, and others wait behind it. */
export function impatient(socket: WebSocket, withinMs = 2 * ANSWER_MS): WebSocket {
  const timer = setTimeout(() => {
    if (socket.readyState === CONNECTING) socket.close();
  }, withinMs);
  socket.addEventListener("open", () => clearTimeout(timer), { once: true });
  return socket;
}
