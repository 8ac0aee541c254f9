/** What a workspace of trends shows, as text: the address has all of it. */

import type { Signal } from "@/charts/history.ts";

/** A series: of a twin, a property, and where its values come from ("" is what stands for the property). */
export interface Tag {
  twin: string;
  property: string;
  provenance: string;
}

export interface Panel {
  tags: Tag[];
  isWide: boolean;
  /** Its values as a table instead of a chart. */
  isTable: boolean;
}

export interface Workspace {
  panels: Panel[];
  /** Seconds that slide with the clock, or fixed edges (ms). */
  window: number | [number, number];
  /** Seconds by which what is compared with lies earlier; 0: nothing. */
  earlier: number;
  /** Seconds of the forecast that are shown after now. */
  ahead: number;
  /** What is hidden of what is drawn beside the values. */
  hidden: ReadonlySet<Beside>;
  /** A span (ms) whose figures are asked for. */
  selection: [number, number] | null;
}

export type Beside = "limits" | "events";
const BESIDES: Beside[] = ["limits", "events"];

export const MOST_PANELS = 8;
export const MOST_TAGS = 6;
export const SPAN = 3600;
/** Shorter is not looked at, longer is not fetched (ms). */
const SHORTEST = 1;
const LONGEST = 20 * 366 * 86_400_000;

export const tagKey = (tag: Tag): string => `${tag.twin}\n${tag.property}\n${tag.provenance}`;
export const signalOf = (tag: Tag, label: string, unit: string | null): Signal => ({ twin: tag.twin, property: tag.property, label, unit });

const cut = (text: string | null, at: string): string[] => (text ?? "").split(at).filter(Boolean);

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** `twin:property,twin:property:predicted;wide` */
function readPanel(text: string): Panel {
  const [tags = "", ...flags] = text.split(";");
  const found = cut(tags, ",").map((one) => {
    const [twin = "", property = "", provenance = ""] = one.split(":").map(decoded);
    return { twin, property, provenance };
  });
  return { tags: found.filter((one) => one.twin && one.property).slice(0, MOST_TAGS), isWide: flags.includes("wide"), isTable: flags.includes("table") };
}

function writePanel(panel: Panel): string {
  const tags = panel.tags.map((one) => [one.twin, one.property, one.provenance].filter(Boolean).map(encodeURIComponent).join(":")).join(",");
  return tags + (panel.isWide ? ";wide" : "") + (panel.isTable ? ";table" : "");
}

function readSpan(text: string | null): [number, number] | null {
  const [from, to] = cut(text, "~").map(Number);
  return from !== undefined && to !== undefined && Number.isFinite(from) && Number.isFinite(to) && to > from ? bounded(from, to) : null;
}

const writeSpan = (span: [number, number]): string => span.map((one) => Math.round(one)).join("~");
const positive = (text: string | null): number => (Number.isFinite(Number(text)) ? Math.max(0, Number(text)) : 0);

export function bounded(from: number, to: number): [number, number] {
  const width = Math.min(LONGEST, Math.max(SHORTEST, to - from));
  const middle = (from + to) / 2;
  return [middle - width / 2, middle + width / 2];
}

export function readWorkspace(search: URLSearchParams): Workspace {
  const hidden = cut(search.get("hide"), ",").filter((one): one is Beside => (BESIDES as string[]).includes(one));
  return {
    panels: cut(search.get("panels"), "|").map(readPanel).slice(0, MOST_PANELS),
    window: readSpan(search.get("window")) ?? (Math.min(LONGEST / 1000, positive(search.get("span"))) || SPAN),
    earlier: positive(search.get("vs")),
    ahead: positive(search.get("ahead")),
    hidden: new Set(hidden),
    selection: readSpan(search.get("select")),
  };
}

/** As parameters of the address; null for what is as usual. */
export function writeWorkspace(shown: Workspace): Record<string, string | null> {
  const isFixed = Array.isArray(shown.window);
  return {
    panels: shown.panels.map(writePanel).join("|") || null,
    window: isFixed ? writeSpan(shown.window as [number, number]) : null,
    span: isFixed || shown.window === SPAN ? null : String(shown.window),
    vs: shown.earlier ? String(shown.earlier) : null,
    ahead: shown.ahead ? String(shown.ahead) : null,
    hide: [...shown.hidden].join(",") || null,
    select: shown.selection ? writeSpan(shown.selection) : null,
  };
}

/** A wheel or a button about a moment: factor under 1 looks closer. */
export function zoomed([from, to]: [number, number], about: number, factor: number): [number, number] {
  return bounded(about - (about - from) * factor, about + (to - about) * factor);
}

/** Two fingers at `px` take the moments `held` with them; null while they are too near to each other. */
export function pinched(held: [number, number], px: [number, number], width: number): [number, number] | null {
  const apart = px[1] - px[0];
  const perPx = (held[1] - held[0]) / apart;
  if (Math.abs(apart) < 8 || !(perPx > 0)) return null;
  const from = held[0] - px[0] * perPx;
  return bounded(from, from + width * perPx);
}

export const moved = ([from, to]: [number, number], by: number): [number, number] => [from + by, to + by];

export function movedPanel(panels: Panel[], from: number, by: number): Panel[] {
  const to = from + by;
  if (to < 0 || to >= panels.length) return panels;
  const next = [...panels];
  next.splice(to, 0, ...next.splice(from, 1));
  return next;
}
