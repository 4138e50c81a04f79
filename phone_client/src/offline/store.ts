/**
 * Recordings on this device, in the browser's own database. A recording is written piece by piece as it is filmed, each
 * piece in a transaction of its own, so that a closed browser or an empty battery costs the last second and no more.
 */
import { type DBSchema, type IDBPDatabase, openDB } from "idb";

import { PageError } from "../app/errors";
import { fileName } from "../app/files";
import { texts } from "../app/texts";
import type { CameraReport } from "../generated/models";

export interface Recording {
  readonly id: string;
  readonly name: string;
  readonly pixelSizeNm: number;
  /** Milliseconds since 1970. */
  readonly begunAt: number;
  readonly mimeType: string;
  /** What it was filmed with, and how that was set; null where the camera had not told. */
  readonly camera: CameraReport | null;
  readonly bytes: number;
  readonly durationS: number;
  readonly upload: UploadState;
}

export type UploadState =
  | { readonly state: "none" }
  | { readonly state: "begun"; readonly acquisitionId: string; readonly url: string | null }
  | { readonly state: "done"; readonly acquisitionId: string };

interface Piece {
  readonly recording: string;
  readonly index: number;
  readonly data: Blob;
}

interface Schema extends DBSchema {
  recordings: { key: string; value: Recording };
  pieces: { key: [string, number]; value: Piece; indexes: { recording: string } };
}

const NAME = "cellstorm-recordings";
const VERSION = 1;

export class RecordingStore {
  private constructor(private readonly database: IDBPDatabase<Schema>) {}

  static async open(): Promise<RecordingStore> {
    const database = await openDB<Schema>(NAME, VERSION, {
      upgrade: (fresh) => {
        fresh.createObjectStore("recordings", { keyPath: "id" });
        const pieces = fresh.createObjectStore("pieces", { keyPath: ["recording", "index"] });
        pieces.createIndex("recording", "recording");
      },
    });
    return new RecordingStore(database);
  }

  /** Newest first. */
  async all(): Promise<Recording[]> {
    const recordings = await this.database.getAll("recordings");
    return recordings.sort((a, b) => b.begunAt - a.begunAt);
  }

  async begin(recording: Recording): Promise<void> {
    await this.database.add("recordings", recording);
  }

  /** Adds the piece and counts it, both or neither. */
  async append(id: string, index: number, data: Blob, durationS: number): Promise<void> {
    const change = this.database.transaction(["recordings", "pieces"], "readwrite");
    const recordings = change.objectStore("recordings");
    const recording = await recordings.get(id);
    if (recording === undefined) throw new PageError("not_found", texts.problems.recordingGone);
    await change.objectStore("pieces").add({ recording: id, index, data });
    await recordings.put({ ...recording, bytes: recording.bytes + data.size, durationS });
    await change.done;
  }

  async change(id: string, changes: Partial<Pick<Recording, "upload" | "camera">>): Promise<void> {
    const change = this.database.transaction("recordings", "readwrite");
    const recording = await change.store.get(id);
    if (recording !== undefined) await change.store.put({ ...recording, ...changes });
    await change.done;
  }

  /** The recording as one file; its pieces stay where they are until they are read. */
  async file(recording: Recording): Promise<File> {
    const pieces = await this.database.getAllFromIndex("pieces", "recording", recording.id);
    const parts = pieces.sort((a, b) => a.index - b.index).map(({ data }) => data);
    const { name, mimeType, begunAt } = recording;
    return new File(parts, fileName(name, endingOf(mimeType)), { type: mimeType, lastModified: begunAt });
  }

  async delete(id: string): Promise<void> {
    const change = this.database.transaction(["recordings", "pieces"], "readwrite");
    await change.objectStore("recordings").delete(id);
    await change.objectStore("pieces").delete(IDBKeyRange.bound([id, 0], [id, Number.MAX_SAFE_INTEGER]));
    await change.done;
  }

  close(): void {
    this.database.close();
  }
}

/** What to tell of a recording that could not be written on: browsers fail in more ways than by being full. */
export function storageProblem(cause: unknown): PageError {
  if (cause instanceof PageError) return cause;
  const isFull = cause instanceof DOMException && cause.name === "QuotaExceededError";
  if (isFull) return new PageError("storage_full", texts.problems.storageFull, { cause });
  return new PageError("refused", texts.problems.storageFailed, { cause });
}

/** What a browser's recorder writes is MP4 or WebM. */
export function endingOf(mimeType: string): "mp4" | "webm" {
  return mimeType.startsWith("video/mp4") ? "mp4" : "webm";
}
