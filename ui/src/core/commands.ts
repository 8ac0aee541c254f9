/** Commands that were seen: each one's steps come over the live stream. */

import { computed, signal } from "@preact/signals";
import { get, post } from "./api.ts";
import { on, status } from "@/live/client.ts";
import type { Command, DryRun, Json, KillSwitch } from "./types.ts";
import { uuid } from "./uuid.ts";

const MOST = 300;
export const commands = signal<ReadonlyMap<string, Command>>(new Map());
/** Of those that were seen: what waits for a person, the newest first. */
export const waitingCommands = computed(() => [...commands.value.values()].filter((one) => one.state === "proposed" || one.state === "awaiting").sort((a, b) => b.requested.localeCompare(a.requested)));
export const STEP_WORDS: Record<string, string> = {
  proposed: "Suggested",
  awaiting: "Waits for approval",
  queued: "Queued",
  sent: "Sent to the device",
  delivered: "The device has it",
  succeeded: "The device says it is done",
  confirmed: "Confirmed by a reading",
  unconfirmed: "Not confirmed: the reading disagrees",
  refused: "Refused",
  cancelled: "Taken back",
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

export const freshId = (): string => `c-${uuid()}`;

export async function send(twin: string, command: string, body: Json, deadline: number, id = freshId()): Promise<Command> {
  const sent = await post<Command>("/commands", { id, twin, command, arguments: body, deadline });
  takeCommand(sent);
  return sent;
}

export async function loadCommands(twin: string, abort?: AbortSignal): Promise<Command[]> {
  const page = await get<{ value: Command[] }>(`/commands?twin=${encodeURIComponent(twin)}&limit=50`, abort);
  for (const one of page.value) takeCommand(one);
  return page.value;
}

/** The latest of all twins. */
export async function loadAllCommands(abort?: AbortSignal): Promise<Command[]> {
  const page = await get<{ value: Command[] }>(`/commands?limit=${MOST}`, abort);
  for (const one of [...page.value].reverse()) takeCommand(one);
  return page.value;
}

/** All that wait for a person; one that was seen waiting and waits no more is forgotten. */
export async function loadWaitingCommands(): Promise<void> {
  const page = await get<{ value: Command[] }>(`/commands?state=awaiting&limit=${MOST}`);
  const still = new Set(page.value.map((one) => one.id));
  const gone = waitingCommands.peek().filter((one) => !still.has(one.id));
  if (gone.length) commands.value = new Map([...commands.value].filter(([id]) => !gone.some((one) => one.id === id)));
  for (const one of [...page.value].reverse()) takeCommand(one);
}

export async function dryRun(twin: string, command: string, body: Json, deadline: number): Promise<DryRun> {
  return post<DryRun>("/commands?dryRun=true", { twin, command, arguments: body, deadline });
}

/** Approves what is shown: the hash binds the word to it. */
export async function approve(command: Command, comment: string): Promise<void> {
  takeCommand(await post<Command>(`/commands/${encodeURIComponent(command.id)}/approve`, { hash: command.hash, comment }));
}

export async function refuse(command: Command, comment: string): Promise<void> {
  takeCommand(await post<Command>(`/commands/${encodeURIComponent(command.id)}/refuse`, { comment }));
}

export async function cancel(command: Command, comment: string): Promise<void> {
  takeCommand(await post<Command>(`/commands/${encodeURIComponent(command.id)}/cancel`, { comment }));
}

export async function turnSwitch(isStopping: boolean, reason: string): Promise<void> {
  const now = await post<KillSwitch>(`/killswitch/${isStopping ? "stop" : "resume"}`, { reason });
  if (status.value) status.value = { ...status.value, killSwitch: now };
}

export function commandsOf(twin: string): Command[] {
  return [...commands.value.values()].filter((one) => one.twin === twin).sort((a, b) => b.requested.localeCompare(a.requested));
}

export function startCommands(): void {
  on("command", takeCommand);
}
