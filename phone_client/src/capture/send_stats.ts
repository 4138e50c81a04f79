/** What a browser tells of the video that it sends (webrtc-stats), and what follows from two moments of it. */
export interface SendStats {
  readonly atMs: number;
  readonly framesEncoded: number;
  readonly framesSent: number;
  readonly bytesSent: number;
  /** Sum of the quantisers of all encoded frames; null where the browser does not tell. */
  readonly qpSum: number | null;
  readonly width: number | null;
  readonly height: number | null;
  /** "none", "cpu", "bandwidth" or "other". */
  readonly limitedBy: string | null;
  /** All that has come over the connection: reports, requests for key frames, checks. */
  readonly bytesReceived: number | null;
  readonly packetsSent: number;
  /** By the other side's reports. */
  readonly packetsLost: number;
  readonly roundTripS: number | null;
}

/** Per second of late. */
export interface SendRates {
  readonly fps: number;
  readonly megabitsPerSecond: number;
  /** Mean quantiser, 0 (finest) to 51; null while no frame was encoded. */
  readonly quantiser: number | null;
  /** Share of the packets that got lost, 0 to 1. */
  readonly loss: number;
}

type Report = Record<string, unknown> & { type: string; id: string; timestamp: number };

/** Null before anything is sent. */
export function statsOf(reports: Iterable<[string, unknown]> & { forEach: unknown }): SendStats | null {
  const all = [...reports].map(([, report]) => report as Report);
  const sent = all.find((report) => report.type === "outbound-rtp");
  if (sent === undefined) return null;
  const remote = all.find((report) => report.type === "remote-inbound-rtp");
  const transport = all.find((report) => report.type === "transport");
  const pair = all.find(
    ({ type, id, nominated }) =>
      type === "candidate-pair" &&
      (transport === undefined ? nominated === true : transport["selectedCandidatePairId"] === id),
  );
  return {
    atMs: sent.timestamp,
    framesEncoded: numberIn(sent, "framesEncoded") ?? 0,
    framesSent: numberIn(sent, "framesSent") ?? numberIn(sent, "framesEncoded") ?? 0,
    bytesSent: numberIn(sent, "bytesSent") ?? 0,
    qpSum: numberIn(sent, "qpSum"),
    width: numberIn(sent, "frameWidth"),
    height: numberIn(sent, "frameHeight"),
    limitedBy: typeof sent["qualityLimitationReason"] === "string" ? sent["qualityLimitationReason"] : null,
    bytesReceived: numberIn(pair ?? {}, "bytesReceived") ?? numberIn(transport ?? {}, "bytesReceived"),
    packetsSent: numberIn(sent, "packetsSent") ?? 0,
    packetsLost: Math.max(0, numberIn(remote ?? {}, "packetsLost") ?? 0),
    roundTripS: numberIn(pair ?? {}, "currentRoundTripTime") ?? numberIn(remote ?? {}, "roundTripTime"),
  };
}

/** Null where no time has passed between the two. */
export function ratesOf(before: SendStats, now: SendStats): SendRates | null {
  const seconds = (now.atMs - before.atMs) / 1000;
  if (seconds <= 0) return null;
  const frames = now.framesEncoded - before.framesEncoded;
  const packets = now.packetsSent - before.packetsSent;
  const isQpKnown = frames > 0 && now.qpSum !== null && before.qpSum !== null;
  return {
    fps: frames / seconds,
    megabitsPerSecond: ((now.bytesSent - before.bytesSent) * 8) / 1e6 / seconds,
    quantiser: isQpKnown ? (now.qpSum! - before.qpSum!) / frames : null,
    loss: packets > 0 ? Math.min(1, Math.max(0, now.packetsLost - before.packetsLost) / packets) : 0,
  };
}

function numberIn(report: Record<string, unknown>, name: string): number | null {
  const value = report[name];
  return typeof value === "number" ? value : null;
}
