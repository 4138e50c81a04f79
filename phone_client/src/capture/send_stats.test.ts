import { expect, test } from "vitest";
import { type SendStats, ratesOf, statsOf } from "./send_stats";

const OUTBOUND = {
  type: "outbound-rtp",
  id: "o",
  timestamp: 5000,
  framesEncoded: 100,
  framesSent: 99,
  bytesSent: 1_000_000,
  qpSum: 2400,
  frameWidth: 512,
  frameHeight: 512,
  packetsSent: 900,
  qualityLimitationReason: "none",
};

function reports(...all: { id: string }[]): Map<string, unknown> {
  return new Map(all.map((report) => [report.id, report]));
}

test("figures of the video, of the other side's reports and of the chosen path come together", () => {
  const found = statsOf(
    reports(
      OUTBOUND,
      { type: "remote-inbound-rtp", id: "r", packetsLost: 9, roundTripTime: 0.5 } as { id: string },
      { type: "transport", id: "t", selectedCandidatePairId: "p2" } as { id: string },
      { type: "candidate-pair", id: "p1", bytesReceived: 1, currentRoundTripTime: 9 } as { id: string },
      { type: "candidate-pair", id: "p2", bytesReceived: 777, currentRoundTripTime: 0.004 } as { id: string },
    ),
  );
  expect(found).toMatchObject({ framesSent: 99, width: 512, packetsLost: 9, bytesReceived: 777, roundTripS: 0.004 });
});

test("before anything is sent there are none", () => {
  expect(statsOf(reports({ type: "codec", id: "c" } as { id: string }))).toBeNull();
});

test("a browser that leaves figures out leaves them unknown", () => {
  const found = statsOf(reports({ type: "outbound-rtp", id: "o", timestamp: 1, framesEncoded: 3 } as { id: string }));
  expect(found).toMatchObject({ framesSent: 3, qpSum: null, width: null, roundTripS: null, bytesReceived: null });
});

test("rates are those between two moments", () => {
  const before = statsOf(reports(OUTBOUND))!;
  const now: SendStats = {
    ...before,
    atMs: 6000,
    framesEncoded: 120,
    bytesSent: 1_500_000,
    qpSum: 2400 + 20 * 31,
    packetsSent: 1000,
    packetsLost: 5,
  };
  expect(ratesOf(before, now)).toEqual({ fps: 20, megabitsPerSecond: 4, quantiser: 31, loss: 0.05 });
  expect(ratesOf(now, now)).toBeNull();
});
