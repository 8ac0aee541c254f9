import type { Alarm } from "@/core/types.ts";
import { formatAge, formatMoment, formatPlain, parseTime } from "@/core/words.ts";

/** "84.2 °C · limit 80 · 14:31:52", leaving out what is not known; in short, how long ago. */
export function factsOf(alarm: Alarm, now: number, isShort = false): string {
  const unit = alarm.unit ? ` ${alarm.unit}` : "";
  const raised = parseTime(alarm.raised);
  return [
    alarm.value === null || alarm.value === undefined ? "" : `${formatPlain(alarm.value)}${unit}`,
    alarm.limit === null || alarm.limit === undefined ? "" : `limit ${formatPlain(alarm.limit)}`,
    raised === null ? "" : isShort ? formatAge((now - raised) / 1000) : formatMoment(raised, now),
  ]
    .filter(Boolean)
    .join(" · ");
}
