/**
 * Writes sw.js beside the built page: which files the shell is made of, and a name that changes with any of them; and
 * pages.json, the files of each page by its route (and of the charts as "plot").
 */

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
        const take = (file: string, into: Set<string>): void => {
          const chunk = bundle[file];
          if (into.has(file) || chunk?.type !== "chunk") return;
          into.add(file);
          for (const style of chunk.viteMetadata?.importedCss ?? []) into.add(style);
          for (const inner of chunk.imports) take(inner, into);
        };
        const pages: Record<string, string[]> = {};
        for (const [file, one] of Object.entries(bundle)) {
          if (one.type === "asset") {
            if (LASTING.test(file) || file.includes("worker-")) shell.add(file);
            continue;
          }
          if (one.isEntry || PAGES.some((page) => one.moduleIds.some((id) => id.endsWith(page)))) take(file, shell);
          for (const id of one.moduleIds) {
            const page = /src\/([\w-]+)\/page\.tsx$/.exec(id)?.[1] ?? (id.endsWith("src/charts/plot.ts") ? "plot" : null);
            if (!page) continue;
            const files = new Set<string>();
            take(file, files);
            pages[page] = [...files].sort();
          }
        }
        this.emitFile({ type: "asset", fileName: "pages.json", source: JSON.stringify(pages, null, 1) });
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
