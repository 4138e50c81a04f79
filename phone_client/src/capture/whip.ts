/** Publishes a camera's video by WHIP (RFC 9725). One signal cancels every step of connecting. */
import { PageError } from "../app/errors";
import { request } from "../app/http";
import { texts } from "../app/texts";
import type { LinkGap } from "../generated/models";
import { type Reach, Silence } from "./link";
import { type SendStats, statsOf } from "./send_stats";

export type { SendStats };

export interface WhipParts {
  createPeer: () => RTCPeerConnection;
  /** What this browser can encode. */
  codecs: () => readonly RTCRtpCodec[];
  send: typeof fetch;
  /** Asked when nothing has been heard for a while. */
  reach: Pick<Reach, "tryEcho" | "isReachable">;
  nowMs: () => number;
}

export interface Publication {
  readonly url: string;
  readonly stream: MediaStream;
  /** What was missed since the session before, as of now; null for the first. */
  readonly gap: (() => LinkGap) | null;
}

/** How it was noticed that the link is gone. */
export type LossCause = "silent" | "failed" | "offline";

/** A phone's connection to the gateway. */
export interface Session {
  /** The gateway's name for it. */
  readonly id: string;
  /** Resolves when the connection is lost; never rejects. */
  readonly lost: Promise<LossCause>;
  /** Ends it at the gateway, then here. Rejects only if another device had taken its place. */
  stop(): Promise<void>;
  /** Ends it here alone: nobody is there to be told. */
  abandon(): void;
  stats(): Promise<SendStats | null>;
}

const GATHERING_MS = 2000;
const CONNECTING_MS = 8000;
const STOPPING_MS = 3000;
const LISTEN_EVERY_MS = 500;
const DOUBT_MS = 1500;

/** Best first; the second for browsers that do not know the first, which leaves the frame rate to the encoder's mood. */
const PREFERENCES = ["maintain-framerate-and-resolution", "maintain-resolution"] as const;

export function browserParts(reach: Reach): WhipParts {
  return {
    // On a local network a STUN server only costs time; the gateway has an address that the phone reaches.
    createPeer: () => new RTCPeerConnection({ iceServers: [], bundlePolicy: "max-bundle" }),
    codecs: sendable,
    send: (input, init) => fetch(input, init),
    reach,
    nowMs: () => performance.now(),
  };
}

/** Empty where a browser was built without WebRTC. */
function sendable(): readonly RTCRtpCodec[] {
  return typeof RTCRtpSender === "undefined" ? [] : (RTCRtpSender.getCapabilities("video")?.codecs ?? []);
}

/** What the gateway takes, of what a browser can encode; refused in words where there is none. */
export function h264Of(codecs: readonly RTCRtpCodec[] = sendable()): RTCRtpCodec[] {
  const found = codecs.filter((codec) => codec.mimeType.toLowerCase() === "video/h264");
  if (found.length === 0) throw new PageError("no_codec", texts.problems.cannotSend);
  return found;
}

/** Resolves once video flows. */
export async function publish(publication: Publication, signal: AbortSignal, parts: WhipParts): Promise<Session> {
  const { url, stream, gap } = publication;
  const peer = parts.createPeer();
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(CONNECTING_MS)]);
  let resource: string | null = null;
  try {
    const sender = await offerVideo(peer, stream, gap === null, parts.codecs());
    await gathered(peer, deadline);
    const offer = peer.localDescription?.sdp ?? "";
    const options = { method: "POST", body: offer, contentType: "application/sdp", signal: deadline };
    const answer = await request(url, options, parts.send);
    resource = resourceOf(answer, url);
    const sdp = await answer.text();
    await peer.setRemoteDescription({ type: "answer", sdp });
    await setUpEncoder(sender, maxBitrateOf(sdp));
    await connected(peer, deadline);
    if (gap !== null) {
      await tellGap(resource, gap(), deadline, parts.send);
      await sender.replaceTrack(videoOf(stream));
    }
    return new PublishedSession(peer, resource, parts);
  } catch (error) {
    peer.close();
    if (resource !== null) await endSession(resource, parts.send);
    if (!signal.aborted && deadline.aborted) {
      throw new PageError("unreachable", texts.problems.videoBlocked, { cause: error });
    }
    throw error;
  }
}

/** A session that is `ready` sends as soon as it is connected; one that has something to tell is given its track later. */
async function offerVideo(
  peer: RTCPeerConnection,
  stream: MediaStream,
  isReady: boolean,
  codecs: readonly RTCRtpCodec[],
): Promise<RTCRtpSender> {
  const h264 = h264Of(codecs);
  const retransmission = codecs.filter((codec) => codec.mimeType.toLowerCase() === "video/rtx");
  const track = videoOf(stream);
  // No contentHint: "detail" makes Chromium send 190 kbit/s whatever is asked for.
  const sendEncodings = [{ scaleResolutionDownBy: 1 }];
  const transceiver = peer.addTransceiver(isReady ? track : "video", {
    direction: "sendonly",
    streams: [stream],
    sendEncodings,
  });
  transceiver.setCodecPreferences([...h264, ...retransmission]);
  await peer.setLocalDescription(await peer.createOffer());
  return transceiver.sender;
}

function videoOf(stream: MediaStream): MediaStreamTrack {
  const [track] = stream.getVideoTracks();
  if (track === undefined) throw new PageError("no_camera", texts.problems.noVideo);
  return track;
}

/** Before the first frame, so that it and all that follow are numbered behind what was missed. */
async function tellGap(resource: string, gap: LinkGap, signal: AbortSignal, send: typeof fetch): Promise<void> {
  const body = JSON.stringify(gap);
  try {
    await request(`${resource}/gap`, { method: "PUT", body, contentType: "application/json", signal }, send);
  } catch (error) {
    // The session has ended meanwhile: the next one will be told.
    if (!(error instanceof PageError) || error.reason !== "wrong_state") throw error;
    throw new PageError("unreachable", error.message, { cause: error });
  }
}

/** For science, not for faces: blinking molecules are lost in a smaller picture and in a frame that is left out. */
async function setUpEncoder(sender: RTCRtpSender, maxBitrate: number | null): Promise<void> {
  for (const preference of PREFERENCES) {
    const parameters = sender.getParameters();
    parameters.degradationPreference = preference as RTCDegradationPreference;
    for (const encoding of parameters.encodings) {
      encoding.scaleResolutionDownBy = 1;
      encoding.priority = encoding.networkPriority = "high";
      if (maxBitrate !== null) encoding.maxBitrate = maxBitrate;
    }
    try {
      await sender.setParameters(parameters);
      return;
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
  }
}

/** Bits per second that the gateway allows. Chromium heeds its answer by itself, others must be told. */
function maxBitrateOf(answer: string): number | null {
  const found = /x-google-max-bitrate=(\d+)/.exec(answer);
  return found === null ? null : 1000 * Number(found[1]);
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
    throw new PageError("unreachable", texts.problems.videoBlocked);
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
  if (location === null) throw new PageError("refused", texts.problems.noSession);
  return new URL(location, answer.url || url).href;
}

async function endSession(resource: string, send: typeof fetch): Promise<void> {
  try {
    await request(resource, { method: "DELETE", signal: AbortSignal.timeout(STOPPING_MS) }, send);
  } catch (error) {
    // The gateway ends a session without frames by itself; but two devices must not drive each other out in turn.
    if (error instanceof PageError && error.reason === "replaced") throw error;
  }
}

class PublishedSession implements Session {
  readonly id: string;
  readonly lost: Promise<LossCause>;
  readonly #over = new AbortController();
  #last: SendStats | null = null;
  #isEnded = false;

  constructor(
    private readonly peer: RTCPeerConnection,
    private readonly resource: string,
    private readonly parts: WhipParts,
  ) {
    this.id = decodeURIComponent(new URL(resource).pathname.split("/").at(-1) ?? "");
    this.lost = new Promise((resolve) => this.#listen(resolve));
    void parts.reach.tryEcho(this.#over.signal);
  }

  async stop(): Promise<void> {
    if (this.#isEnded) return;
    this.#isEnded = true;
    // Frames go on until the gateway has heard of it, which brings the last of them out of its jitter buffer.
    try {
      await endSession(this.resource, this.parts.send);
      await this.stats(); // what has been sent to the very end
    } finally {
      this.abandon();
    }
  }

  abandon(): void {
    this.#over.abort();
    this.peer.close();
  }

  async stats(): Promise<SendStats | null> {
    if (!this.#over.signal.aborted) this.#last = statsOf(await this.peer.getStats()) ?? this.#last;
    return this.#last;
  }

  #answersSoon(): Promise<boolean> {
    return this.parts.reach.isReachable(AbortSignal.any([this.#over.signal, AbortSignal.timeout(DOUBT_MS)]));
  }

  /** Browsers take half a minute to call a dead connection "failed"; what arrives over it tells within seconds. */
  #listen(lose: (cause: LossCause) => void): void {
    const { signal } = this.#over;
    const silence = new Silence(this.parts.nowMs());
    const onState = () => {
      if (this.peer.connectionState === "failed" || this.peer.connectionState === "closed") lose("failed");
    };
    this.peer.addEventListener("connectionstatechange", onState, { signal });
    globalThis.addEventListener?.("offline", () => lose("offline"), { signal });
    let isLooking = false;
    const look = async () => {
      if (isLooking) return;
      isLooking = true;
      const hearing = silence.hear(this.parts.nowMs(), (await this.stats())?.bytesReceived ?? null);
      if (hearing === "silent") lose("silent");
      else if (hearing === "doubtful" && !(await this.#answersSoon())) lose("silent");
      isLooking = false;
    };
    const timer = setInterval(() => void look(), LISTEN_EVERY_MS);
    signal.addEventListener("abort", () => clearInterval(timer), { once: true });
    onState();
  }
}
