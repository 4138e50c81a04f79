import { expect, test, vi } from "vitest";
import { FakePeer, FakeServer, problem } from "./fakes";
import { publish } from "./whip";

const URL_ = "https://lab.example/whip/abc";
const H264 = { mimeType: "video/H264", clockRate: 90_000 };
const RTX = { mimeType: "video/rtx", clockRate: 90_000 };
const VP8 = { mimeType: "video/VP8", clockRate: 90_000 };
const stream = { getVideoTracks: () => [{}] } as unknown as MediaStream;

function answering(toDelete = () => new Response(null, { status: 200 })): FakeServer {
  return new FakeServer((method) =>
    method === "POST"
      ? new Response("v=0 answer", { status: 201, headers: { location: "/whip/abc/session-1" } })
      : toDelete(),
  );
}

function start(
  server: FakeServer,
  peer = new FakePeer(),
  codecs = [VP8, RTX, H264],
  signal = new AbortController().signal,
) {
  const createPeer = () => peer as unknown as RTCPeerConnection;
  return publish(stream, URL_, "secret", signal, { createPeer, codecs: () => codecs, send: server.send });
}

test("the offer is posted, the answer taken, and H.264 alone is on offer, with its retransmission", async () => {
  const [server, peer] = [answering(), new FakePeer()];
  await start(server, peer);
  expect(server.requests[0]).toMatchObject({ method: "POST", url: URL_, body: "v=0 offer" });
  expect(server.requests[0]!.headers.get("content-type")).toBe("application/sdp");
  expect(peer.answer).toBe("v=0 answer");
  expect(peer.preferences).toEqual([H264, RTX]);
  expect(peer.parameters.degradationPreference).toBe("maintain-resolution");
});

test("stopping deletes the session at the address that the server named", async () => {
  const [server, peer] = [answering(), new FakePeer()];
  await (await start(server, peer)).stop();
  expect(server.requests[1]).toMatchObject({ method: "DELETE", url: "https://lab.example/whip/abc/session-1" });
  expect(server.requests[1]!.headers.get("authorization")).toBe("Bearer secret");
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
  const server = new FakeServer(() => problem(503, "all places are taken"));
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

test("a short interruption mends itself; a long one is a loss", async () => {
  vi.useFakeTimers();
  const peer = new FakePeer();
  const session = await start(answering(), peer);
  let isLost = false;
  void session.lost.then(() => (isLost = true));
  peer.become("disconnected");
  await vi.advanceTimersByTimeAsync(1000);
  peer.become("connected");
  await vi.advanceTimersByTimeAsync(10_000);
  expect(isLost).toBe(false);
  peer.become("disconnected");
  await vi.advanceTimersByTimeAsync(5000);
  expect(isLost).toBe(true);
  vi.useRealTimers();
});
