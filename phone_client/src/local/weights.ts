/**
 * Generators for this device: asked from the server, kept in the browser's own store for rooms without a network, and
 * compared with the SHA-256 that the server names before they run.
 */
import { PageError } from "../app/errors";
import { texts } from "../app/texts";
import type { GeneratorSpec, Model } from "../generated/models";

export interface LocalGenerator {
  readonly spec: GeneratorSpec;
  readonly isDefault: boolean;
}

const STORE = "cellstorm-generators";
const MODELS = "/api/v1/models";

/** Those that this device can run; from the last visit where the server is away. */
export async function localGenerators(signal: AbortSignal): Promise<LocalGenerator[]> {
  const models = (await (await fetched(MODELS, signal)).json()) as Model[];
  return models
    .filter(({ spec }) => spec.output === "emitters")
    .map(({ spec, is_default }) => ({ spec, isDefault: is_default }));
}

/** The weights, as published. */
export async function weightsOf(spec: GeneratorSpec, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  const path = `${MODELS}/${encodeURIComponent(spec.name)}/weights.onnx`;
  const kept = await keptWeights(path);
  if (kept !== null && (await sha256(kept)) === spec.sha256) return kept;
  const weights = new Uint8Array(await (await fetched(path, signal)).arrayBuffer());
  if ((await sha256(weights)) === spec.sha256) return weights;
  throw new PageError("refused", texts.problems.generatorDamaged);
}

/** From the server, and kept; from what was kept where the server is away. */
async function fetched(path: string, signal: AbortSignal): Promise<Response> {
  const store = await caches.open(STORE);
  try {
    const response = await fetch(path, { signal, cache: "no-store" });
    if (response.ok) {
      await store.put(path, response.clone());
      return response;
    }
  } catch (error) {
    if (signal.aborted || !(error instanceof TypeError)) throw error; // fetch's word for "unreachable"
  }
  const kept = await store.match(path);
  if (kept !== undefined) return kept;
  throw new PageError("unreachable", texts.problems.generatorAway);
}

async function keptWeights(path: string): Promise<Uint8Array<ArrayBuffer> | null> {
  const kept = await (await caches.open(STORE)).match(path);
  return kept === undefined ? null : new Uint8Array(await kept.arrayBuffer());
}

async function sha256(data: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
