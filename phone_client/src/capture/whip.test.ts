import { expect, test, vi } from "vitest";
import { FakePeer, FakeServer, problem } from "../app/fakes";
import type { LinkGap } from "../generated/models";
import { type WhipParts, publish } from "./whip";

const URL_ = "https://lab.example/whip/abc";
const ANSWER = "v=0 a=fmtp:96 x-google-max-bitrate=8000";
const H264 = { mimeType: "video/H264", clockRate: 90_000 };
const RTX = { mimeType: "video/rtx", clockRate: 90_000 };
const VP8 = { mimeType: "video/VP8", clockRate: 90_000 };
const stream = { getVideoTracks: () => [{}] } as unknown as MediaStream;

class FakeGateway extends FakeServer {
  isReachable = true;
  echoesTried = 0;
}

function answering(toDelete = () => new Response(null, { status: 200 })): FakeGateway {
  return new FakeGateway((method) =>
    method === "POST"
      ? new Response(ANSWER, { status: 201, headers: { location: "/whip/abc/session-1" } })
      : toDelete(),
  );
}

function start(
  server: FakeGateway,
  peer = new FakePeer(),
  codecs = [VP8, RTX, H264],
  signal = new AbortController().signal,
  gap: LinkGap | null = null,
) {
  const parts: WhipParts = {
    createPeer: () => peer as unknown as RTCPeerConnection,
    codecs: () => codecs,
    send: server.send,
    reach: {
      tryEcho: async () => void server.echoesTried++,
      isReachable: async () => server.isReachable,
    },
    nowMs: () => Date.now(),
  };
  return publish({ url: URL_, stream, gap: gap && (() => gap) }, signal, parts);
}

test("the offer is posted, the answer taken, and H.264 alone is on offer, with its retransmission", async () => {
  const [server, peer] = [answering(), new FakePeer()];
  await start(server, peer);
  expect(server.requests[0]).toMatchObject({ method: "POST", url: URL_, body: "v=0 offer" });
  expect(server.requests[0]!.headers.get("content-type")).toBe("application/sdp");
  expect(peer.answer).toBe(ANSWER);
  expect(peer.preferences).toEqual([H264, RTX]);
});

test("stopping deletes the session at the address that the server named", async () => {
  const [server, peer] = [answering(), new FakePeer()];
  await (await start(server, peer)).stop();
  expect(server.requests[1]).toMatchObject({ method: "DELETE", url: "https://lab.example/whip/abc/session-1" });
  expect(peer.isClosed).toBe(true);
});

test("a session whose place another device has taken says so when it ends", async () => {
  const peer = new FakePeer();
  const server = answering(() => problem(410, "another phone films this acquisition now"));
  const session = await start(server, peer);
  await expect(session.stop()).rejects.toMatchObject({ reason: "replaced" });
  expect(peer.isClosed).toBe(true);
});

test("a refused offer leaves no connection behind", async () => {
  const peer = new FakePeer();
  const server = new FakeGateway(() => problem(503, "all places are taken"));
  await expect(start(server, peer)).rejects.toMatchObject({ reason: "busy" });
  expect(peer.isClosed).toBe(true);
});

test("video that does not get through is told as that, and the session is ended", async () => {
  const [server, peer] = [answering(), new FakePeer()];
  peer.connectsTo = "failed";
  await expect(start(server, peer)).rejects.toMatchObject({ reason: "unreachable" });
  expect(server.requests.map((request) => request.method)).toEqual(["POST", "DELETE"]);
});

test("cancelling while connecting ends the session that was begun", async () => {
  const [server, peer, cancel] = [answering(), new FakePeer(), new AbortController()];
  peer.connectsTo = "connecting";
  const publishing = start(server, peer, [H264], cancel.signal);
  await vi.waitFor(() => expect(peer.answer).not.toBe(""));
  cancel.abort();
  await expect(publishing).rejects.toThrow();
  expect(server.requests.at(-1)!.method).toBe("DELETE");
});

test("a browser without H.264 is told what to do", async () => {
  await expect(start(answering(), new FakePeer(), [VP8])).rejects.toMatchObject({ reason: "no_codec" });
});

test("a link that is silent while the gateway does not answer is lost within three seconds", async () => {
  vi.useFakeTimers();
  const [peer, server] = [new FakePeer(), answering()];
  const session = await start(server, peer);
  let cause: string | null = null;
  void session.lost.then((found) => (cause = found));
  for (let second = 0; second < 10; second++) {
    peer.bytesReceived += 100;
    await vi.advanceTimersByTimeAsync(1000);
  }
  expect(cause).toBeNull();
  expect(server.echoesTried).toBe(1); // while the link was good
  server.isReachable = false;
  await vi.advanceTimersByTimeAsync(3000);
  expect(cause).toBe("silent");
  vi.useRealTimers();
});

test("a gateway that answers but no longer hears is given two seconds more", async () => {
  vi.useFakeTimers();
  const peer = new FakePeer();
  const session = await start(answering(), peer);
  let isLost = false;
  void session.lost.then(() => (isLost = true));
  await vi.advanceTimersByTimeAsync(3000);
  expect(isLost).toBe(false);
  await vi.advanceTimersByTimeAsync(2000);
  expect(isLost).toBe(true);
  vi.useRealTimers();
});

test("what was missed is told before the first frame, and a session is ended once", async () => {
  const [server, peer] = [answering(), new FakePeer()];
  const gap = { session_id: "s0", frames_sent: 10, frames_missed: 20, away_s: 1.5 };
  peer.onTrack = () => expect(server.requests.map((request) => request.method)).toEqual(["POST", "PUT"]);
  const session = await start(server, peer, [H264], undefined, gap);
  expect(server.requests[1]!.url).toBe("https://lab.example/whip/abc/session-1/gap");
  expect(JSON.parse(server.requests[1]!.body)).toEqual(gap);
  expect(peer.tracks).toEqual(["video", {}]);
  expect(session.id).toBe("session-1");
  await session.stop();
  await session.stop();
  expect(server.requests.map((request) => request.method)).toEqual(["POST", "PUT", "DELETE"]);
});

test("the encoder keeps size and rate, within the gateway's bitrate; an old browser keeps the size", async () => {
  const [server, peer] = [answering(), new FakePeer()];
  await start(server, peer);
  expect(peer.parameters).toMatchObject({
    degradationPreference: "maintain-framerate-and-resolution",
    encodings: [{ scaleResolutionDownBy: 1, maxBitrate: 8_000_000 }],
  });
  const old = new FakePeer();
  old.knownPreferences = ["maintain-resolution"];
  await start(server, old);
  expect(old.parameters.degradationPreference).toBe("maintain-resolution");
});
