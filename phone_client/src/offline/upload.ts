/**
 * Resumable upload of a file to one acquisition, by tus 1.0 (https://tus.io/protocols/resumable-upload): what the server
 * has acknowledged is never sent again, whatever happens to the network, the server or this page.
 */
import { DetailedError, Upload } from "tus-js-client";

import { type FailureReason, PageError } from "../app/errors";
import { texts } from "../app/texts";
import type { Acquisition } from "../generated/models";

export interface UploadJob {
  readonly file: File;
  readonly acquisitionId: string;
  /** Where an earlier attempt was going to; null for the first. */
  readonly url: string | null;
}

export interface UploadEvents {
  /** From here on it can be resumed. */
  located: (url: string) => void;
  progress: (sentBytes: number, totalBytes: number) => void;
  /** An attempt failed, and another one follows. */
  waiting: () => void;
}

/** How it is sent, and how the server is asked what it has. */
export interface DeliveryParts {
  readonly send: typeof upload;
  readonly ask: (acquisitionId: string) => Promise<Acquisition>;
}

const ENDPOINT = "/api/v1/uploads";
const PIECE_BYTES = 8 * 2 ** 20; // what a cut costs at most
const RETRY_MS = [500, 1000, 2000, 4000, 8000, 15_000, 30_000, 60_000];
const [CONFLICT, TOO_LARGE, UNPROCESSABLE, LOCKED] = [409, 413, 422, 423];
const WRONG_STATE = "urn:cellstorm:problem:wrong-state";

/**
 * As `upload`; what has arrived counts as sent, also where this page never heard of it: the server forgets an upload an
 * hour after its last byte, and then refuses another one for the same acquisition.
 */
export async function deliver(
  job: UploadJob,
  events: UploadEvents,
  signal: AbortSignal,
  { send, ask }: DeliveryParts,
): Promise<void> {
  let { url } = job;
  const located = (found: string) => {
    url = found;
    events.located(found);
  };
  try {
    await send(job, { ...events, located }, signal);
  } catch (error) {
    // Where none of its bytes can have gone, the video there is another one.
    if (url === null || !isNoLongerWanted(error) || !hasFile(await ask(job.acquisitionId))) throw error;
  }
}

function isNoLongerWanted(error: unknown): boolean {
  return error instanceof PageError && (error.reason === "not_found" || error.reason === "wrong_state");
}

/** One that waits again has lost it, as in a gateway that was killed; of one that was cancelled it was removed. */
function hasFile({ video_from, state }: Acquisition): boolean {
  return video_from === "file" && state !== "waiting" && state !== "cancelled";
}

/** Resolves when the server has it all; rejects with a PageError, or when aborted. What was sent stays with the server. */
export function upload(job: UploadJob, events: UploadEvents, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const sending: Upload = new Upload(job.file, {
      endpoint: ENDPOINT,
      uploadUrl: job.url,
      chunkSize: PIECE_BYTES,
      retryDelays: RETRY_MS,
      metadata: { filename: job.file.name, filetype: job.file.type, acquisition: job.acquisitionId },
      storeFingerprintForResuming: false, // where it goes is kept beside the recording
      onUploadUrlAvailable: () => sending.url !== null && events.located(sending.url),
      onProgress: (sent, total) => events.progress(sent, total ?? job.file.size),
      onShouldRetry: (error) => {
        const isPassing = mayPass(statusOf(error), bodyOf(error));
        if (isPassing) events.waiting();
        return isPassing;
      },
      onSuccess: () => resolve(),
      onError: (error) => reject(asPageError(error)),
    });
    signal.addEventListener(
      "abort",
      () => {
        void sending.abort();
        reject(signal.reason instanceof Error ? signal.reason : new DOMException("left", "AbortError"));
      },
      { once: true },
    );
    sending.start();
  });
}

/** Null where nothing has answered. */
function statusOf(error: Error | DetailedError): number | null {
  const answer = error instanceof DetailedError ? error.originalResponse : null;
  return answer?.getStatus() ?? null;
}

function bodyOf(error: Error | DetailedError): string {
  return error instanceof DetailedError ? (error.originalResponse?.getBody() ?? "") : "";
}

/** Whether the same attempt, a little later, may succeed after such an answer. */
export function mayPass(status: number | null, body: string): boolean {
  // An earlier attempt has not let go of the file yet; but an acquisition that has video has it for good.
  const isHeld = status === LOCKED || (status === CONFLICT && problemOf(body).type !== WRONG_STATE);
  return status === null || status < 400 || status >= 500 || isHeld;
}

function asPageError(error: Error | DetailedError): PageError {
  const status = statusOf(error);
  if (status === null) return new PageError("unreachable", texts.problems.uploadUnreachable, { cause: error });
  return new PageError(failureOf(status), problemOf(bodyOf(error)).detail ?? texts.problems.answered(status));
}

/** Why an upload ends with such an answer. */
export function failureOf(status: number): FailureReason {
  if (status === 404) return "not_found";
  if (status === UNPROCESSABLE || status === TOO_LARGE) return "unusable";
  return status === CONFLICT ? "wrong_state" : "refused";
}

/** What an answer tells of a problem (RFC 9457); nothing, where it is something else. */
function problemOf(body: string): { type?: unknown; detail?: string } {
  try {
    const { type, detail } = JSON.parse(body) as { type?: unknown; detail?: unknown };
    return { type, ...(typeof detail === "string" && { detail }) };
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}
