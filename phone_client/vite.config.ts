import { defaultClientConditions, defineConfig } from "vite";

/** Everything comes from the gateway itself, so that it may forbid all else (default-src 'self'). */
export default defineConfig({
  base: "/",
  // The runtime's own WebAssembly lies beside the page, as a file that is fetched when it is wanted.
  resolve: { conditions: ["onnxruntime-web-use-extern-wasm", ...defaultClientConditions] },
  worker: { format: "es" },
  build: {
    assetsInlineLimit: 0,
    manifest: true, // which chunk needs which: tools/budget.mjs adds them up
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/api": { target: "http://127.0.0.1:8000", ws: true }, "/whip": "http://127.0.0.1:8000" } },
});
