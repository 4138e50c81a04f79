/** One reconstruction on this device, from its start to its end, as a state that the page can show. */
import { CountRate } from "../app/count_rate";
import { PageError } from "../app/errors";
import { texts } from "../app/texts";
import { type BinaryMessage, ROW_VALUES, rowsOfTable } from "../live/messages";
import type { Readout } from "./emitters";
import type { Backend } from "./generator";
import type { Found } from "./localizer";
import type { Region } from "./luma";
import type { FrameSource, FromWorker, ToWorker } from "./protocol";
import { type LocalGenerator, weightsOf } from "./weights";

export type LocalState =
  | { state: "loading" } // weights and runtime
  | { state: "running"; backend: Backend; progress: LocalProgress }
  | { state: "ended"; progress: LocalProgress }
  | { state: "failed"; error: PageError };

export interface LocalProgress {
  readonly frames: number;
  readonly localizations: number;
  /** Frames localized each second, over the last seconds; null while there is nothing to tell from. */
  readonly framesPerS: number | null;
}

export interface LocalEvents {
  changed: (state: LocalState) => void;
  sized: (region: Region) => void;
  localized: (message: BinaryMessage) => void;
  /** The worker takes a further picture of the camera. */
  next: (send: (picture: VideoFrame) => void) => void;
}

const RATE_OVER_MS = 3000;
const NOTHING: LocalProgress = { frames: 0, localizations: 0, framesPerS: null };

/** Runs until the file ends, `stop` is aborted (what came is then finished), or it fails. */
export async function reconstruct(
  generator: LocalGenerator,
  source: FrameSource,
  readout: Readout,
  events: LocalEvents,
  stop: AbortSignal,
): Promise<void> {
  events.changed({ state: "loading" });
  try {
    const weights = await weightsOf(generator.spec, stop);
    stop.throwIfAborted();
    await inWorker({ kind: "start", spec: generator.spec, weights, readout, source }, events, stop);
  } catch (error) {
    if (error instanceof PageError) events.changed({ state: "failed", error });
    else if (stop.aborted)
      events.changed({ state: "ended", progress: NOTHING }); // before it had begun
    else throw error;
  }
}

function inWorker(start: Extract<ToWorker, { kind: "start" }>, events: LocalEvents, stop: AbortSignal): Promise<void> {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  const send = (message: ToWorker, transfer: Transferable[] = []) => worker.postMessage(message, transfer);
  const frames = start.source.from === "stream" ? [start.source.frames] : [];
  send(start, [start.weights.buffer, ...frames]);
  const finish = () => send({ kind: "stop" });
  stop.addEventListener("abort", finish, { once: true });
  return new Promise<void>((resolve, reject) => {
    const run = new Run(events, (picture) => send({ kind: "picture", picture }, [picture]));
    worker.onmessage = (event: MessageEvent<FromWorker>) => {
      if (run.handle(event.data)) resolve();
    };
    worker.onerror = (event) => reject(new PageError("no_runtime", texts.problems.gaveUp(event.message)));
  }).finally(() => {
    stop.removeEventListener("abort", finish);
    worker.terminate();
  });
}

/** What the worker has told so far. */
class Run {
  #backend: Backend = { name: "wasm", threads: 1 };
  #localizations = 0;
  #frames = 0;
  #rate = new CountRate(RATE_OVER_MS);

  constructor(
    private readonly events: LocalEvents,
    private readonly sendPicture: (picture: VideoFrame) => void,
  ) {}

  /** Whether it was the last word. */
  handle(message: FromWorker): boolean {
    switch (message.kind) {
      case "ready":
        this.#backend = message.backend;
        this.events.changed({ state: "running", backend: this.#backend, progress: this.#progress() });
        return false;
      case "size":
        this.events.sized(message.region);
        return false;
      case "next":
        this.events.next(this.sendPicture);
        return false;
      case "localized":
        this.#localized(message.found);
        return false;
      case "ended":
        this.events.changed({ state: "ended", progress: this.#progress() });
        return true;
      case "failed":
        this.events.changed({ state: "failed", error: new PageError(message.reason, message.detail) });
        return true;
    }
  }

  #localized(found: Found): void {
    const firstRow = this.#localizations;
    this.#frames = found.framesProcessed;
    this.#localizations += found.table.length / ROW_VALUES;
    this.#rate.add(this.#frames, performance.now());
    this.events.localized({
      kind: firstRow === 0 ? "snapshot" : "delta",
      rows: rowsOfTable(found.table),
      framesProcessed: found.framesProcessed,
      endFrame: found.endFrame,
      firstRow,
      totalRows: this.#localizations,
      history: 0,
    });
    this.events.changed({ state: "running", backend: this.#backend, progress: this.#progress() });
  }

  #progress(): LocalProgress {
    return { frames: this.#frames, localizations: this.#localizations, framesPerS: this.#rate.perS };
  }
}
