/** A page in a chunk of its own, loaded when it is first opened. */

import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Failed, Skeleton } from "./notices.tsx";

const loaded = new Map<() => Promise<ComponentType>, ComponentType>();

export function Lazy({ load }: { load: () => Promise<ComponentType> }) {
  const [, redraw] = useState(0);
  const [error, setError] = useState<Error | null>(null);
  const fetchPage = (): void => {
    load()
      .then((page) => {
        loaded.set(load, page);
        setError(null);
        redraw((count) => count + 1);
      })
      .catch((reason: unknown) => setError(reason instanceof Error ? reason : new Error(String(reason))));
  };
  const Page = loaded.get(load);
  useEffect(() => {
    if (!Page) fetchPage();
  }, [load]);
  if (Page) return <Page />;
  return error ? <Failed error={error} what="The page" retry={fetchPage} /> : <Skeleton height="100%" />;
}
