/** Something fetched: shows old data while it is renewed, fails alone, drops late answers. */

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "./api.ts";
import { refetches } from "@/live/client.ts";

export interface Resource<T> {
  data: T | undefined;
  error: ApiError | null;
  isLoading: boolean;
  retry: () => void;
}

/**
 * Fetches when `key` changes, after a reconnect and on retry; null asks for nothing.
 * An answer for an earlier key is never shown for a later one.
 */
export function useResource<T>(key: string | null, fetcher: (abort: AbortSignal) => Promise<T>, also: unknown = 0): Resource<T> {
  const [state, setState] = useState<{ key: string | null; data?: T; error: ApiError | null; isLoading: boolean }>({ key, error: null, isLoading: key !== null });
  const [attempt, setAttempt] = useState(0);
  const latest = useRef(fetcher);
  latest.current = fetcher;
  const epoch = refetches.value;

  useEffect(() => {
    if (key === null) return undefined;
    const abort = new AbortController();
    setState((old) => (old.key === key ? { ...old, isLoading: true } : { key, error: null, isLoading: true }));
    latest
      .current(abort.signal)
      .then((data) => {
        if (!abort.signal.aborted) setState({ key, data, error: null, isLoading: false });
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
  return { data: isCurrent ? state.data : undefined, error: isCurrent ? state.error : null, isLoading: !isCurrent || state.isLoading, retry };
}
