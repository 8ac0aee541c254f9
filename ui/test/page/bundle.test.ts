// @vitest-environment node
/** Builds the page and weighs it; a page that grew too heavy, or that the policy would block, fails. */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

interface Chunk {
  file: string;
  css?: string[];
  imports?: string[];
  isEntry?: boolean;
}

const KIB = 1024;
let folder = "";
let manifest: Record<string, Chunk> = {};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "page-"));
  process.env.GEMEL_PAGE_OUT = folder;
  await build({ root: new URL("../..", import.meta.url).pathname, logLevel: "error", mode: "production" });
  manifest = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")) as Record<string, Chunk>;
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const packed = (file: string): number => gzipSync(readFileSync(join(folder, file)), { level: 9 }).length;

function filesOf(name: string, seen = new Set<string>()): Set<string> {
  const chunk = manifest[name];
  if (!chunk || seen.has(chunk.file)) return seen;
  seen.add(chunk.file);
  for (const css of chunk.css ?? []) seen.add(css);
  for (const inner of chunk.imports ?? []) filesOf(inner, seen);
  return seen;
}

const weigh = (files: Iterable<string>): number => [...files].reduce((sum, file) => sum + packed(file), 0);

describe("the built page", () => {
  it("loads at most 90 KiB of script and style before the 3D view", () => {
    const pages = JSON.parse(readFileSync(join(folder, "pages.json"), "utf8")) as Record<string, string[]>;
    const first = new Set([...filesOf("index.html"), ...pages["overview"]!, ...pages["plot"]!, ...readdirSync(join(folder, "assets")).filter((file) => file.startsWith("worker-")).map((file) => `assets/${file}`)]);
    expect(weigh(first)).toBeLessThanOrEqual(90 * KIB);
  });

  it("keeps the 3D view in a chunk of its own of at most 200 KiB", () => {
    const first = filesOf("index.html");
    const scene = [...filesOf("src/scene/view.ts")].filter((file) => !first.has(file));
    expect(scene.length).toBeGreaterThan(0);
    expect(weigh(scene)).toBeGreaterThan(50 * KIB);
    expect(weigh(scene)).toBeLessThanOrEqual(200 * KIB);
  });

  it("loads what only VR and AR need on the press of their button", () => {
    const scene = filesOf("src/scene/view.ts");
    for (const name of ["src/scene/xr/session.ts", "src/scene/xr/usdz.ts"]) {
      const own = [...filesOf(name)].filter((file) => !scene.has(file));
      expect(own.length).toBeGreaterThan(0);
      expect(weigh(own)).toBeLessThanOrEqual(20 * KIB);
    }
  });

  it("keeps the graph in a chunk of its own of at most 60 KiB", () => {
    const first = filesOf("index.html");
    const graph = [...filesOf("src/twins/graph-draw.ts")].filter((file) => !first.has(file));
    expect(weigh(graph)).toBeGreaterThan(20 * KIB);
    expect(weigh(graph)).toBeLessThanOrEqual(60 * KIB);
  });

  it("has no inline script, no inline style and no foreign address in its HTML", () => {
    const html = readFileSync(join(folder, "index.html"), "utf8");
    expect(html).not.toMatch(/<script(?![^>]*\bsrc=)/);
    expect(html).not.toMatch(/<style|\sstyle=/);
    expect(html).not.toMatch(/https?:\/\//);
    for (const [, address] of html.matchAll(/(?:src|href)="([^"]+)"/g)) expect(address).toMatch(/^\/app\//);
  });

  it("never evaluates text as code", () => {
    for (const file of readdirSync(join(folder, "assets")).filter((one) => one.endsWith(".js"))) {
      const text = readFileSync(join(folder, "assets", file), "utf8");
      expect(text, file).not.toMatch(/\beval\(|new Function\(/);
    }
  });
});

it("no source of ours writes HTML from text", () => {
  const source = new URL("../../src", import.meta.url).pathname;
  for (const entry of readdirSync(source, { recursive: true, encoding: "utf8" })) {
    if (!/\.tsx?$/.test(entry)) continue;
    expect(readFileSync(join(source, entry), "utf8"), entry).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|document\.write/);
  }
});

it("the lock file holds no registry addresses", () => {
  expect(readFileSync(new URL("../../package-lock.json", import.meta.url), "utf8")).not.toMatch(/"resolved"/);
});
