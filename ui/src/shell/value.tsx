/** One value: always with its age and quality, never an old one shown as current. */

import { useReading, type Reading } from "@/live/client.ts";
import { moment, tick } from "@/core/clock.ts";
import { causeOf, judge, type Trust } from "@/core/quality.ts";
import type { Json, Property } from "@/core/types.ts";
import { asRead, unitAsRead } from "@/core/units.ts";
import { formatAge, formatNumber, parseTime } from "@/core/words.ts";
import { Icon } from "./icon.tsx";

const QUALITY: Record<string, number> = { good: 0, uncertain: 64, bad: 128 };

/** The reading that a fetched property stands for. */
export function readingOf(property: Property): Reading | null {
  const time = parseTime(property.time);
  if (time === null || property.value === null) return null;
  const quality = typeof property.quality === "number" ? property.quality : (QUALITY[property.quality] ?? 0);
  return { time, value: property.value, quality, period: 0 };
}

export function newest(a: Reading | null, b: Reading | null): Reading | null {
  if (!a || !b) return a ?? b;
  return b.time >= a.time ? b : a;
}

/** Numbers from the stream become what the model says: booleans, names of an enumeration. */
export function shown(value: Json, schema: string, names?: Record<string, string> | null, unit?: string | null): string {
  if (value === null) return "—";
  if (names) {
    const name = names[String(value)];
    if (name !== undefined) return name;
  }
  if (schema === "boolean") return value === true || value === 1 ? "true" : "false";
  if (typeof value === "number") return formatNumber(asRead(value, unit));
  return typeof value === "string" ? value : JSON.stringify(value);
}

interface Props {
  twin: string;
  property: Property;
  /** The age stands beside the value already. */
  isAgeBeside?: boolean;
}

export function useTrusted(twin: string, property: Property): { reading: Reading | null; trust: Trust; age: number; cause: string } {
  const live = useReading(twin, property.path).value;
  const reading = moment.value === null ? newest(readingOf(property), live) : live;
  const now = tick.value;
  const trust = judge({ time: reading?.time ?? null, quality: reading?.quality ?? 0, period: reading?.period ?? 0, staleAfter: property.staleAfter }, now);
  const age = reading ? Math.max(0, (now - reading.time) / 1000) : 0;
  const cause = reading && reading.quality >= 64 ? (live && reading === live ? causeOf(reading.quality) : property.cause || causeOf(reading.quality)) : "";
  return { reading, trust, age, cause };
}

export function Value({ twin, property, isAgeBeside = false }: Props) {
  const { reading, trust, age, cause } = useTrusted(twin, property);
  const text = reading ? shown(reading.value, property.schema, property.values, property.unit) : "—";
  const isTimed = !isAgeBeside && (trust === "late" || trust === "stale");
  return (
    <span class={`value ${trust}`} data-trust={trust} title={trust === "none" ? "No value has been received" : cause || `${formatAge(age)} old`}>
      {trust === "stale" && <Icon name="clock" />}
      <span class="number">{text}</span>
      {reading && property.unit && <span class="unit">{unitAsRead(property.unit)}</span>}
      {isTimed && <span class="age">{formatAge(age)}</span>}
      {cause && <span class="age">{cause}</span>}
      {trust === "stale" && <span class="visually-hidden"> stale</span>}
      {trust === "bad" && <span class="visually-hidden"> bad quality</span>}
    </span>
  );
}
