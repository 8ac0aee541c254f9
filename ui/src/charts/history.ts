/** Series from history, kept fresh by the live stream; bounded, and outside component state. */

import { getBytes, query } from "@/core/api.ts";
import { asRead, unitAsRead } from "@/core/units.ts";
import { keyOf, onRows } from "@/live/client.ts";
import { readColumns, type Series } from "./bytes.ts";

export interface Signal {
  twin: string;
  property: string;
  label: string;
  /** The model's; columns come in the unit that it is read in. */
  unit: string | null;
}

export interface Columns {
  /** Seconds since 1970, as uPlot wants them. */
  time: number[];
  value: (number | null)[];
}

/** What to draw of some signals; `px` is the width in pixels. One question a twin. */
export async function fetchColumns(signals: Signal[], from: number | string, to: number | string, px: number, abort?: AbortSignal, provenance?: string): Promise<Columns[]> {
  const properties = new Map<string, Set<string>>();
  for (const one of signals) properties.set(one.twin, (properties.get(one.twin) ?? new Set()).add(one.property));
  const answers = [...properties].map(([twin, paths]) => {
    const asked = query({ twin, property: [...paths].join(","), from: edge(from), to: edge(to), px: Math.max(50, Math.round(px)), provenance, format: "columns" });
    return getBytes(`/history${asked}`, abort).then(readColumns);
  });
  const found = new Map((await Promise.all(answers)).flat().map((one) => [keyOf(one.twin, one.property), one]));
  return signals.map((signal) => {
    const series = found.get(keyOf(signal.twin, signal.property));
    return series ? readIn(withGaps(series), signal.unit) : { time: [], value: [] };
  });
}

function readIn(columns: Columns, unit: string | null): Columns {
  return unitAsRead(unit) === unit ? columns : { time: columns.time, value: columns.value.map((one) => (one === null ? null : asRead(one, unit))) };
}

const edge = (moment: number | string): string => (typeof moment === "number" ? String(Math.round(moment)) : moment);

/** Bad readings become gaps, and so does a silence much longer than usual. */
export function withGaps(series: Pick<Series, "time" | "value" | "quality">): Columns {
  const time: number[] = [];
  const value: (number | null)[] = [];
  const silence = usualGap(series.time) * 20;
  for (let i = 0; i < series.time.length; i++) {
    const at = series.time[i]! / 1000;
    const before = i > 0 ? series.time[i - 1]! / 1000 : at;
    if (silence > 0 && (at - before) * 1000 > silence) {
      time.push((at + before) / 2);
      value.push(null);
    }
    time.push(at);
    const number = series.value[i]!;
    value.push(Number.isNaN(number) || (series.quality?.[i] ?? 0) >= 128 ? null : number);
  }
  return { time, value };
}

function usualGap(time: Float64Array): number {
  if (time.length < 8) return 0;
  const gaps = new Float64Array(time.length - 1);
  for (let i = 1; i < time.length; i++) gaps[i - 1] = time[i]! - time[i - 1]!;
  gaps.sort();
  return Math.max(gaps[Math.floor(gaps.length * 0.9)]!, 1000);
}

/** Joins columns with different times into the one time column that uPlot needs; undefined means "not sampled here". */
export function align(columns: Columns[]): [number[], ...(number | null | undefined)[][]] {
  if (columns.length === 1) return [columns[0]!.time, columns[0]!.value];
  const times = [...new Set(columns.flatMap((one) => one.time))].sort((a, b) => a - b);
  const index = new Map(times.map((time, i) => [time, i]));
  const values = columns.map((one) => {
    const line: (number | null | undefined)[] = new Array<undefined>(times.length).fill(undefined);
    one.time.forEach((time, i) => (line[index.get(time)!] = one.value[i]));
    return line;
  });
  return [times, ...values];
}

/** Appends live readings to columns; keeps about `keep` seconds. Returns how to stop. */
export function follow(signals: Signal[], columns: () => Columns[], keep: () => number, changed: () => void): () => void {
  const keys = new Map(signals.map((one, i) => [keyOf(one.twin, one.property), i]));
  return onRows((key, reading) => {
    const i = keys.get(key);
    const column = i === undefined ? undefined : columns()[i];
    if (!column) return;
    const value = typeof reading.value === "boolean" ? Number(reading.value) : reading.value;
    const at = reading.time / 1000;
    if (typeof value !== "number" || at <= (column.time[column.time.length - 1] ?? 0)) return;
    column.time.push(at);
    column.value.push(reading.quality >= 128 || Number.isNaN(value) ? null : asRead(value, signals[i!]!.unit));
    trim(column, at - keep());
    changed();
  });
}

/** Drops what is older in one cut when a tenth has grown too old. */
function trim(column: Columns, oldest: number): void {
  const cut = column.time.findIndex((time) => time >= oldest);
  if (cut > column.time.length / 10) {
    column.time.splice(0, cut - 1);
    column.value.splice(0, cut - 1);
  }
}
