/** Something fetched: shows old data while it is renewed, fails alone, drops late answers. */

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ApiError, onLeave } from "./api.ts";
import { forgetAll } from "./offline.ts";
import { refetches } from "@/live/client.ts";

export interface Resource<T> {
  data: T | undefined;
  error: ApiError | null;
  isLoading: boolean;
  retry: () => void;
}

interface State<T> {
  key: string | null;
  data: T | undefined;
  error: ApiError | null;
  isLoading: boolean;
}

function first<T>(key: string | null): State<T> {
  return { key, data: key === null ? undefined : (kept.get(key) as T | undefined), error: null, isLoading: key !== null };
}

const KEPT = 60;
/** The last answers by key: shown at once on return, and while the server cannot be reached. */
const kept = new Map<string, unknown>();

function keep(key: string, data: unknown): void {
  kept.delete(key);
  kept.set(key, data);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value!);
}

onLeave.add(() => kept.clear());
onLeave.add(() => void forgetAll());

/**
 * Fetches when `key` changes, after a reconnect and on retry; null asks for nothing.
 * An answer for an earlier key is never shown for a later one.
 */
export function useResource<T>(key: string | null, fetcher: (abort: AbortSignal) => Promise<T>, also: unknown = 0): Resource<T> {
  const [state, setState] = useState<State<T>>(() => first<T>(key));
  const [attempt, setAttempt] = useState(0);
  const latest = useRef(fetcher);
  latest.current = fetcher;
  const epoch = refetches.value;

  useEffect(() => {
    if (key === null) return undefined;
    const abort = new AbortController();
    setState((old) => (old.key === key ? { ...old, isLoading: true } : first<T>(key)));
    latest
      .current(abort.signal)
      .then((data) => {
        if (abort.signal.aborted) return;
        keep(key, data);
        setState({ key, data, error: null, isLoading: false });
      })
      .catch((error: unknown) => {
        if (abort.signal.aborted) return;
        const known = error instanceof ApiError ? error : new ApiError(0, "PageError", error instanceof Error ? error.message : String(error));
        setState((old) => ({ ...old, key, error: known, isLoading: false }));
      });
    return () => abort.abort();
  }, [key, attempt, epoch, also]);

  const retry = useCallback(() => setAttempt((count) => count + 1), []);
  const isCurrent = state.key === key;
  const data = isCurrent ? state.data : key === null ? undefined : (kept.get(key) as T | undefined);
  return { data, error: isCurrent ? state.error : null, isLoading: !isCurrent || state.isLoading, retry };
}
