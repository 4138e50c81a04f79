/** Publishes a camera's video by WHIP (RFC 9725). One signal cancels every step of connecting. */
import { PageError } from "./errors";
import { request } from "./http";

export interface WhipParts {
  createPeer: () => RTCPeerConnection;
  /** What this browser can encode. */
  codecs: () => readonly RTCRtpCodec[];
  send: typeof fetch;
}

export interface SendStats {
  readonly framesSent: number;
  readonly framesPerSecond: number | null;
  readonly bytesSent: number;
  readonly width: number | null;
  readonly height: number | null;
}

/** A phone's connection to the gateway. */
export interface Session {
  /** Resolves when the connection is lost; never rejects. */
  readonly lost: Promise<void>;
  /** Ends it at the gateway, then here. Rejects only if another device had taken its place. */
  stop(): Promise<void>;
  stats(): Promise<SendStats | null>;
}

const GATHERING_MS = 2000;
const CONNECTING_MS = 15_000;
const STOPPING_MS = 3000;
const DISCONNECTED_MS = 3000;

export const browserParts: WhipParts = {
  // On a local network a STUN server only costs time; the gateway has an address that the phone reaches.
  createPeer: () => new RTCPeerConnection({ iceServers: [], bundlePolicy: "max-bundle" }),
  codecs: () => RTCRtpSender.getCapabilities("video")?.codecs ?? [],
  send: (input, init) => fetch(input, init),
};

/** Resolves once video flows. */
export async function publish(
  stream: MediaStream,
  url: string,
  token: string,
  signal: AbortSignal,
  parts: WhipParts = browserParts,
): Promise<Session> {
  const peer = parts.createPeer();
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(CONNECTING_MS)]);
  let resource: string | null = null;
  try {
    await offerVideo(peer, stream, parts.codecs());
    await gathered(peer, deadline);
    const answer = await request(
      url,
      token,
      { method: "POST", body: peer.localDescription?.sdp ?? "", contentType: "application/sdp", signal: deadline },
      parts.send,
    );
    resource = resourceOf(answer, url);
    await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
    await connected(peer, deadline);
    return new PublishedSession(peer, resource, token, parts.send);
  } catch (error) {
    peer.close();
    if (resource !== null) await endSession(resource, token, parts.send);
    if (!signal.aborted && deadline.aborted) {
      throw new PageError(
        "unreachable",
        "The video does not get through to the server. Are both in the same network?",
        {
          cause: error,
        },
      );
    }
    throw error;
  }
}

async function offerVideo(peer: RTCPeerConnection, stream: MediaStream, codecs: readonly RTCRtpCodec[]): Promise<void> {
  const h264 = codecs.filter((codec) => codec.mimeType.toLowerCase() === "video/h264");
  const retransmission = codecs.filter((codec) => codec.mimeType.toLowerCase() === "video/rtx");
  const [track] = stream.getVideoTracks();
  if (track === undefined) throw new PageError("no_camera", "The camera gives no video.");
  if (h264.length === 0) {
    throw new PageError("no_codec", "This browser cannot send H.264 video. Try Chrome, Firefox or Safari, up to date.");
  }
  // No contentHint: "detail" makes Chromium send 190 kbit/s whatever is asked for.
  const transceiver = peer.addTransceiver(track, { direction: "sendonly", streams: [stream] });
  transceiver.setCodecPreferences([...h264, ...retransmission]);
  await peer.setLocalDescription(await peer.createOffer());
  const parameters = transceiver.sender.getParameters();
  // Blinking molecules are lost in a smaller picture; a lower frame rate is seen and counted.
  parameters.degradationPreference = "maintain-resolution";
  await transceiver.sender.setParameters(parameters);
}

/** Waits for all candidates, as there is no trickling; those found in time must do. */
async function gathered(peer: RTCPeerConnection, signal: AbortSignal): Promise<void> {
  const enough = AbortSignal.any([signal, AbortSignal.timeout(GATHERING_MS)]);
  await until(peer, "icegatheringstatechange", () => peer.iceGatheringState === "complete" || enough.aborted, enough);
  signal.throwIfAborted();
}

async function connected(peer: RTCPeerConnection, signal: AbortSignal): Promise<void> {
  const isSettled = () => peer.connectionState === "connected" || peer.connectionState === "failed" || signal.aborted;
  await until(peer, "connectionstatechange", isSettled, signal);
  signal.throwIfAborted();
  if (peer.connectionState === "failed") {
    throw new PageError("unreachable", "The video does not get through to the server. Are both in the same network?");
  }
}

/** Resolves when `isDone` holds, looked at on every event and on abort. */
function until(
  peer: RTCPeerConnection,
  event: "icegatheringstatechange" | "connectionstatechange",
  isDone: () => boolean,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (!isDone()) return;
      peer.removeEventListener(event, look);
      signal.removeEventListener("abort", look);
      resolve();
    };
    peer.addEventListener(event, look);
    signal.addEventListener("abort", look);
    look();
  });
}

function resourceOf(answer: Response, url: string): string {
  const location = answer.headers.get("location");
  if (location === null) throw new PageError("refused", "The server's answer names no session (no Location).");
  return new URL(location, answer.url || url).href;
}

async function endSession(resource: string, token: string, send: typeof fetch): Promise<void> {
  try {
    await request(resource, token, { method: "DELETE", signal: AbortSignal.timeout(STOPPING_MS) }, send);
  } catch (error) {
    // The gateway ends a session without frames by itself; but two devices must not drive each other out in turn.
    if (error instanceof PageError && error.reason === "replaced") throw error;
  }
}

class PublishedSession implements Session {
  readonly lost: Promise<void>;

  constructor(
    private readonly peer: RTCPeerConnection,
    private readonly resource: string,
    private readonly token: string,
    private readonly send: typeof fetch,
  ) {
    this.lost = connectionLost(peer);
  }

  async stop(): Promise<void> {
    // Frames go on until the gateway has heard of it, which brings the last of them out of its jitter buffer.
    try {
      await endSession(this.resource, this.token, this.send);
    } finally {
      this.peer.close();
    }
  }

  async stats(): Promise<SendStats | null> {
    for (const report of (await this.peer.getStats()).values() as Iterable<RTCOutboundRtpStreamStats>) {
      if (report.type !== "outbound-rtp") continue;
      return {
        framesSent: report.framesSent ?? 0,
        framesPerSecond: report.framesPerSecond ?? null,
        bytesSent: report.bytesSent ?? 0,
        width: report.frameWidth ?? null,
        height: report.frameHeight ?? null,
      };
    }
    return null;
  }
}

/**
 * Resolves when the connection is over. A short "disconnected" mends itself; a long one is what is seen here of a
 * gateway that ended the session or was restarted, and browsers take half a minute to call it "failed".
 */
function connectionLost(peer: RTCPeerConnection): Promise<void> {
  return new Promise((resolve) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = () => {
      clearTimeout(timer);
      if (peer.connectionState === "failed" || peer.connectionState === "closed") resolve();
      else if (peer.connectionState === "disconnected") timer = setTimeout(resolve, DISCONNECTED_MS);
    };
    peer.addEventListener("connectionstatechange", look);
    look();
  });
}
