/** A long list that the server sorts, fetched in pages as it is looked at, in any order. */

import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, get, onLeave, query } from "@/core/api.ts";
import type { Page, TwinRow } from "@/core/types.ts";
import { refetches } from "@/live/client.ts";

export const PAGE = 200;
const MOST_PAGES = 60;

export type Asked = Record<string, string | boolean | null>;

export const fetchPage = (asked: Asked, offset: number, abort?: AbortSignal): Promise<Page<TwinRow>> => get<Page<TwinRow>>(`/twins${query({ ...asked, limit: PAGE, offset: offset || null })}`, abort);

interface State {
  key: string;
  total: number | null;
  pages: Map<number, TwinRow[]>;
  error: ApiError | null;
}

/** The last lists, for the way back and for when the server is away. */
const kept = new Map<string, State>();
onLeave.add(() => kept.clear());

function first(key: string): State {
  return kept.get(key) ?? { key, total: null, pages: new Map(), error: null };
}

export interface SparseRows {
  /** Names the question. */
  key: string;
  total: number | null;
  error: ApiError | null;
  rowAt: (index: number) => TwinRow | undefined;
  /** Says which rows are on the screen. */
  look: (from: number, to: number) => void;
  retry: () => void;
}

/** Rows of one question; a new question drops late answers to the old one. */
export function useRows(asked: Asked): SparseRows {
  const key = query(asked);
  const [state, setState] = useState(() => first(key));
  const [attempt, setAttempt] = useState(0);
  const abort = useRef(new AbortController());
  const fresh = useRef(new Set<number>());
  const looked = useRef({ key, from: 0, to: 0 });
  const epoch = refetches.value;

  const load = async (number: number): Promise<void> => {
    if (fresh.current.has(number)) return;
    fresh.current.add(number);
    const { signal } = abort.current;
    try {
      const page = await fetchPage(asked, number * PAGE, signal);
      if (signal.aborted) return;
      setState((old) => {
        const next = { key, total: page.total, pages: including(old.key === key ? old.pages : first(key).pages, number, page.value), error: null };
        keep(next);
        return next;
      });
    } catch (error) {
      fresh.current.delete(number);
      if (!signal.aborted) setState((old) => ({ ...old, key, error: error instanceof ApiError ? error : new ApiError(0, "PageError", String(error)) }));
    }
  };
  const look = (from: number, to: number): void => {
    looked.current = { key, from, to };
    for (let number = Math.floor(from / PAGE); number <= Math.floor(to / PAGE); number++) void load(number);
  };
  useEffect(() => {
    abort.current = new AbortController();
    fresh.current = new Set();
    setState((old) => (old.key === key ? old : first(key)));
    if (looked.current.key !== key) looked.current = { key, from: 0, to: 0 };
    void load(0);
    look(looked.current.from, looked.current.to); // what was under way is asked for again
    return () => abort.current.abort();
  }, [key, epoch, attempt]);

  const now = state.key === key ? state : first(key);
  return {
    key,
    total: now.total,
    error: now.error,
    rowAt: (index) => now.pages.get(Math.floor(index / PAGE))?.[index % PAGE],
    look,
    retry: () => setAttempt((count) => count + 1),
  };
}

/** With one page more, the oldest left out when they are many. */
function including(pages: Map<number, TwinRow[]>, number: number, rows: TwinRow[]): Map<number, TwinRow[]> {
  const next = new Map(pages);
  next.delete(number);
  next.set(number, rows);
  if (next.size > MOST_PAGES) next.delete(next.keys().next().value!);
  return next;
}

function keep(state: State): void {
  kept.delete(state.key);
  kept.set(state.key, state);
  if (kept.size > 12) kept.delete(kept.keys().next().value!);
}
