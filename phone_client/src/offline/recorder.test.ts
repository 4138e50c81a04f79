import { expect, test } from "vitest";

import { PageError } from "../app/errors";
import { settled } from "../app/fakes";
import { texts } from "../app/texts";
import type { CameraReport } from "../generated/models";
import { type MediaRecorderLike, Recorder } from "./recorder";
import { type Recording, endingOf } from "./store";

class FakeMediaRecorder extends EventTarget implements MediaRecorderLike {
  state: RecordingState = "inactive";
  readonly mimeType = "video/mp4;codecs=avc1.640033";
  last = "";

  start(): void {
    this.state = "recording";
  }

  give(text: string): void {
    this.dispatchEvent(Object.assign(new Event("dataavailable"), { data: new Blob([text]) }));
  }

  stop(): void {
    this.state = "inactive";
    this.give(this.last);
    this.dispatchEvent(new Event("stop"));
  }
}

class FakeStore {
  readonly begun: Recording[] = [];
  readonly pieces: { index: number; text: string }[] = [];
  room = Infinity;
  /** What is thrown once there is no room. */
  failure: Error = new PageError("storage_full", "full");

  async begin(recording: Recording): Promise<void> {
    this.begun.push(recording);
  }

  async delete(id: string): Promise<void> {
    this.begun.splice(0, this.begun.length, ...this.begun.filter((each) => each.id !== id));
  }

  async append(_id: string, index: number, data: Blob): Promise<void> {
    if (this.pieces.length >= this.room) throw this.failure;
    this.pieces.push({ index, text: await data.text() });
  }
}

const CAMERA: CameraReport = {
  device: "a phone",
  camera: "back",
  width: 1920,
  height: 1080,
  crop_x: 704,
  crop_y: 284,
  crop_side: 512,
  luma: "exact",
  frame_rate: 30,
  preset: "dstorm",
  locks: {},
  frames: { seen: 0, skipped: 0, repeated: 0, left_out: 0, sent: 0, missed: 0 },
  link_losses: 0,
};

async function begun(room = Infinity) {
  const [store, recorder, ends] = [new FakeStore(), new FakeMediaRecorder(), [] as PageError[]];
  store.room = room;
  let nowMs = 1_000_000;
  const parts = { store, recorder, newId: () => "r1", now: () => (nowMs += 1000) };
  const events = { progress: () => undefined, ended: (error: PageError) => void ends.push(error) };
  const recording = await Recorder.begin({ name: "Cells", pixelSizeNm: 90 }, CAMERA, parts, events);
  return { store, recorder, ends, recording };
}

test("every piece is kept in its order, the last one too", async () => {
  const { store, recorder, recording } = await begun();
  recorder.give("a");
  recorder.give("b");
  recorder.last = "c";
  const kept = await recording.stop();
  expect(store.pieces).toEqual(["a", "b", "c"].map((text, index) => ({ index, text })));
  expect(kept).toMatchObject({ bytes: 3, durationS: 3, upload: { state: "none" } });
});

test("what it was filmed with is kept with the recording", async () => {
  const { store } = await begun();
  expect(store.begun[0]).toMatchObject({ id: "r1", name: "Cells", pixelSizeNm: 90, camera: CAMERA });
});

test("a full storage ends the recording, keeps what there is, and says so", async () => {
  const { store, recorder, ends } = await begun(1);
  recorder.give("a");
  recorder.give("b");
  recorder.give("c");
  await settled();
  await settled();
  expect(recorder.state).toBe("inactive");
  expect(store.pieces.map(({ text }) => text)).toEqual(["a"]);
  expect(ends.map(({ reason }) => reason)).toEqual(["storage_full"]);
});

test.each([
  ["UnknownError", "Connection to Indexed Database server lost. Refresh the page to try again"],
  ["InvalidStateError", "The database connection is closing"],
])("a storage that fails with %s ends the recording at once, keeps what there is, and says so", async (name, text) => {
  const { store, recorder, ends, recording } = await begun(1);
  store.failure = new DOMException(text, name);
  recorder.give("a");
  recorder.give("b");
  await settled();
  await settled();
  expect(recorder.state).toBe("inactive");
  expect(ends.map(({ message }) => message)).toEqual([texts.problems.storageFailed]);
  expect(await recording.stop()).toMatchObject({ bytes: 1 });
});

test("a storage that fails before anything is kept, and cannot even delete, is what is told", async () => {
  const { store, recorder, recording } = await begun(0);
  store.failure = new DOMException("lost", "UnknownError");
  store.delete = () => Promise.reject(store.failure);
  recorder.give("a");
  await expect(recording.stop()).rejects.toMatchObject({ message: texts.problems.storageFailed });
});

test("a recorder that stops by itself is told, and what it filmed is kept", async () => {
  const { store, recorder, ends } = await begun();
  recorder.give("a");
  recorder.stop();
  await settled();
  expect(store.pieces.map(({ text }) => text)).toEqual(["a"]);
  expect(ends.map(({ reason }) => reason)).toEqual(["refused"]);
});

test("a recording that is ended by its button has no problem", async () => {
  const { ends, recorder, recording } = await begun();
  recorder.give("a");
  await recording.stop();
  await settled();
  expect(ends).toEqual([]);
});

test("of a recorder that wrote nothing, nothing is kept, and that is said", async () => {
  const { store, recording } = await begun();
  await expect(recording.stop()).rejects.toMatchObject({ reason: "refused" });
  expect(store.begun).toEqual([]);
});

test("a recorder that does not start leaves nothing behind", async () => {
  const [store, recorder] = [new FakeStore(), new FakeMediaRecorder()];
  recorder.start = () => {
    throw new DOMException("no track", "NotSupportedError");
  };
  const parts = { store, recorder, newId: () => "r1", now: () => 0 };
  const events = { progress: () => undefined, ended: () => undefined };
  const beginning = Recorder.begin({ name: "Cells", pixelSizeNm: 90 }, null, parts, events);
  await expect(beginning).rejects.toBeInstanceOf(PageError);
  expect(store.begun).toEqual([]);
});

test("the ending tells what the browser's recorder writes", () => {
  expect(endingOf("video/mp4;codecs=avc1")).toBe("mp4");
  expect(endingOf("video/webm")).toBe("webm");
});
