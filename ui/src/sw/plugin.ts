/** Writes sw.js beside the built page: which files the shell is made of, and a name that changes with any of them. */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Plugin } from "vite";

/** What a phone shows without a network; 3D, the trends workspace and the like are kept once they were opened. */
const PAGES = ["src/main.tsx", "index.html", "src/overview/page.tsx", "src/twins/page.tsx", "src/alarms/page.tsx", "src/charts/plot.ts", "src/core/saved.ts"];
const LASTING = /\.(svg|woff2|css)$/;

export function serviceWorker(): Plugin {
  return {
    name: "service-worker",
    apply: "build",
    generateBundle: {
      order: "post",
      handler(_options, bundle) {
        const shell = new Set<string>();
        const take = (file: string): void => {
          const chunk = bundle[file];
          if (shell.has(file) || chunk?.type !== "chunk") return;
          shell.add(file);
          for (const inner of chunk.imports) take(inner);
        };
        for (const [file, one] of Object.entries(bundle)) {
          if (one.type === "asset") {
            if (LASTING.test(file) || file.includes("worker-")) shell.add(file);
          } else if (PAGES.some((page) => one.facadeModuleId?.endsWith(page))) take(file);
        }
        const files = [...shell].filter((file) => file.startsWith("assets/")).sort();
        const hash = createHash("sha256");
        for (const [file, one] of Object.entries(bundle).sort()) hash.update(file).update(one.type === "chunk" ? one.code : one.source);
        const source = readFileSync(new URL("./sw.js", import.meta.url), "utf8");
        const list = files.map((file) => JSON.stringify(`/app/${file}`)).join(", ");
        this.emitFile({ type: "asset", fileName: "sw.js", source: source.replace("__BUILD__", hash.digest("hex").slice(0, 12)).replace('"__SHELL__"', list) });
      },
    },
  };
}
