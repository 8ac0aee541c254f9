/**
 * What this device keeps for the time without a network: answers of the API with the moment they came, and an outbox for
 * notes, photos and ticks. Never commands or acknowledgements: what moves the plant is asked for when the plant can answer.
 */

import { openDB, type DBSchema, type IDBPDatabase } from "idb";

export interface Waiting {
  id: string;
  time: number;
  who: string;
  /** What a person reads in the list. */
  words: string;
  method: "PUT" | "PATCH";
  path: string;
  type: string;
  body: Blob | string;
  /** Why the server did not take it; "" while it waits. */
  problem: string;
}

interface Kept {
  path: string;
  saved: number;
  body: unknown;
}

interface Schema extends DBSchema {
  answers: { key: string; value: Kept; indexes: { saved: number } };
  pinned: { key: string; value: { twin: string; saved: number } };
  outbox: { key: string; value: Waiting; indexes: { time: number } };
}

const MOST_ANSWERS = 400;
let database: Promise<IDBPDatabase<Schema>> | null = null;

function open(): Promise<IDBPDatabase<Schema>> {
  database ??= openDB<Schema>("gemel", 1, {
    upgrade(made) {
      made.createObjectStore("answers", { keyPath: "path" }).createIndex("saved", "saved");
      made.createObjectStore("pinned", { keyPath: "twin" });
      made.createObjectStore("outbox", { keyPath: "id" }).createIndex("time", "time");
    },
  });
  return database;
}

export async function keepAnswer(path: string, body: unknown): Promise<void> {
  const db = await open();
  await db.put("answers", { path, saved: Date.now(), body });
  const over = (await db.count("answers")) - MOST_ANSWERS;
  if (over <= 0) return;
  const change = db.transaction("answers", "readwrite");
  let left = over;
  for (let at = await change.store.index("saved").openCursor(); at && left > 0; at = await at.continue(), left--) await at.delete();
  await change.done;
}

export async function keptAnswer(path: string): Promise<Kept | undefined> {
  return (await open()).get("answers", path);
}

export async function pin(twin: string): Promise<void> {
  await (await open()).put("pinned", { twin, saved: Date.now() });
}

export async function pinned(): Promise<{ twin: string; saved: number }[]> {
  return (await open()).getAll("pinned");
}

export async function addWaiting(one: Waiting): Promise<void> {
  await (await open()).put("outbox", one);
}

export async function dropWaiting(id: string): Promise<void> {
  await (await open()).delete("outbox", id);
}

/** The oldest first: the order in which they are sent. */
export async function allWaiting(): Promise<Waiting[]> {
  return (await open()).getAllFromIndex("outbox", "time");
}

/** Everything, when its reader signs out: the next one may see less. */
export async function wipe(): Promise<void> {
  const db = await open();
  const change = db.transaction(["answers", "pinned", "outbox"], "readwrite");
  await Promise.all([change.objectStore("answers").clear(), change.objectStore("pinned").clear(), change.objectStore("outbox").clear(), change.done]);
}
