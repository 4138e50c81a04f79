/** The button that films into this device's own storage, and what it says meanwhile. */
import { element, say } from "../app/dom";
import { PageError, messageOf, unreachable } from "../app/errors";
import { notice } from "../app/notice";
import { fragmentOf } from "../app/places";
import { texts } from "../app/texts";
import { askBeforeUnload } from "../app/unload";
import { keepScreenOn } from "../capture/awake";
import { duration, size } from "./amounts";
import { type About, Recorder, mediaRecorder } from "./recorder";
import { type Recording, RecordingStore, storageProblem } from "./store";

export interface RecordParts {
  /** What is filmed; null while there is no camera. */
  stream(): MediaStream | null;
  /** Null where something must be put right first, which the person is shown. */
  about(): About | null;
  /** What it is filmed with, to be kept with the recording. */
  camera(): Recording["camera"];
  /** It has begun, or ended: meanwhile the page offers nothing else. */
  onChange(isRecording: boolean): void;
}

type State =
  | { state: "idle" }
  | { state: "starting" }
  | { state: "recording"; recorder: Recorder; store: RecordingStore; awake: AbortController }
  | { state: "stopping" };

export class RecordControl {
  readonly root: HTMLElement;
  readonly #press = element("button", { type: "button", class: "record" });
  readonly #status = element("p", { class: "record-status muted small", role: "status" });
  readonly #problem = notice();
  #state: State = { state: "idle" };
  #isReady = false;
  /** Of a recording, until its last piece is written. */
  #busy: AbortController | null = null;

  constructor(
    private readonly parts: RecordParts,
    private readonly leaving: AbortSignal,
  ) {
    this.root = element("div", { class: "record-control" }, this.#problem.root, this.#status, this.#press);
    this.#press.addEventListener("click", () => void this.#pressed());
    leaving.addEventListener("abort", () => void this.#stop(), { once: true });
    this.#show();
  }

  /** Whether there is a camera to record from. */
  set isReady(isReady: boolean) {
    this.#isReady = isReady;
    this.#show();
  }

  get isRecording(): boolean {
    return this.#state.state !== "idle";
  }

  async #pressed(): Promise<void> {
    if (this.#state.state === "idle") await this.#start();
    else await this.#stop();
  }

  async #start(): Promise<void> {
    const about = this.parts.about();
    if (about === null) return;
    this.#problem.show(null);
    say(this.#status, "");
    this.#become({ state: "starting" });
    let store: RecordingStore | null = null;
    try {
      const stream = this.parts.stream();
      if (stream === null) throw new PageError("no_camera", texts.kept.noCamera);
      keepForGood();
      store = await RecordingStore.open();
      const recorder = await this.#begin(about, stream, store);
      const awake = new AbortController();
      keepScreenOn(AbortSignal.any([awake.signal, this.leaving])); // a phone that sleeps films nothing
      this.#become({ state: "recording", recorder, store, awake });
      if (this.leaving.aborted) await this.#stop(); // the place was left meanwhile
    } catch (error) {
      store?.close();
      this.#problem.show(messageOf(error));
      this.#become({ state: "idle" });
      if (!(error instanceof PageError)) throw error;
    }
  }

  #begin(about: About, stream: MediaStream, store: RecordingStore): Promise<Recorder> {
    const recorder = mediaRecorder(stream);
    const parts = { store, recorder, newId: () => crypto.randomUUID(), now: () => Date.now() };
    return Recorder.begin(about, this.parts.camera(), parts, {
      progress: ({ durationS, bytes }) => {
        if (this.#state.state === "recording") {
          say(this.#status, texts.kept.recording(duration(durationS), size(bytes)));
        }
      },
      ended: (error) => {
        this.#problem.show(error);
        void this.#stop();
      },
    });
  }

  async #stop(): Promise<void> {
    if (this.#state.state !== "recording") return;
    const { recorder, store, awake } = this.#state;
    const camera = this.parts.camera(); // what drifted meanwhile is known only now
    this.#become({ state: "stopping" });
    awake.abort();
    try {
      const { id } = await recorder.stop();
      if (camera !== null) await store.change(id, { camera });
      const link = element("a", { href: fragmentOf({ page: "recordings" }) }, texts.kept.toRecordings);
      this.#status.replaceChildren(`${texts.kept.recorded} `, link);
    } catch (error) {
      say(this.#status, "");
      this.#problem.show(storageProblem(error));
    } finally {
      store.close();
      this.#become({ state: "idle" });
    }
  }

  #become(state: State): void {
    this.#state = state;
    if (!this.isRecording) {
      this.#busy?.abort();
      this.#busy = null;
    } else if (this.#busy === null) {
      this.#busy = new AbortController();
      askBeforeUnload(this.#busy.signal);
    }
    this.#show();
    this.parts.onChange(this.isRecording);
  }

  #show(): void {
    const state = this.#state;
    const isFree = state.state === "recording" || (state.state === "idle" && this.#isReady);
    this.#press.disabled = !isFree;
    this.#press.setAttribute("aria-pressed", String(state.state === "recording"));
    switch (state.state) {
      case "idle":
      case "starting":
        say(this.#press, texts.kept.record);
        return;
      case "recording":
      case "stopping":
        say(this.#press, texts.kept.stopRecording);
        return;
      default:
        unreachable(state);
    }
  }
}

/** Browsers may say no, which the list of recordings tells; Firefox asks the person first, and filming waits for nobody. */
function keepForGood(): void {
  const storage = navigator.storage as StorageManager | undefined; // WebKit beyond Safari has none
  storage?.persist().catch((error: unknown) => console.debug(messageOf(error)));
}
