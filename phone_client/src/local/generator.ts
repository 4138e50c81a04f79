/**
 * A generator in this browser: on its graphics processor where that can be had (WebGPU), else on its cores (WebAssembly).
 * The runtime is fetched when this is called for the first time, and not before.
 */
import type { InferenceSession } from "onnxruntime-web";
import wasmModuleUrl from "onnxruntime-web/ort-wasm-simd-threaded.mjs?url";
import wasmUrl from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url";
import gpuModuleUrl from "onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs?url";
import gpuUrl from "onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url";

import { PageError } from "../app/errors";
import { texts } from "../app/texts";
import type { GeneratorSpec } from "../generated/models";
import type { Predict } from "./localizer";

type Runtime = typeof import("onnxruntime-web");

export interface Backend {
  readonly name: "webgpu" | "wasm";
  /** Of WebAssembly; more than one where the page is isolated from all others. */
  readonly threads: number;
}

export interface RunningGenerator {
  readonly backend: Backend;
  readonly predict: Predict;
}

const MOST_THREADS = 4; // small frames are not worth more

/** Starts a generator of `emitters` from its weights, an ONNX file. */
export async function startGenerator(spec: GeneratorSpec, weights: Uint8Array): Promise<RunningGenerator> {
  if (await hasGraphicsProcessor()) {
    try {
      return await startOnGraphicsProcessor(spec, weights);
    } catch (error) {
      console.warn("WebGPU is there but does not run the generator; going on with WebAssembly", error);
    }
  }
  return await startOnCores(spec, weights);
}

async function startOnGraphicsProcessor(spec: GeneratorSpec, weights: Uint8Array): Promise<RunningGenerator> {
  const runtime: Runtime = await import("onnxruntime-web/webgpu");
  runtime.env.wasm.wasmPaths = { mjs: gpuModuleUrl, wasm: gpuUrl };
  runtime.env.wasm.numThreads = 1;
  const session = await runtime.InferenceSession.create(weights, { executionProviders: ["webgpu"] });
  return { backend: { name: "webgpu", threads: 1 }, predict: predictor(runtime, session, spec) };
}

async function startOnCores(spec: GeneratorSpec, weights: Uint8Array): Promise<RunningGenerator> {
  const runtime: Runtime = await import("onnxruntime-web/wasm");
  const threads = self.crossOriginIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency) : 1;
  runtime.env.wasm.wasmPaths = { mjs: wasmModuleUrl, wasm: wasmUrl };
  runtime.env.wasm.numThreads = threads;
  try {
    const session = await runtime.InferenceSession.create(weights, { executionProviders: ["wasm"] });
    return { backend: { name: "wasm", threads }, predict: predictor(runtime, session, spec) };
  } catch (cause) {
    throw new PageError("no_runtime", texts.problems.generatorFails, {
      cause,
    });
  }
}

function predictor(runtime: Runtime, session: InferenceSession, spec: GeneratorSpec): Predict {
  const [input, output] = [session.inputNames[0]!, session.outputNames[0]!];
  return async (windows, height, width) => {
    const tensor = new runtime.Tensor("float32", windows, [1, spec.context_frames, height, width]);
    const result = (await session.run({ [input]: tensor }))[output]!;
    const values = (await result.getData(true)) as Float32Array;
    return values;
  };
}

/** A software adapter is slower than the cores themselves. */
async function hasGraphicsProcessor(): Promise<boolean> {
  if (!("gpu" in navigator)) return false;
  const adapter = await navigator.gpu.requestAdapter();
  return adapter !== null && !adapter.info.isFallbackAdapter;
}
