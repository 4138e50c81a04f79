/** Films into the store of this device, without a network, at the best quality that the browser's recorder gives. */
import { PageError, messageOf } from "../app/errors";
import { texts } from "../app/texts";
import { type Recording, type RecordingStore, storageProblem } from "./store";

/** Best first; a browser takes the first that it can write. MP4 pieces can be read as far as they were written. */
const TYPES = [
  "video/mp4;codecs=avc1.640033",
  "video/mp4;codecs=avc1.42E01F",
  "video/mp4",
  "video/webm;codecs=h264",
  "video/webm;codecs=vp9",
  "video/webm",
];
const BITS_PER_PIXEL = 1.5; // where H.264 hardly costs precision any more (docs/evaluation: crf 18 and better)
const LEAST_BITS_PER_S = 4_000_000;
const PIECE_MS = 1000;

export interface About {
  readonly name: string;
  readonly pixelSizeNm: number;
}

export interface RecorderEvents {
  progress: (recording: Recording) => void;
  /** It ended by itself: the camera is gone, or the storage takes no more; what was filmed is kept. */
  ended: (error: PageError) => void;
}

/** What of MediaRecorder is needed. */
export type MediaRecorderLike = Pick<MediaRecorder, "start" | "stop" | "state" | "mimeType"> & EventTarget;

export interface RecorderParts {
  readonly store: Pick<RecordingStore, "begin" | "append" | "delete">;
  readonly recorder: MediaRecorderLike;
  readonly newId: () => string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** A MediaRecorder set up for science: the highest bitrate that is worth it, a key frame each second. */
export function mediaRecorder(stream: MediaStream): MediaRecorder {
  const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type));
  if (mimeType === undefined) {
    throw new PageError("no_codec", texts.problems.noRecorder);
  }
  const { width = 512, height = 512, frameRate = 30 } = stream.getVideoTracks()[0]?.getSettings() ?? {};
  const videoBitsPerSecond = Math.max(LEAST_BITS_PER_S, Math.round(width * height * frameRate * BITS_PER_PIXEL));
  const options = { mimeType, videoBitsPerSecond, videoKeyFrameIntervalDuration: 1000 };
  return new MediaRecorder(stream, options);
}

export class Recorder {
  #recording: Recording;
  #pieces = 0;
  #writing: Promise<void> = Promise.resolve();
  #problem: PageError | null = null;
  #cut: PageError | null = null; // why a piece could not be written
  #isAskedToStop = false;
  readonly #stopped: Promise<void>;

  private constructor(
    recording: Recording,
    private readonly parts: RecorderParts,
    private readonly events: RecorderEvents,
  ) {
    this.#recording = recording;
    const { recorder } = parts;
    recorder.addEventListener("dataavailable", (event) => this.#keep((event as BlobEvent).data));
    recorder.addEventListener("error", () => {
      this.#give(new PageError("refused", texts.problems.recorderStopped));
    });
    this.#stopped = new Promise((resolve) => {
      recorder.addEventListener("stop", () => resolve(), { once: true });
    });
    void this.#stopped.then(() => this.#writing).then(() => this.#end());
  }

  static async begin(
    about: About,
    camera: Recording["camera"],
    parts: RecorderParts,
    events: RecorderEvents,
  ): Promise<Recorder> {
    const recording: Recording = {
      ...about,
      id: parts.newId(),
      begunAt: parts.now(),
      mimeType: parts.recorder.mimeType,
      camera,
      bytes: 0,
      durationS: 0,
      upload: { state: "none" },
    };
    await parts.store.begin(recording);
    const made = new Recorder(recording, parts, events);
    try {
      parts.recorder.start(PIECE_MS);
    } catch (cause) {
      // As of a camera that has gone since: nothing was filmed, nothing is kept.
      await parts.store.delete(recording.id);
      throw new PageError("refused", texts.problems.recorderStopped, { cause });
    }
    return made;
  }

  /** Ends it; resolves when the last piece is kept. Browsers there are whose recorder writes nothing, and says nothing. */
  async stop(): Promise<Recording> {
    this.#isAskedToStop = true;
    if (this.parts.recorder.state !== "inactive") this.parts.recorder.stop();
    await this.#stopped;
    await this.#writing;
    if (this.#recording.bytes === 0) {
      await this.#forget();
      throw this.#cut ?? new PageError("refused", texts.problems.recordedNothing, { cause: this.#problem });
    }
    return this.#recording;
  }

  /** A storage that failed may not delete either: an empty entry stays in the list then. */
  async #forget(): Promise<void> {
    try {
      await this.parts.store.delete(this.#recording.id);
    } catch (error) {
      if (this.#cut === null) throw storageProblem(error);
      console.debug(messageOf(error)); // why nothing is kept is told already
    }
  }

  /** One after the other, in the order in which they were filmed. */
  #keep(data: Blob): void {
    if (data.size === 0) return;
    const durationS = (this.parts.now() - this.#recording.begunAt) / 1000;
    const index = this.#pieces++;
    this.#writing = this.#writing.then(async () => {
      if (this.#cut !== null) return; // a gap would make what follows unreadable
      try {
        await this.parts.store.append(this.#recording.id, index, data, durationS);
        this.#recording = { ...this.#recording, bytes: this.#recording.bytes + data.size, durationS };
        this.events.progress(this.#recording);
      } catch (error) {
        this.#cut = storageProblem(error);
        this.#give(this.#cut);
      }
    });
  }

  /** Whoever asked for the end waits for it; of any other they are told. */
  #end(): void {
    if (!this.#isAskedToStop) this.#problem ??= new PageError("refused", texts.problems.recorderStopped);
    if (this.#problem !== null) this.events.ended(this.#problem);
  }

  #give(error: PageError): void {
    this.#problem ??= error;
    if (this.parts.recorder.state !== "inactive") this.parts.recorder.stop();
  }
}
