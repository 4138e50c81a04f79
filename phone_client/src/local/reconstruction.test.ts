import { afterEach, expect, test, vi } from "vitest";

import type { GeneratorSpec } from "../generated/models";
import { CAMERAS } from "../generated/tables";
import { reconstruct } from "./reconstruction";

afterEach(() => vi.unstubAllGlobals());

test("stopped before the generator was there, it is over, with nothing found", async () => {
  vi.stubGlobal("caches", { open: async () => ({ match: async () => undefined }) });
  vi.stubGlobal("fetch", async (_: string, { signal }: RequestInit) => signal!.throwIfAborted());
  const states: string[] = [];
  const events = {
    changed: ({ state }: { state: string }) => void states.push(state),
    sized: () => undefined,
    localized: () => undefined,
    next: () => undefined,
  };
  const generator = { spec: { name: "default", sha256: "" } as GeneratorSpec, isDefault: true };
  const readout = { threshold: 0.5, pixelSizeNm: 100, ...CAMERAS.phone };
  const source = { from: "file", file: new Blob(), sidePx: 64 } as const;
  await reconstruct(generator, source, readout, events, AbortSignal.abort());
  expect(states).toEqual(["loading", "ended"]);
});
