import { defineConfig } from "vite";

/** Everything comes from the gateway itself, so that it may forbid all else (default-src 'self'). */
export default defineConfig({
  base: "/",
  build: {
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/api": { target: "http://127.0.0.1:8000", ws: true }, "/whip": "http://127.0.0.1:8000" } },
});
