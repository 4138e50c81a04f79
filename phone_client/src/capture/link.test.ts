import { expect, test, vi } from "vitest";
import { Reach, Silence, answers, hangUp, hears, impatient, leaveOff, stunOf } from "./link";

test("two seconds without a byte are doubtful, four are the end, one byte mends all", () => {
  const silence = new Silence(0);
  expect(silence.hear(500, 100)).toBe("heard");
  expect(silence.hear(2000, 100)).toBe("heard");
  expect(silence.hear(2500, 100)).toBe("doubtful");
  expect(silence.hear(3000, 101)).toBe("heard");
  expect(silence.hear(6900, 101)).toBe("doubtful");
  expect(silence.hear(7000, 101)).toBe("silent");
});

test("a browser that tells nothing is believed to hear", () => {
  const silence = new Silence(0);
  for (let at = 0; at < 60_000; at += 500) expect(silence.hear(at, null)).toBe("heard");
});

/** A socket that opens, fails, or does nothing. */
class FakeSocket extends EventTarget {
  readonly readyState = 0;
  isClosed = false;

  constructor(fate: "open" | "error" | "nothing") {
    super();
    if (fate !== "nothing") queueMicrotask(() => this.dispatchEvent(new Event(fate)));
  }

  close(): void {
    this.isClosed = true;
  }
}

test.each([
  ["open", true],
  ["error", false],
  ["nothing", false],
] as const)("a gateway whose socket does %s answers: %s, and is not held on to", async (fate, isAnswered) => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const socket = new FakeSocket(fate);
  const stop = new AbortController();
  const answer = answers("wss://lab/live", stop.signal, () => socket as unknown as WebSocket);
  if (fate === "nothing") stop.abort();
  expect(await answer).toBe(isAnswered);
  expect(socket.isClosed).toBe(true);
  vi.useRealTimers();
});

test("a page's own address is asked over UDP, at the port that its scheme means", () => {
  expect(stunOf("https://192.168.1.5:8443")).toBe("stun:192.168.1.5:8443");
  expect(stunOf("https://storm.example")).toBe("stun:storm.example:443");
  expect(stunOf("http://[fd00::1]")).toBe("stun:[fd00::1]:80");
});

/** A peer connection that finds candidates of the types it is given. */
class FakeSeeker extends EventTarget {
  isClosed = false;

  constructor(private readonly types: readonly string[]) {
    super();
  }

  createDataChannel(): void {}

  async setLocalDescription(): Promise<void> {
    for (const type of [...this.types, null]) {
      this.dispatchEvent(Object.assign(new Event("icecandidate"), { candidate: type && { type } }));
    }
  }

  close(): void {
    this.isClosed = true;
  }
}

test.each([
  ["answers", ["host", "srflx"], true],
  ["does not", ["host"], false],
])("a gateway that %s over UDP is heard so, and the peer connection is closed", async (_, types, isHeard) => {
  const stop = new AbortController();
  const peer = new FakeSeeker(types);
  const heard = hears("stun:lab", stop.signal, () => peer as unknown as RTCPeerConnection);
  if (!isHeard) stop.abort();
  expect(await heard).toBe(isHeard);
  expect(peer.isClosed).toBe(true);
});

test("a browser that makes no more peer connections has heard nothing", async () => {
  const refuse = () => {
    throw new DOMException("Cannot create so many PeerConnections", "UnknownError");
  };
  expect(await hears("stun:lab", new AbortController().signal, refuse)).toBe(false);
});

test("only a gateway that was heard over UDP on a good link is waited for over UDP", async () => {
  const [asked, echoes] = [[] as string[], [false, true, false, false]];
  const reach = new Reach({
    echo: async () => (asked.push("echo"), echoes.shift() ?? false),
    answer: async () => (asked.push("answer"), true),
  });
  const { signal } = new AbortController();
  await reach.tryEcho(signal);
  expect(await reach.isReachable(signal)).toBe(true);
  await reach.tryEcho(signal);
  await reach.tryEcho(signal); // lost with the link: what is known stays known
  expect(await reach.isReachable(signal)).toBe(false);
  expect(asked).toEqual(["echo", "answer", "echo", "echo", "echo"]);
});

test("a socket that does not open soon makes room for the next", () => {
  vi.useFakeTimers();
  const [slow, quick] = [new FakeSocket("nothing"), new FakeSocket("nothing")];
  for (const each of [slow, quick]) impatient(each as unknown as WebSocket, 1000);
  quick.dispatchEvent(new Event("open"));
  vi.advanceTimersByTime(1500);
  expect([slow.isClosed, quick.isClosed]).toEqual([true, false]);
  vi.useRealTimers();
});

test("a connection that is hung up on is over at once, and nothing more is heard of it", () => {
  const heard: string[] = [];
  const socket = Object.assign(new FakeSocket("nothing"), { onmessage: () => heard.push("message") });
  socket.addEventListener("close", () => heard.push("close"));
  hangUp(socket as unknown as WebSocket);
  expect(heard).toEqual(["close"]);
  expect(socket.isClosed).toBe(true);
  expect(socket.onmessage).toBeNull();
});

test("who leaves before a connection is open goes at once, and closes it when it is", () => {
  const socket = Object.assign(new EventTarget(), { readyState: 0, onmessage: null, close: vi.fn() });
  const onClose = vi.fn();
  socket.addEventListener("close", onClose);
  leaveOff(socket as unknown as WebSocket);
  expect([onClose.mock.calls.length, socket.close.mock.calls.length]).toEqual([1, 0]);
  socket.dispatchEvent(new Event("open"));
  expect(socket.close).toHaveBeenCalledOnce();
});
