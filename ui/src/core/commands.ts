/** Commands that were seen: each one's steps come over the live stream. */

import { signal } from "@preact/signals";
import { get, post } from "./api.ts";
import { on } from "@/live/client.ts";
import type { Command, Json } from "./types.ts";

const MOST = 300;
export const commands = signal<ReadonlyMap<string, Command>>(new Map());
export const FINAL = new Set(["succeeded", "failed", "expired", "unknown"]);

export const STEP_WORDS: Record<string, string> = {
  queued: "Queued",
  sent: "Sent to the device",
  delivered: "The device has it",
  succeeded: "Done",
  failed: "Failed",
  expired: "Expired before it was sent",
  unknown: "Unknown: no answer in time",
};

export function takeCommand(command: Command): void {
  const next = new Map(commands.value);
  const known = next.get(command.id);
  if (known && known.steps.length > command.steps.length) return;
  next.set(command.id, command);
  if (next.size > MOST) next.delete(next.keys().next().value!);
  commands.value = next;
}

export async function send(twin: string, command: string, body: Json, deadline: number): Promise<Command> {
  const sent = await post<Command>("/commands", { id: `c-${crypto.randomUUID()}`, twin, command, arguments: body, deadline });
  takeCommand(sent);
  return sent;
}

export async function loadCommands(twin: string, abort?: AbortSignal): Promise<Command[]> {
  const page = await get<{ value: Command[] }>(`/commands?twin=${encodeURIComponent(twin)}&limit=50`, abort);
  for (const one of page.value) takeCommand(one);
  return page.value;
}

export function commandsOf(twin: string): Command[] {
  return [...commands.value.values()].filter((one) => one.twin === twin).sort((a, b) => b.requested.localeCompare(a.requested));
}

export function startCommands(): void {
  on("command", takeCommand);
}
