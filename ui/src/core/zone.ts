/** In which time zone moments are told: that of the device, UTC, or one by name. */

import { kept } from "./kept.ts";

/** "" is that of the device. */
export const zone = kept<string>("gemel.zone", "", isZone);

export function isZone(name: string): boolean {
  if (!name) return true;
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

export interface Fields {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(name: string): Intl.DateTimeFormat {
  let found = formats.get(name);
  if (!found) {
    found = new Intl.DateTimeFormat("en", { timeZone: name, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" });
    formats.set(name, found);
  }
  return found;
}

/** A moment as a clock on the wall of the zone shows it. */
export function fieldsOf(ms: number): Fields {
  const name = zone.value;
  if (name && Number.isFinite(ms)) {
    const found: Record<string, number> = {};
    for (const { type, value } of formatOf(name).formatToParts(ms)) found[type] = Number(value);
    return found as unknown as Fields;
  }
  const date = new Date(ms);
  return { year: date.getFullYear(), month: date.getMonth() + 1, day: date.getDate(), hour: date.getHours(), minute: date.getMinutes(), second: date.getSeconds() };
}

/** Minutes that the zone is ahead of UTC at a moment. */
export function offsetOf(ms: number): number {
  const { year, month, day, hour, minute, second } = fieldsOf(ms);
  return Math.round((Date.UTC(year, month - 1, day, hour, minute, second) - ms) / 60_000);
}

export function zones(): string[] {
  return ["UTC", ...Intl.supportedValuesOf("timeZone").filter((name) => name !== "UTC")];
}
