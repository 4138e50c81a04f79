/**
 * Resumable upload of a file to one acquisition, by tus 1.0 (https://tus.io/protocols/resumable-upload): what the server
 * has acknowledged is never sent again, whatever happens to the network, the server or this page.
 */
import { DetailedError, Upload } from "tus-js-client";

import { PageError } from "../app/errors";
import { texts } from "../app/texts";

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

const ENDPOINT = "/api/v1/uploads";
const PIECE_BYTES = 8 * 2 ** 20; // what a cut costs at most
const RETRY_MS = [500, 1000, 2000, 4000, 8000, 15_000, 30_000, 60_000];
/** Conflict and locked: an earlier attempt has not let go of the file yet. */
const PASSING_REFUSALS = [409, 423];

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
        const isPassing = mayPass(statusOf(error));
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

/** Whether the same attempt, a little later, may succeed. */
export function mayPass(status: number | null): boolean {
  return status === null || status < 400 || status >= 500 || PASSING_REFUSALS.includes(status);
}

function asPageError(error: Error | DetailedError): PageError {
  const status = statusOf(error);
  if (status === null) return new PageError("unreachable", texts.problems.uploadUnreachable, { cause: error });
  const detail = error instanceof DetailedError ? detailOf(error.originalResponse?.getBody() ?? "") : null;
  return new PageError(status === 404 ? "not_found" : "refused", detail ?? texts.problems.answered(status));
}

/** Of a problem (RFC 9457). */
function detailOf(body: string): string | null {
  try {
    const problem = JSON.parse(body) as { detail?: unknown };
    return typeof problem.detail === "string" ? problem.detail : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
