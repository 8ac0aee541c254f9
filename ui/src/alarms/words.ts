import type { Alarm } from "@/core/types.ts";
import { plainAsRead, unitAsRead } from "@/core/units.ts";
import { formatAge, formatMoment, parseTime } from "@/core/words.ts";

/** "84.2 °C · limit 80 · 14:31:52", leaving out what is not known; in short, how long ago. */
export function factsOf(alarm: Alarm, now: number, isShort = false): string {
  const unit = alarm.unit ? ` ${unitAsRead(alarm.unit)}` : "";
  const raised = parseTime(alarm.raised);
  return [
    alarm.value === null || alarm.value === undefined ? "" : `${plainAsRead(alarm.value, alarm.unit)}${unit}`,
    alarm.limit === null || alarm.limit === undefined ? "" : `limit ${plainAsRead(alarm.limit, alarm.unit)}`,
    raised === null ? "" : isShort ? formatAge((now - raised) / 1000) : formatMoment(raised, now),
  ]
    .filter(Boolean)
    .join(" · ");
}
