/** The gateway's REST interface. The browser sends the session's cookie by itself. */
import type {
  Acquisition,
  CameraReport,
  Changes,
  CommonComparison,
  CreatedAcquisition,
  ExposureDrift,
  Model,
  NewAcquisition,
} from "../generated/models";
import type { Batch, BatchDetail, CodeRequest, JoinCode, ResultFile } from "../generated/models";
import { PageError } from "./errors";
import { type RequestOptions, request } from "./http";
import { texts } from "./texts";

export class Api {
  constructor(
    readonly origin: string = location.origin,
    private readonly send: typeof fetch = (input, init) => fetch(input, init),
    /** The server no longer knows this browser. */
    private readonly onEnded: () => void = () => undefined,
  ) {}

  async list(signal?: AbortSignal): Promise<Acquisition[]> {
    const response = await this.#request("/acquisitions", { ...(signal && { signal }) });
    return (await response.json()) as Acquisition[];
  }

  async create(wanted: NewAcquisition): Promise<CreatedAcquisition> {
    const body = JSON.stringify(wanted);
    const response = await this.#request("/acquisitions", { method: "POST", body, contentType: "application/json" });
    return (await response.json()) as CreatedAcquisition;
  }

  async acquisition(id: string, signal?: AbortSignal): Promise<Acquisition> {
    return (await (await this.#request(pathOf(id), { ...(signal && { signal }) })).json()) as Acquisition;
  }

  /** Removes it with all its data. */
  async delete(id: string): Promise<void> {
    await this.#request(pathOf(id), { method: "DELETE" });
  }

  /** A code for other devices: what it opens, how often, and for how long. */
  async createCode(wanted: CodeRequest): Promise<JoinCode> {
    const body = JSON.stringify(wanted);
    const response = await this.#request("/codes", { method: "POST", body, contentType: "application/json" });
    return (await response.json()) as JoinCode;
  }

  async code(code: string, signal?: AbortSignal): Promise<JoinCode> {
    const path = `/codes/${encodeURIComponent(code)}`;
    return (await (await this.#request(path, { ...(signal && { signal }) })).json()) as JoinCode;
  }

  /** Many recordings that were sent as one; those that are this person's to see. */
  async batches(signal: AbortSignal): Promise<Batch[]> {
    return (await (await this.#request("/batches", { signal })).json()) as Batch[];
  }

  async batch(id: string): Promise<BatchDetail> {
    return (await (await this.#request(batchPathOf(id))).json()) as BatchDetail;
  }

  /** Removes it with all its acquisitions and their data. */
  async deleteBatch(id: string): Promise<void> {
    await this.#request(batchPathOf(id), { method: "DELETE" });
  }

  /** The results of all that have finished, in one file. */
  batchArchiveUrl(id: string): string {
    return `${this.origin}/api/v1${batchPathOf(id)}/archive.zip`;
  }

  /** The kept video once more, with these settings otherwise, as an acquisition of its own. */
  async reprocess(id: string, changes: Changes): Promise<CreatedAcquisition> {
    const body = JSON.stringify(changes);
    const response = await this.#request(`${pathOf(id)}/reprocess`, {
      method: "POST",
      body,
      contentType: "application/json",
    });
    return (await response.json()) as CreatedAcquisition;
  }

  /** What two of the same recording have in common; they are the same molecule up to `toleranceNm` apart. */
  async comparison(first: string, second: string, toleranceNm: number, signal: AbortSignal): Promise<CommonComparison> {
    const path = `${comparisonOf(first, second)}?tolerance_nm=${toleranceNm}`;
    return (await (await this.#request(path, { signal })).json()) as CommonComparison;
  }

  /** Both images in one: orange the first alone, blue the second, grey both. */
  differenceUrl(first: string, second: string): string {
    return `${this.origin}/api/v1${comparisonOf(first, second)}/difference.png`;
  }

  /** The generators that an acquisition may name. */
  async models(): Promise<Model[]> {
    return (await (await this.#request("/models")).json()) as Model[];
  }

  /** No more frames will come; the server then writes the results. */
  async finish(id: string, signal?: AbortSignal): Promise<void> {
    await this.#request(`${pathOf(id)}/finish`, { method: "POST", ...(signal && { signal }) });
  }

  /** The sum of all frames as a PNG; null while there is none. */
  async widefield(id: string, signal?: AbortSignal): Promise<Blob | null> {
    return await this.#blobOrNull(`${pathOf(id)}/widefield.png`, { ...(signal && { signal }) });
  }

  /** The reconstruction so far as a PNG of `pixelNm` per pixel; null while there is none. */
  async picture(id: string, pixelNm: number, signal: AbortSignal): Promise<Blob | null> {
    const path = `${pathOf(id)}/reconstruction.png?pixel_nm=${pixelNm}`;
    return await this.#blobOrNull(path, { signal, cache: "default" });
  }

  /** Whether the picture has become brighter or darker, as the localizations tell. */
  async exposure(id: string, signal: AbortSignal): Promise<ExposureDrift> {
    return (await (await this.#request(`${pathOf(id)}/exposure`, { signal })).json()) as ExposureDrift;
  }

  /** What the phone's camera is set to, for the acquisition's report. */
  async tellCamera(id: string, report: CameraReport, signal: AbortSignal): Promise<void> {
    const body = JSON.stringify(report);
    await this.#request(`${pathOf(id)}/camera-report`, {
      method: "PUT",
      body,
      contentType: "application/json",
      signal,
    });
  }

  /** The newest frame of those whose localizations are there, with its index; null while there is none. */
  async lastFrame(id: string, signal: AbortSignal): Promise<{ index: number; picture: Blob } | null> {
    try {
      const response = await this.#request(`${pathOf(id)}/frames/last.png`, { signal });
      return { index: Number(response.headers.get("X-Frame-Index")), picture: await response.blob() };
    } catch (error) {
      if (error instanceof PageError && (error.reason === "wrong_state" || error.isPassing)) return null;
      throw error;
    }
  }

  /** What can be fetched by now. */
  async files(id: string): Promise<ResultFile[]> {
    return (await (await this.#request(`${pathOf(id)}/files`)).json()) as ResultFile[];
  }

  /** Everything of a finished acquisition in one file. */
  archiveUrl(id: string): string {
    return `${this.origin}/api/v1${pathOf(id)}/archive.zip`;
  }

  /** The server's own picture, of all localizations. */
  pictureUrl(id: string): string {
    return `${this.origin}/api/v1${pathOf(id)}/reconstruction.png`;
  }

  whipUrl(id: string): string {
    return `${this.origin}/whip/${encodeURIComponent(id)}`;
  }

  /** The live view's messages up to now, each with its length before it; of the rows at most the newest so many. */
  async soFar(id: string, newestRows: number | undefined, signal: AbortSignal): Promise<Response> {
    const newest = newestRows === undefined ? "" : `?newest=${newestRows}`;
    return await this.#request(`${pathOf(id)}/live${newest}`, { signal });
  }

  liveUrl(id: string): string {
    return `${this.origin.replace(/^http/, "ws")}/api/v1${pathOf(id)}/live`;
  }

  /** Null for what is not there yet, or no more. */
  async #blobOrNull(path: string, options: RequestOptions): Promise<Blob | null> {
    try {
      return await (await this.#request(path, options)).blob();
    } catch (error) {
      if (error instanceof PageError && (error.reason === "wrong_state" || error.reason === "not_found")) return null;
      throw error;
    }
  }

  async #request(path: string, options: RequestOptions = {}): Promise<Response> {
    try {
      return await request(`${this.origin}/api/v1${path}`, options, this.send);
    } catch (error) {
      if (!(error instanceof PageError) || error.reason !== "not_joined") throw error;
      this.onEnded();
      // What the server says of it is meant for programs, too.
      throw new PageError("not_joined", texts.problems.rightEnded, { cause: error });
    }
  }
}

function pathOf(id: string): string {
  return `/acquisitions/${encodeURIComponent(id)}`;
}

function batchPathOf(id: string): string {
  return `/batches/${encodeURIComponent(id)}`;
}

function comparisonOf(first: string, second: string): string {
  return `${pathOf(first)}/compare/${encodeURIComponent(second)}`;
}
