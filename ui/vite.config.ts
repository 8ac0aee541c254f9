import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { fakePlant } from "./test/fake/plugin.ts";
import { serviceWorker } from "./src/sw/plugin.ts";

export default defineConfig({
  base: "/app/",
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  plugins: [fakePlant(), serviceWorker()],
  worker: { format: "es" },
  build: {
    outDir: process.env.GEMEL_PAGE_OUT ?? "../src/gemel/_web",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    manifest: "manifest.json",
    target: "es2022",
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 800,
    rolldownOptions: { checks: { pluginTimings: false } }, // a slow machine is no news to who installs
  },
});
