/** The thread that reconstructs on this device: frames in, localizations out, the page stays free. */
import { PageError, messageOf } from "../app/errors";
import { type LumaFrame, cameraFrames, fileFrames, lumaFrame } from "./frames";
import { startGenerator } from "./generator";
import { Localizer } from "./localizer";
import type { FrameSource, FromWorker, ToWorker } from "./protocol";

const REPORT_EVERY_MS = 100;

type Start = Extract<ToWorker, { kind: "start" }>;

let takePicture: ((picture: VideoFrame | null) => void) | null = null; // null once, when no picture comes any more
let isStopped = false;

self.onmessage = (event: MessageEvent<ToWorker>) => {
  const message = event.data;
  if (message.kind === "start") void run(message);
  else if (message.kind === "stop") stop();
  else if (takePicture === null) message.picture.close();
  else takePicture(message.picture);
};

function tell(message: FromWorker, transfer: Transferable[] = []): void {
  self.postMessage(message, { transfer });
}

function stop(): void {
  isStopped = true;
  takePicture?.(null);
}

async function run(start: Start): Promise<void> {
  try {
    const generator = await startGenerator(start.spec, start.weights);
    tell({ kind: "ready", backend: generator.backend });
    await reconstruct(start, generator.predict);
    tell({ kind: "ended" });
  } catch (error) {
    const reason = error instanceof PageError ? error.reason : "refused";
    tell({ kind: "failed", reason, detail: messageOf(error) });
  }
}

async function reconstruct(start: Start, predict: ConstructorParameters<typeof Localizer>[0]): Promise<void> {
  let localizer: Localizer | null = null;
  let reportedAtMs = performance.now();
  for await (const { counts, region, beginsChunk } of framesOf(start.source)) {
    if (localizer === null) {
      localizer = new Localizer(predict, start.spec, region, start.readout);
      tell({ kind: "size", region });
    }
    await localizer.add(counts, beginsChunk);
    if (performance.now() - reportedAtMs >= REPORT_EVERY_MS) {
      report(localizer);
      reportedAtMs = performance.now();
    }
    if (isStopped) break;
  }
  await localizer?.end();
  if (localizer !== null) report(localizer);
}

function report(localizer: Localizer): void {
  const found = localizer.take();
  tell({ kind: "localized", found }, [found.table.buffer]);
}

function framesOf(source: FrameSource): AsyncGenerator<LumaFrame> {
  switch (source.from) {
    case "file":
      return fileFrames(source.file, source.sidePx);
    case "stream":
      return cameraFrames(source.frames, source.sidePx);
    case "pictures":
      return pictures(source.sidePx);
  }
}

/** Each is asked for when the one before is done, so that none has to wait. */
async function* pictures(sidePx: number): AsyncGenerator<LumaFrame> {
  for (let beginsChunk = true; !isStopped; beginsChunk = false) {
    const next = new Promise<VideoFrame | null>((resolve) => (takePicture = resolve));
    tell({ kind: "next" });
    const picture = await next;
    takePicture = null;
    if (picture === null) return;
    yield await lumaFrame(picture, sidePx, beginsChunk);
  }
}
