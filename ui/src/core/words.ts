/** Numbers, times and ages as a person reads them. */

import { fieldsOf, offsetOf } from "./zone.ts";

/** Narrow and unbreakable, between groups of digits. */
const THIN = "\u202f";

export function formatNumber(value: number, digits?: number | null): string {
  if (!Number.isFinite(value)) return "—";
  const places = digits ?? sensibleDigits(value);
  const fixed = Math.abs(value) >= 1e12 || (value !== 0 && Math.abs(value) < 1e-6) ? value.toExponential(3) : value.toFixed(places);
  const [whole = "", rest] = fixed.split(".");
  const grouped = whole.replace(/^(-?)(\d{5,})$/, (_all, sign: string, figures: string) => sign + figures.replace(/\B(?=(\d{3})+$)/g, THIN));
  return (rest === undefined ? grouped : `${grouped}.${rest}`).replace(/^-(?=0(\.0+)?$)/, "").replace("-", "−");
}

function sensibleDigits(value: number): number {
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e9) return 0;
  if (size >= 1000) return 0;
  if (size >= 10) return 1;
  if (size >= 1) return 2;
  return 3;
}

/** Seconds as the largest sensible unit: 0.8 s, 42 s, 5 min, 3 h, 2 d. */
export function formatAge(seconds: number): string {
  const s = Math.max(0, seconds);
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 120) return `${Math.round(s)} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  if (s < 172_800) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86_400)} d`;
}

const pad = (value: number): string => String(value).padStart(2, "0");

export function formatClock(ms: number): string {
  const { hour, minute, second } = fieldsOf(ms);
  return `${pad(hour)}:${pad(minute)}:${pad(second)}`;
}

export function formatDay(ms: number): string {
  const { year, month, day } = fieldsOf(ms);
  return `${year}-${pad(month)}-${pad(day)}`;
}

/** Clock today, day and clock otherwise. */
export function formatMoment(ms: number, now: number): string {
  return formatDay(ms) === formatDay(now) ? formatClock(ms) : `${formatDay(ms)} ${formatClock(ms)}`;
}

export function zoneName(ms: number): string {
  const minutes = offsetOf(ms);
  if (minutes === 0) return "UTC";
  const size = Math.abs(minutes);
  return `UTC${minutes < 0 ? "−" : "+"}${Math.floor(size / 60)}${size % 60 ? `:${pad(size % 60)}` : ""}`;
}

export function parseTime(text: string | null | undefined): number | null {
  if (!text) return null;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? null : ms;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** For limits and facts that stand still: no zeros at the end. */
export function formatPlain(value: number | boolean | string): string {
  if (typeof value !== "number") return String(value);
  return formatNumber(value).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
}

export const PRIORITY_WORDS: Record<number, string> = { 1: "critical", 2: "high", 3: "medium", 4: "low" };
