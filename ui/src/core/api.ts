/** Asks the server; every failure becomes an `ApiError` that says what a person can do. */

import { signal } from "@preact/signals";
import { keepAnswer, keeps, keptAnswer } from "./offline.ts";
import type { Alarm, Json, Me, Twin } from "./types.ts";

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint = "",
    readonly request = "",
  ) {
    super(message);
  }
}

/** Who is signed in: undefined until asked, null when a token is needed. */
export const me = signal<Me | null | undefined>(undefined);

/** What is to be forgotten when a person leaves: another one may see less. */
export const onLeave = new Set<() => void>();

function leave(): void {
  for (const forget of onLeave) forget();
  me.value = null;
}

export function may(permission: string): boolean {
  return me.value?.permissions.includes(permission) ?? false;
}

/** From the server; without it, what this device kept of the same, if it did. */
export async function get<T>(path: string, abort?: AbortSignal): Promise<T> {
  if (!keeps(path)) return request<T>("GET", path, undefined, abort);
  try {
    const found = await request<T>("GET", path, undefined, abort);
    keepAnswer(path, found);
    return found;
  } catch (error) {
    const kept = error instanceof ApiError && error.status === 0 ? await keptAnswer(path) : undefined;
    if (kept === undefined) throw error;
    return kept as T;
  }
}

/** What is not JSON: columns of readings. */
export async function getBytes(path: string, abort?: AbortSignal): Promise<ArrayBuffer> {
  return (await send("GET", path, undefined, abort)).arrayBuffer();
}

export async function post<T>(path: string, body?: unknown): Promise<T> {
  return request<T>("POST", path, body ?? {});
}

/** Sends the bytes of a file. */
export async function upload<T>(path: string, file: Blob): Promise<T> {
  return (await (await send("POST", path, file)).json()) as T;
}

export async function patch<T>(path: string, body: unknown): Promise<T> {
  return request<T>("PATCH", path, body);
}

export async function put<T>(path: string, body: unknown): Promise<T> {
  return request<T>("PUT", path, body);
}

export async function remove(path: string): Promise<void> {
  await request<unknown>("DELETE", path);
}

async function request<T>(method: string, path: string, body?: unknown, abort?: AbortSignal): Promise<T> {
  const answer = await send(method, path, body, abort);
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}

async function send(method: string, path: string, body: unknown, abort?: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = { Accept: "application/json" };
  const isFile = body instanceof Blob;
  if (body !== undefined) headers["Content-Type"] = isFile ? "application/octet-stream" : "application/json";
  let answer: Response;
  try {
    answer = await fetch(path, {
      method,
      headers,
      credentials: "same-origin",
      body: body === undefined ? null : isFile ? body : JSON.stringify(body),
      signal: abort ?? null,
    });
  } catch (error) {
    if (abort?.aborted) throw error;
    throw new ApiError(0, "Unreachable", "The server does not answer", "Check that gemel is running and reachable, then retry.");
  }
  if (answer.ok) return answer;
  throw await failure(answer);
}

async function failure(answer: Response): Promise<ApiError> {
  if (answer.status === 401) leave();
  let code = `HTTP ${answer.status}`;
  let message = answer.statusText || "The request failed";
  let hint = "";
  try {
    const body = (await answer.json()) as { error?: { code?: string; message?: string; hint?: string } };
    code = body.error?.code ?? code;
    message = body.error?.message ?? message;
    hint = body.error?.hint ?? "";
  } catch {
    hint = "The answer was not readable.";
  }
  return new ApiError(answer.status, code, message, hint, answer.headers.get("x-request-id") ?? "");
}

export async function signIn(token: string): Promise<void> {
  const answer = await fetch("/session", {
    method: "POST",
    headers: { Authorization: `Bearer ${token}` },
    credentials: "same-origin",
  });
  if (!answer.ok) throw await failure(answer);
  await whoAmI();
}

export async function signOut(): Promise<void> {
  const answer = await fetch("/session", { method: "DELETE", credentials: "same-origin" });
  leave();
  const provider = answer.headers.get("Location"); // where the session began, and is ended too
  if (provider) location.assign(provider);
}

export async function whoAmI(): Promise<void> {
  try {
    me.value = await get<Me>("/me");
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 401)) throw error;
  }
}

/** Builds a query string, leaving out what is empty. */
export function query(values: Record<string, string | number | boolean | null | undefined>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== null && value !== undefined && value !== "" && value !== false) search.set(name, String(value));
  }
  const text = search.toString();
  return text ? `?${text}` : "";
}

type TwinAnswer = Omit<Twin, "alarmList"> & { alarms: Alarm[] | Twin["alarms"] };

/** A twin with all it has; its list of alarms and the counts of its row get names of their own. */
export async function getTwin(id: string, abort?: AbortSignal): Promise<Twin> {
  const answer = await get<TwinAnswer>(`/twins/${encodeURIComponent(id)}`, abort);
  const list = Array.isArray(answer.alarms) ? answer.alarms : [];
  const open = list.filter((alarm) => alarm.isActive || alarm.state === "returned");
  const counts = {
    priority: open.length ? Math.min(...open.map((alarm) => alarm.priority)) : null,
    active: open.filter((alarm) => alarm.isActive).length,
    unacknowledged: open.filter((alarm) => alarm.state === "unacknowledged" || alarm.state === "returned").length,
  };
  return { ...answer, alarms: counts, alarmList: list } as Twin;
}

export function asText(value: Json | undefined): string {
  if (value === null || value === undefined) return "—";
  return typeof value === "string" ? value : JSON.stringify(value);
}
