/** The gateway's REST interface, with one token. */
import type { Acquisition, CreatedAcquisition, Model, NewAcquisition } from "./generated/models";
import { PageError } from "./errors";
import { request } from "./http";

export class Api {
  constructor(
    readonly token: string,
    readonly origin: string = location.origin,
    private readonly send: typeof fetch = (input, init) => fetch(input, init),
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

  /** The generators that an acquisition may name. */
  async models(): Promise<Model[]> {
    return (await (await this.#request("/models")).json()) as Model[];
  }

  /** No more frames will come; the server then writes the results. */
  async finish(id: string): Promise<void> {
    await this.#request(`${pathOf(id)}/finish`, { method: "POST" });
  }

  /** The sum of all frames as a PNG; null while there is none. */
  async widefield(id: string, signal?: AbortSignal): Promise<Blob | null> {
    try {
      return await (await this.#request(`${pathOf(id)}/widefield.png`, { ...(signal && { signal }) })).blob();
    } catch (error) {
      if (error instanceof PageError && (error.reason === "wrong_state" || error.reason === "not_found")) return null;
      throw error;
    }
  }

  /** The whole result folder of a finished acquisition. */
  async archive(id: string): Promise<Blob> {
    return await (await this.#request(`${pathOf(id)}/archive.zip`)).blob();
  }

  whipUrl(id: string): string {
    return `${this.origin}/whip/${encodeURIComponent(id)}`;
  }

  liveUrl(id: string): string {
    return `${this.origin.replace(/^http/, "ws")}/api/v1${pathOf(id)}/live`;
  }

  #request(path: string, options: Parameters<typeof request>[2] = {}): Promise<Response> {
    return request(`${this.origin}/api/v1${path}`, this.token, options, this.send);
  }
}

function pathOf(id: string): string {
  return `/acquisitions/${encodeURIComponent(id)}`;
}
