/** The lines of one chart: measured, the same earlier, and the forecast with its bands. */

import { fetchForecast, forecastLines, levelsOf } from "@/charts/forecast.ts";
import { fetchColumns, type Columns, type Signal } from "@/charts/history.ts";
import type { PlotLine } from "@/charts/plot.ts";
import type { Property, Twin } from "@/core/types.ts";
import { unitAsRead } from "@/core/units.ts";
import { formatAge } from "@/core/words.ts";
import { tagKey, type Tag } from "./workspace.ts";

export interface Line extends PlotLine {
  columns: Columns;
  /** Which of the chart's tags it belongs to. */
  tag: number;
  role: "value" | "earlier" | "forecast" | "quantile";
  level?: number;
}

export interface Subject {
  tag: Tag;
  /** What a person calls it. */
  label: string;
  unit: string | null;
  /** Quantiles of its forecast, the lowest first; null without a forecast. */
  levels: number[] | null;
}

export interface Asked {
  subjects: Subject[];
  edges: [number, number];
  /** Values are asked for up to here (ms). */
  until: number;
  /** The moment of the clock (ms): forecasts are asked for after it. */
  now: number;
  px: number;
  earlier: number;
}

const propertyOf = (twin: Twin | undefined, path: string): Property | undefined => twin?.properties.find((one) => one.path === path);

/** A tag as its twin describes it. */
export function subjectOf(tag: Tag, twin: Twin | undefined, isAlone: boolean): Subject {
  const property = propertyOf(twin, tag.property);
  const what = property?.displayName || tag.property;
  const source = tag.provenance ? ` (${tag.provenance})` : "";
  const levels = tag.provenance ? null : levelsOf(property);
  return { tag, label: (isAlone ? what : `${twin?.name || tag.twin} · ${what}`) + source, unit: property?.unit || null, levels };
}

export async function fetchLines(asked: Asked, abort: AbortSignal): Promise<Line[]> {
  const { subjects, edges, until, now, earlier } = asked;
  const jobs = [values(asked, edges[0], until, abort)];
  if (earlier) jobs.push(past(asked, edges[0] - earlier * 1000, edges[1] - earlier * 1000, abort));
  if (subjects.some((one) => one.levels)) jobs.push(forecasts(asked, Math.max(now, edges[0]), edges[1], abort));
  return (await Promise.all(jobs)).flat();
}

const signalOf = ({ tag, label, unit }: Subject): Signal => ({ twin: tag.twin, property: tag.property, label, unit });

/** The columns of each subject, asked for by where their values come from. */
async function columnsOf(subjects: Subject[], from: number, to: number, px: number, abort: AbortSignal): Promise<Columns[]> {
  const found = new Map<string, Columns>();
  const sources = [...new Set(subjects.map((one) => one.tag.provenance))];
  await Promise.all(
    sources.map(async (source) => {
      const some = subjects.filter((one) => one.tag.provenance === source);
      const columns = await fetchColumns(some.map(signalOf), from, to, px, abort, source || undefined);
      some.forEach((one, i) => found.set(tagKey(one.tag), columns[i]!));
    }),
  );
  return subjects.map((one) => found.get(tagKey(one.tag)) ?? { time: [], value: [] });
}

async function values({ subjects, px }: Asked, from: number, to: number, abort: AbortSignal): Promise<Line[]> {
  const columns = await columnsOf(subjects, from, to, px, abort);
  return subjects.map(({ label, unit }, tag) => ({ label, unit: unitAsRead(unit), color: tag, tag, role: "value", columns: columns[tag]! }));
}

/** What was earlier, laid over the window; half the points are enough for a thin line. */
async function past({ subjects, px, earlier }: Asked, from: number, to: number, abort: AbortSignal): Promise<Line[]> {
  const columns = await columnsOf(subjects, from, to, px / 2, abort);
  return subjects.map(({ label, unit }, tag) => ({
    label: `${label}, ${formatAge(earlier)} earlier`,
    unit: unitAsRead(unit),
    color: tag,
    style: "thin",
    tag,
    role: "earlier",
    columns: { time: columns[tag]!.time.map((time) => time + earlier), value: columns[tag]!.value },
  }));
}

async function forecasts({ subjects, px }: Asked, from: number, to: number, abort: AbortSignal): Promise<Line[]> {
  if (to <= from) return [];
  const jobs = subjects.map(async (subject, index): Promise<Line[]> => {
    if (!subject.levels) return [];
    const of = signalOf(subject);
    const columns = await fetchForecast(of, subject.levels, from, to, px / 2, abort);
    return forecastLines(of, subject.levels, index).map((line, i) => ({ ...line, columns: columns[i]! }));
  });
  return (await Promise.all(jobs)).flat();
}

/** The value that is nearest to a moment (s), if one is within `reach`. */
export function valueAt({ time, value }: Columns, at: number, reach: number): number | null {
  const after = firstAfter(time, at);
  let best: number | null = null;
  let distance = reach;
  for (const i of [after - 1, after]) {
    const apart = Math.abs((time[i] ?? Infinity) - at);
    if (apart <= distance) [best, distance] = [value[i] ?? null, apart];
  }
  return best;
}

/** The index of the first moment after `at`. */
export function firstAfter(time: number[], at: number): number {
  let [low, high] = [0, time.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (time[middle]! > at) high = middle;
    else low = middle + 1;
  }
  return low;
}
