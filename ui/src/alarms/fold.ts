/** Alarms of one cause as one line: the others stand behind it until somebody opens it. */

import { groupOf } from "@/core/alarms.ts";
import type { Alarm, AlarmGroup } from "@/core/types.ts";

export interface Row {
  alarm: Alarm;
  /** Set in the line that stands for a group: what it is and how many stand behind. */
  group?: AlarmGroup;
  behind: number;
  /** Shown because its group is open. */
  isMember: boolean;
}

/** The order of the list is kept; a group takes the place of its most urgent alarm. */
export function folded(list: readonly Alarm[], known: ReadonlyMap<string, AlarmGroup>, opened: ReadonlySet<string>): Row[] {
  if (known.size === 0) return list.map((alarm) => ({ alarm, behind: 0, isMember: false }));
  const members = new Map<string, Alarm[]>();
  for (const alarm of list) {
    const group = groupOf(alarm, known);
    if (!group) continue;
    const mine = members.get(group.id);
    if (mine) mine.push(alarm);
    else members.set(group.id, [alarm]);
  }
  const rows: Row[] = [];
  const done = new Set<string>();
  for (const alarm of list) {
    const group = groupOf(alarm, known);
    const mine = group ? members.get(group.id)! : [];
    if (!group || mine.length < 2) {
      rows.push({ alarm, behind: 0, isMember: false });
      continue;
    }
    if (done.has(group.id)) continue;
    done.add(group.id);
    const lead = mine.find((one) => one.id === group.causeAlarm) ?? mine.find((one) => one.id === group.firstOut) ?? alarm;
    rows.push({ alarm: lead, group, behind: mine.length - 1, isMember: false });
    if (opened.has(group.id)) for (const one of mine) if (one !== lead) rows.push({ alarm: one, behind: 0, isMember: true });
  }
  return rows;
}
