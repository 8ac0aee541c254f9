/**
 * The page's side of the live stream. All values live in columns by series number; a signal exists
 * only for a series that a mounted widget shows, and only the twins of mounted views are subscribed.
 */

import { batch, signal, type Signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { serverNow, serverTimeIs } from "@/core/clock.ts";
import { nextPeriod } from "@/core/quality.ts";
import type { Alarm, AlarmGroup, Command, Json, Status } from "@/core/types.ts";
import type { Rows } from "./frames.ts";
import type { FromWorker, ServerMessage, ToWorker } from "./messages.ts";

export interface Reading {
  time: number;
  value: Json;
  quality: number;
  period: number;
}

export type Link = { state: "connecting" | "online" | "offline"; since: number };

export const link = signal<Link>({ state: "connecting", since: Date.now() });
export const status = signal<Status | null>(null);
/** Grows with each connection and each change of the graph: whatever was fetched is fetched again. */
export const refetches = signal(0);

const names = new Map<number, string>();
const latest = new Map<string, Reading>();
const watched = new Map<string, Signal<Reading | null>>();
const watchers = new Map<string, number>();
const interest = new Map<string, number>();
const rowListeners = new Set<(key: string, reading: Reading) => void>();
let worker: Worker | null = null;
let subscribeTimer = 0;
/** Goes up with each work order that is made or changed. */
export const workTold = signal(0);

interface Listeners {
  alarm: (alarm: Alarm) => void;
  alarmGroup: (group: AlarmGroup) => void;
  command: (command: Command) => void;
  twin: (id: string, status: string) => void;
}
const listeners: { [K in keyof Listeners]: Set<Listeners[K]> } = { alarm: new Set(), alarmGroup: new Set(), command: new Set(), twin: new Set() };

export function on<K extends keyof Listeners>(kind: K, listener: Listeners[K]): () => void {
  listeners[kind].add(listener);
  return () => listeners[kind].delete(listener);
}

export const keyOf = (twin: string, path: string): string => `${twin}\n${path}`;

export function startLive(): void {
  if (worker) return;
  worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  worker.onmessage = (event: MessageEvent<FromWorker>) => hear(event.data);
  tell({ type: "open", url: `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live` });
  addEventListener("online", () => tell({ type: "retry" }));
}

export function stopLive(): void {
  worker?.postMessage({ type: "close" });
  worker?.terminate();
  worker = null;
}

export const retryLink = (): void => tell({ type: "retry" });

function tell(message: ToWorker): void {
  worker?.postMessage(message);
}

function hear(message: FromWorker): void {
  if (message.type === "state") changeLink({ state: message.state, since: message.since });
  else if (message.type === "dirty") scheduleFlush();
  else if (message.type === "rows") takeRows(message.rows);
  else batch(() => message.messages.forEach(take));
}

/** While retrying, the page stays offline since the moment the last word came. */
function changeLink(next: Link): void {
  if (next.state === "connecting" && link.value.state === "offline") return;
  if (next.state === "offline" && link.value.state === "offline") return;
  link.value = next;
}

function scheduleFlush(): void {
  const flush = (): void => tell({ type: "flush" });
  if (document.hidden) setTimeout(flush, 1000);
  else requestAnimationFrame(flush);
}

function takeRows(rows: Rows): void {
  for (let i = 0; i < rows.series.length; i++) {
    const key = names.get(rows.series[i]!);
    if (key !== undefined) store(key, rows.time[i]!, rows.value[i]!, rows.quality[i]!);
  }
}

function store(key: string, time: number, value: Json, quality: number): void {
  const before = latest.get(key);
  const period = before ? nextPeriod(before.period, (time - before.time) / 1000) : 0;
  const reading = { time, value, quality, period };
  latest.set(key, reading);
  if (past) return;
  const shown = watched.get(key);
  if (shown) shown.value = reading;
  for (const listener of rowListeners) listener(key, reading);
}

function take(message: ServerMessage): void {
  if (message.type === "hello") {
    // From here on every change is told; what was fetched before may have missed one.
    serverTimeIs(Date.parse(message.time));
    refetches.value += 1;
  } else if (message.type === "series") takeSeries(message.series, message.text ?? []);
  else if (message.type === "text") {
    for (const [series, text, ms] of message.values) storeText(series, text, ms);
  } else if (message.type === "status") {
    serverTimeIs(Date.parse(message.status.time));
    status.value = message.status;
  } else if (message.type === "alarm") listeners.alarm.forEach((listener) => listener(message.alarm));
  else if (message.type === "alarmGroup") listeners.alarmGroup.forEach((listener) => listener(message.group));
  else if (message.type === "command") listeners.command.forEach((listener) => listener(message.command));
  else if (message.type === "work") workTold.value += 1;
  else if (message.type === "twin") listeners.twin.forEach((listener) => listener(message.id, message.status));
  else if (message.type === "graph") refetches.value += 1;
}

function takeSeries(series: [number, string, string][], text: [number, string, string, string, number][]): void {
  const name = (number: number, twin: string, path: string): void => {
    const key = keyOf(twin, path);
    names.set(number, key);
  };
  for (const [number, twin, path] of series) name(number, twin, path);
  for (const [number, twin, path, json, ms] of text) {
    name(number, twin, path);
    storeText(number, json, ms);
  }
}

function storeText(series: number, json: string, ms: number): void {
  const key = names.get(series);
  if (key === undefined) return;
  let value: Json = json;
  try {
    value = JSON.parse(json) as Json;
  } catch {
    // Shown as it came.
  }
  store(key, ms, value, 0);
}

/** Values of another moment take the place of the live ones, for every widget; null goes back to live. */
let past: ReadonlyMap<string, Reading> | null = null;

export function showValues(values: ReadonlyMap<string, Reading> | null): void {
  if (values === past) return;
  past = values;
  for (const [key, shown] of watched) shown.value = found(key) ?? null;
}

const found = (key: string): Reading | undefined => (past ?? latest).get(key);

/** The newest reading without following it. */
export function peek(twin: string, path: string): Reading | undefined {
  return found(keyOf(twin, path));
}

/** The paths of numbers that some twins have now, with how many have one. */
export function numericPaths(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const [key, { value }] of past ?? latest) {
    if (typeof value !== "number") continue;
    const path = key.slice(key.indexOf("\n") + 1);
    counts.set(path, (counts.get(path) ?? 0) + 1);
  }
  return counts;
}

/** Follows one value while the widget is mounted. */
export function useReading(twin: string | null | undefined, path: string | null | undefined): Signal<Reading | null> {
  const key = twin && path ? keyOf(twin, path) : "";
  const shown = useMemo(() => watched.get(key) ?? signal<Reading | null>(found(key) ?? null), [key]);
  useEffect(() => {
    if (!key) return undefined;
    const count = (watchers.get(key) ?? 0) + 1;
    watchers.set(key, count);
    const existing = watched.get(key);
    if (!existing) watched.set(key, shown);
    shown.value = found(key) ?? null;
    const follow = existing && existing !== shown ? existing.subscribe((reading) => (shown.value = reading)) : null;
    return () => {
      follow?.();
      const left = (watchers.get(key) ?? 1) - 1;
      if (left > 0) watchers.set(key, left);
      else {
        watchers.delete(key);
        watched.delete(key);
      }
    };
  }, [key, shown]);
  return shown;
}

/** Says which twins a mounted view shows; the union of all views is subscribed. */
export function useTwins(twins: (string | null | undefined)[]): void {
  const wanted = [...new Set(twins.filter((twin): twin is string => Boolean(twin)))].sort();
  useEffect(() => {
    for (const twin of wanted) interest.set(twin, (interest.get(twin) ?? 0) + 1);
    scheduleSubscribe();
    return () => {
      for (const twin of wanted) {
        const left = (interest.get(twin) ?? 1) - 1;
        if (left > 0) interest.set(twin, left);
        else interest.delete(twin);
      }
      scheduleSubscribe();
    };
  }, [wanted.join("\n")]);
}

let subscribed = "";

function scheduleSubscribe(): void {
  clearTimeout(subscribeTimer);
  subscribeTimer = setTimeout(() => {
    const twins = [...interest.keys()].sort();
    const text = twins.join("\n");
    if (text === subscribed) return;
    subscribed = text;
    tell({ type: "subscribe", twins });
  }, 60) as unknown as number;
}

/** Hears every reading that arrives; for charts and the scene, which keep no signals. */
export function onRows(listener: (key: string, reading: Reading) => void): () => void {
  rowListeners.add(listener);
  return () => rowListeners.delete(listener);
}

export function ageOf(reading: Reading | null): number | null {
  return reading ? (serverNow() - reading.time) / 1000 : null;
}
