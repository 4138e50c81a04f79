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

/** Long enough for three requests over UDP: browsers send them after 0, 250 and 750 ms. */
const ECHO_MS = 1500;
/** Long enough for three attempts at a connection: after 0, 1 and 3 s. */
const ANSWER_MS = 3500;
/** Of WebSocket.readyState. */
const CONNECTING = 0;

/** The ways in which it can be asked whether the gateway answers. */
export interface Ways {
  /** Over UDP. */
  echo: (signal: AbortSignal) => Promise<boolean>;
  /** Over TCP. */
  answer: (signal: AbortSignal) => Promise<boolean>;
}

/**
 * Whether the gateway answers: over UDP where it was heard so while the link was good, for that knows within a second
 * that a link is back. Not by fetch: it would wait for connections that the browser began while the link was lost, and
 * goes on trying at ever longer intervals long after its return.
 */
export class Reach {
  #hasEcho = false;

  constructor(private readonly ways: Ways) {}

  /** To be asked while the link is good: proxies and containers may let nothing through but HTTP. */
  async tryEcho(signal: AbortSignal): Promise<void> {
    if (await this.ways.echo(signal)) this.#hasEcho = true;
  }

  isReachable(signal: AbortSignal): Promise<boolean> {
    return this.#hasEcho ? this.ways.echo(signal) : this.ways.answer(signal);
  }
}

/** Of a gateway: by STUN at its own port, and by a WebSocket of an acquisition's live view. */
export function waysTo(origin: string, liveUrl: () => string): Ways {
  return {
    echo: (signal) => hears(stunOf(origin), signal),
    answer: (signal) => answers(liveUrl(), signal),
  };
}

/** The same host and port, over UDP. */
export function stunOf(origin: string): string {
  const { hostname, port, protocol } = new URL(origin);
  return `stun:${hostname}:${port || (protocol === "https:" ? 443 : 80)}`;
}

/** Whether a STUN server answers: a peer connection asks it for its own address, and is told one that is not. */
export function hears(
  url: string,
  signal: AbortSignal,
  createPeer: (servers: RTCIceServer[]) => RTCPeerConnection = (iceServers) => new RTCPeerConnection({ iceServers }),
): Promise<boolean> {
  const over = AbortSignal.any([signal, AbortSignal.timeout(ECHO_MS)]);
  if (over.aborted) return Promise.resolve(false);
  let peer: RTCPeerConnection;
  try {
    peer = createPeer([{ urls: url }]);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    return Promise.resolve(false); // Chromium makes 500 at most before it takes the closed ones away
  }
  return new Promise((resolve) => {
    const end = (isHeard: boolean) => {
      resolve(isHeard);
      peer.close();
    };
    // "srflx": as a server sees it. Of networks that do not lead there nothing comes, or an error; another one may.
    peer.addEventListener("icecandidate", ({ candidate }) => {
      if (candidate?.type === "srflx") end(true);
    });
    over.addEventListener("abort", () => end(false), { once: true });
    peer.createDataChannel("");
    peer.setLocalDescription().catch(() => end(false)); // closed meanwhile
  });
}

/** Whether the gateway answers at all, and soon; by a WebSocket. Browsers hold new ones back after many that failed. */
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
export function impatient(socket: WebSocket, withinMs = ANSWER_MS): WebSocket {
  const timer = setTimeout(() => {
    if (socket.readyState === CONNECTING) socket.close();
  }, withinMs);
  socket.addEventListener("open", () => clearTimeout(timer), { once: true });
  return socket;
}

/** Ends a connection whose other side may be out of reach: for its goodbye browsers wait a minute before they say "close". */
export function hangUp(socket: WebSocket): void {
  socket.onmessage = null;
  socket.close();
  socket.dispatchEvent(new Event("close"));
}

/** Likewise, where no other waits behind it: of one that is closed before it is open, browsers complain in their console. */
export function leaveOff(socket: WebSocket): void {
  if (socket.readyState !== CONNECTING) {
    hangUp(socket);
    return;
  }
  socket.onmessage = null;
  socket.addEventListener("open", () => socket.close(), { once: true });
  socket.dispatchEvent(new Event("close"));
}
