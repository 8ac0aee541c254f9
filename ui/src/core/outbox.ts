/** Sends what was written down without a network, in order, each under an id of its own so that twice is once. */

import { effect, signal } from "@preact/signals";
import { me } from "./api.ts";
import { canKeep, online, waitingCount } from "./offline.ts";
import { link } from "@/live/client.ts";
import type { Waiting } from "./saved.ts";
import { uuid } from "@/core/uuid.ts";

export const waiting = signal<Waiting[]>([]);
/** Grows when something of it was taken in by the server. */
export const sentCount = signal(0);

const load = () => import("./saved.ts");

async function look(): Promise<void> {
  waiting.value = await (await load()).allWaiting();
  waitingCount.value = waiting.value.length;
}

export function newId(): string {
  return uuid();
}

/** Sends it now, or keeps it until it can be sent. Returns whether the server has it. */
export async function send(one: Pick<Waiting, "words" | "method" | "path" | "type" | "body">): Promise<boolean> {
  const kept: Waiting = { ...one, id: newId(), time: Date.now(), who: me.peek()?.name ?? "", problem: "" };
  if (!canKeep()) {
    const problem = await deliver(kept);
    if (problem === null) throw new Error("The server does not answer, and this browser keeps nothing here without TLS.");
    if (problem) throw new Error(problem);
    sentCount.value += 1;
    return true;
  }
  const { addWaiting } = await load();
  await addWaiting(kept);
  await flush();
  const left = waiting.peek().find(({ id }) => id === kept.id);
  if (left?.problem) {
    await drop(kept.id);
    throw new Error(left.problem);
  }
  return left === undefined;
}

export async function drop(id: string): Promise<void> {
  await (await load()).dropWaiting(id);
  await look();
}

/** "" when it is taken in, null when the server cannot be reached or is busy, else why it is refused. */
async function deliver(one: Waiting): Promise<string | null> {
  try {
    const answer = await fetch(one.path, { method: one.method, headers: { "Content-Type": one.type }, body: one.body, credentials: "same-origin" });
    if (answer.ok) return "";
    if (answer.status === 401 || answer.status === 429 || answer.status >= 500) return null;
    const body = (await answer.json().catch(() => ({}))) as { error?: { message?: string; hint?: string } };
    return [body.error?.message ?? `The server refused it (${answer.status})`, body.error?.hint ?? ""].filter(Boolean).join(". ");
  } catch {
    return null;
  }
}

let turn: Promise<void> = Promise.resolve();

/** One flush at a time; what another name wrote waits for that person. */
export function flush(): Promise<void> {
  turn = turn.then(flushOnce, flushOnce);
  return turn;
}

async function flushOnce(): Promise<void> {
  const saved = await load();
  let sent = 0;
  for (const one of await saved.allWaiting()) {
    if (one.problem || (me.peek() && one.who !== me.peek()?.name)) continue;
    const problem = await deliver(one);
    if (problem === null) break;
    if (problem === "") {
      await saved.dropWaiting(one.id);
      sent += 1;
    } else await saved.addWaiting({ ...one, problem });
  }
  await look();
  sentCount.value += sent;
}

/** At the start, when the link is back, and when the window is looked at again. */
export function startOutbox(): void {
  if (!canKeep()) return;
  effect(() => {
    if (link.value.state === "online") online();
    if (link.value.state === "online" && me.value) void flush().catch(() => undefined);
  });
  addEventListener("focus", () => {
    if (waitingCount.peek() > 0) void flush().catch(() => undefined);
  });
  void look().catch(() => undefined);
}
