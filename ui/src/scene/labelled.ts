/** Which twins a picture of the plant names, and what it says of them: the value of now. */

import { MOST_LABELS, priorityOfTwin, rankedAlarms } from "@/core/alarms.ts";
import { nameOf } from "@/core/plant.ts";
import type { Alarm } from "@/core/types.ts";
import { asRead, unitAsRead } from "@/core/units.ts";
import { formatNumber } from "@/core/words.ts";
import { peek } from "@/live/client.ts";
import type { Label } from "./labels.ts";
import { wordsFor } from "./look.ts";
import type { Thing } from "./things.ts";

/** Most urgent first; the chosen twin before all. */
export function labelled(showing: (twin: string) => Thing | undefined, selected: string, by: string): Label[] {
  const labels: Label[] = [];
  const seen = new Set<string>();
  for (const alarm of rankedAlarms.value) {
    if (labels.length === MOST_LABELS) break;
    const thing = showing(alarm.twin);
    if (!thing || thing.isHidden || seen.has(alarm.twin)) continue;
    seen.add(alarm.twin);
    const name = thing.twin === alarm.twin ? (thing.object.label ?? nameOf(alarm.twin)) : nameOf(alarm.twin);
    labels.push({ thing, name, twin: alarm.twin, words: wordsOf(alarm), priority: alarm.priority, isActive: alarm.isActive, isChosen: alarm.twin === selected });
  }
  const chosen = showing(selected);
  if (chosen && !seen.has(selected)) labels.unshift({ thing: chosen, twin: selected, name: nameOf(selected), words: wordsFor(by, selected), priority: priorityOfTwin.value.get(selected) ?? 0, isActive: true, isChosen: true });
  return labels;
}

/** What a value was when an alarm began says nothing once the alarm is over. */
function wordsOf(alarm: Alarm): string {
  const reading = alarm.property ? peek(alarm.twin, alarm.property) : undefined;
  const value = typeof reading?.value === "number" ? reading.value : alarm.isActive ? alarm.value : null;
  if (value === null) return alarm.title;
  return `${typeof value === "number" ? formatNumber(asRead(value, alarm.unit)) : value} ${unitAsRead(alarm.unit) ?? ""}`;
}
