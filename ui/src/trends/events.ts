/** What happened to the twins of a chart: alarms and commands, for its edge and for a list. */

import { get, query } from "@/core/api.ts";
import { openAlarms } from "@/core/alarms.ts";
import { commands } from "@/core/commands.ts";
import { href } from "@/core/router.ts";
import type { Alarm, Command, Page } from "@/core/types.ts";

export interface Event {
  id: string;
  kind: "alarm" | "command";
  twin: string;
  /** ms. */
  from: number;
  /** When it was over; null while it goes on, equal to `from` for what takes no time. */
  to: number | null;
  /** 1 to 4 of an alarm. */
  priority: number;
  words: string;
  link: string;
}

const MOST = 500;

export async function fetchEvents(twins: string[], abort: AbortSignal): Promise<Event[]> {
  const lists = await Promise.all(
    twins.map((twin) =>
      Promise.all([get<Page<Alarm>>(`/alarms${query({ twin, state: "all", limit: MOST })}`, abort), get<Page<Command>>(`/commands${query({ twin, state: "all", limit: MOST })}`, abort)]),
    ),
  );
  return inOrder(lists.flatMap(([alarms, orders]) => [...alarms.value.map(ofAlarm), ...orders.value.map(ofCommand)]));
}

/** What was fetched, with what the live stream has told since. */
export function withLive(events: Event[], twins: string[]): Event[] {
  const all = new Map(events.map((one) => [one.id, one]));
  for (const alarm of openAlarms.value.values()) if (twins.includes(alarm.twin)) all.set(alarm.id, ofAlarm(alarm));
  for (const command of commands.value.values()) if (twins.includes(command.twin)) all.set(command.id, ofCommand(command));
  return inOrder([...all.values()]);
}

const inOrder = (events: Event[]): Event[] => events.sort((a, b) => a.from - b.from);

function ofAlarm(alarm: Alarm): Event {
  const from = Date.parse(alarm.lastRaised || alarm.raised);
  return { id: alarm.id, kind: "alarm", twin: alarm.twin, from, to: alarm.isActive || !alarm.cleared ? null : Date.parse(alarm.cleared), priority: alarm.priority, words: alarm.title, link: href("alarms", alarm.id) };
}

function ofCommand(command: Command): Event {
  const at = Date.parse(command.requested);
  const what = command.arguments === null ? command.command : `${command.command} ${JSON.stringify(command.arguments)}`;
  return { id: command.id, kind: "command", twin: command.twin, from: at, to: at, priority: 0, words: `${what}, ${command.state}, by ${command.who}`, link: href("commands", command.id) };
}

export const within = (events: Event[], [from, to]: [number, number]): Event[] => events.filter((one) => one.from <= to && (one.to ?? Infinity) >= from);
