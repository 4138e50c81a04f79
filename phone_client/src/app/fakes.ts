/** Stand-ins for the browser's parts, for all tests. */
import type { Acquisition, Opening } from "../generated/models";
import { COLUMNS, WIRE_COLUMNS } from "../generated/tables";
import examples from "../generated/examples.json";

export { examples };

export function bytesOf(base64: string): ArrayBuffer {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)).buffer;
}

/** An answer's body: each message with its length before it. */
export function framed(...messages: (string | ArrayBuffer)[]): Uint8Array<ArrayBuffer> {
  const parts = messages.flatMap((message) => {
    const bytes = typeof message === "string" ? new TextEncoder().encode(message) : new Uint8Array(message);
    return [...new Uint8Array(Uint32Array.of(bytes.length).buffer), ...bytes];
  });
  return Uint8Array.from(parts);
}

export function acquisitionWith(changes: Partial<Acquisition> = {}): Acquisition {
  return {
    id: "abc",
    settings: {
      name: "Cells",
      pixel_size_nm: 100,
      model: "default",
      roi: null,
      camera: null,
      frames: null,
      frame_rate: null,
      threshold: null,
    },
    state: "waiting",
    created_at: "2026-11-22T12:00:00Z",
    paused: false,
    priority: "normal",
    batch_id: null,
    reprocessed_from: null,
    video_from: null,
    video_sha256: null,
    generator: null,
    frame_width: null,
    frame_height: null,
    roi: null,
    frames_expected: null,
    frames_received: 0,
    frames_lost: 0,
    gaps: [],
    frames_damaged: 0,
    frames_processed: 0,
    frames_left_out: 0,
    localizations: 0,
    chunks_received: 0,
    chunks_processed: 0,
    waiting_chunk_bytes: 0,
    spooled_chunks: 0,
    lag_s: null,
    fps: null,
    eta_s: null,
    resolution_nm: null,
    drift_nm: null,
    notice: null,
    error: null,
    ...changes,
  };
}

export function opening(): Opening {
  const columns = COLUMNS.map(({ name, unit, meaning }, place) => {
    return { name, dtype: WIRE_COLUMNS[place]!.dtype, unit, meaning };
  });
  return { kind: "opening", columns, acquisition: acquisitionWith() };
}

/** A browser's storage. */
export function keepWith(items: Record<string, string> = {}): Pick<Storage, "getItem" | "setItem" | "removeItem"> {
  const kept = new Map(Object.entries(items));
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
}

/** As after a page was left alone for a moment: everything that was settled has happened. */
export async function settled(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 0));
}

/** What a server might say, and what it was asked. */
export class FakeServer {
  readonly requests: { method: string; url: string; headers: Headers; body: string }[] = [];
  constructor(private readonly answer: (method: string, url: string) => Response | Promise<Response>) {}

  readonly send: typeof fetch = async (input, init) => {
    const [method, url] = [init?.method ?? "GET", String(input)];
    this.requests.push({ method, url, headers: new Headers(init?.headers), body: String(init?.body ?? "") });
    return await this.answer(method, url);
  };
}

export function problem(status: number, detail: string): Response {
  return new Response(JSON.stringify({ detail }), { status, headers: { "content-type": "application/problem+json" } });
}

/** A WebSocket whose server is the test. */
export class FakeSocket extends EventTarget {
  readonly readyState = 1;
  binaryType = "blob";
  onmessage: ((event: { data: string | ArrayBuffer }) => void) | null = null;
  onclose: (() => void) | null = null;

  /** Of a lost link: to its goodbye nobody answers. */
  isDead = false;

  constructor(readonly url: string) {
    super();
    this.addEventListener("close", () => this.onclose?.());
  }

  receive(data: string | ArrayBuffer | object): void {
    const isRaw = typeof data === "string" || data instanceof ArrayBuffer;
    this.onmessage?.({ data: isRaw ? data : JSON.stringify(data) });
  }

  close(): void {
    if (!this.isDead) this.dispatchEvent(new Event("close"));
  }
}

/** Connects as soon as it has an answer, unless told otherwise. */
export class FakePeer extends EventTarget {
  connectionState: RTCPeerConnectionState = "new";
  iceGatheringState: RTCIceGatheringState = "new";
  localDescription: RTCSessionDescriptionInit | null = null;
  answer = "";
  preferences: RTCRtpCodec[] = [];
  parameters: Partial<RTCRtpSendParameters> = {};
  isClosed = false;
  connectsTo: RTCPeerConnectionState = "connected";
  knownPreferences = ["maintain-framerate-and-resolution", "maintain-resolution"];
  bytesReceived = 0;
  /** What it was given to send, in its order. */
  readonly tracks: unknown[] = [];
  onTrack: () => void = () => undefined;

  addTransceiver(track: unknown): object {
    this.tracks.push(track);
    return {
      setCodecPreferences: (codecs: RTCRtpCodec[]) => {
        this.preferences = codecs;
      },
      sender: {
        replaceTrack: async (later: unknown) => {
          this.onTrack();
          this.tracks.push(later);
        },
        getParameters: () => ({ encodings: [{}] }),
        setParameters: async (parameters: Partial<RTCRtpSendParameters>) => {
          if (!this.knownPreferences.includes(parameters.degradationPreference ?? "")) throw new TypeError("unknown");
          this.parameters = parameters;
        },
      },
    };
  }

  async createOffer(): Promise<RTCSessionDescriptionInit> {
    return { type: "offer", sdp: "v=0 offer" };
  }

  async setLocalDescription(offer: RTCSessionDescriptionInit): Promise<void> {
    this.localDescription = offer;
    queueMicrotask(() => {
      this.iceGatheringState = "complete";
      this.dispatchEvent(new Event("icegatheringstatechange"));
    });
  }

  async setRemoteDescription(answer: RTCSessionDescriptionInit): Promise<void> {
    this.answer = answer.sdp ?? "";
    queueMicrotask(() => this.become(this.connectsTo));
  }

  async getStats(): Promise<Map<string, object>> {
    const transport = { type: "transport", id: "t", bytesReceived: this.bytesReceived };
    return new Map<string, object>([
      ["o", { type: "outbound-rtp", id: "o", timestamp: 0 }],
      ["t", transport],
    ]);
  }

  become(state: RTCPeerConnectionState): void {
    this.connectionState = state;
    this.dispatchEvent(new Event("connectionstatechange"));
  }

  close(): void {
    this.isClosed = true;
  }
}
