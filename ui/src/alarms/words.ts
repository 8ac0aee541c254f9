import type { Alarm } from "@/core/types.ts";
import { formatMoment, formatPlain, parseTime } from "@/core/words.ts";

/** "84.2 °C · limit 80 · 14:31:52", leaving out what is not known. */
export function factsOf(alarm: Alarm, now: number): string {
  const unit = alarm.unit ? ` ${alarm.unit}` : "";
  const raised = parseTime(alarm.raised);
  return [
    alarm.value === null || alarm.value === undefined ? "" : `${formatPlain(alarm.value)}${unit}`,
    alarm.limit === null || alarm.limit === undefined ? "" : `limit ${formatPlain(alarm.limit)}`,
    raised === null ? "" : formatMoment(raised, now),
  ]
    .filter(Boolean)
    .join(" · ");
}
