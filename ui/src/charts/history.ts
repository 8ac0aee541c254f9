/** Series from history, kept fresh by the live stream; bounded, and outside component state. */

import { get, query } from "@/core/api.ts";
import { keyOf, onRows } from "@/live/client.ts";
import type { HistorySeries } from "@/core/types.ts";

export interface Signal {
  twin: string;
  property: string;
  label: string;
  unit: string | null;
}

export interface Columns {
  /** Seconds since 1970, as uPlot wants them. */
  time: number[];
  value: (number | null)[];
}

export async function fetchColumns(signals: Signal[], from: number | string, to: number | string, px: number, abort?: AbortSignal): Promise<Columns[]> {
  const twins = [...new Set(signals.map((one) => one.twin))];
  const properties = [...new Set(signals.map((one) => one.property))];
  const asked = query({ twin: twins.join(","), property: properties.join(","), from: edge(from), to: edge(to), px: Math.max(50, Math.round(px)) });
  const answer = await get<{ series: HistorySeries[] }>(`/history${asked}`, abort);
  return signals.map((signal) => {
    const found = answer.series.find((one) => one.twin === signal.twin && one.property === signal.property);
    return found ? withGaps(found) : { time: [], value: [] };
  });
}

const edge = (moment: number | string): string => (typeof moment === "number" ? String(Math.round(moment)) : moment);

/** Bad readings become gaps, and so does a silence much longer than usual. */
export function withGaps(series: HistorySeries): Columns {
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
    const isBad = (series.quality[i] ?? 0) >= 128;
    value.push(isBad ? null : (series.value[i] ?? null));
  }
  return { time, value };
}

function usualGap(time: number[]): number {
  if (time.length < 8) return 0;
  const gaps: number[] = [];
  for (let i = 1; i < time.length; i++) gaps.push(time[i]! - time[i - 1]!);
  gaps.sort((a, b) => a - b);
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

/** Appends live readings to columns; keeps at most `keep` seconds. Returns how to stop. */
export function follow(signals: Signal[], columns: () => Columns[], keep: number, changed: () => void): () => void {
  const keys = new Map(signals.map((one, i) => [keyOf(one.twin, one.property), i]));
  return onRows((key, reading) => {
    const i = keys.get(key);
    const column = i === undefined ? undefined : columns()[i];
    if (!column) return;
    const value = typeof reading.value === "boolean" ? Number(reading.value) : reading.value;
    const at = reading.time / 1000;
    if (typeof value !== "number" || at <= (column.time[column.time.length - 1] ?? 0)) return;
    column.time.push(at);
    column.value.push(reading.quality >= 128 || Number.isNaN(value) ? null : value);
    trim(column, at - keep);
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
