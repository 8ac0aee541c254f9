/** A page in a chunk of its own, loaded when it is first opened. */

import { useEffect, useState } from "preact/hooks";
import type { PageView, Route } from "@/core/routes.ts";
import { Failed, Skeleton } from "./notices.tsx";

const loaded = new Map<Route, PageView>();

export function Lazy({ of, id }: { of: Route; id: string }) {
  const [, redraw] = useState(0);
  const [error, setError] = useState<Error | null>(null);
  const fetchPage = (): void => {
    of
      .load()
      .then((page) => {
        loaded.set(of, page);
        setError(null);
        redraw((count) => count + 1);
      })
      .catch((reason: unknown) => setError(reason instanceof Error ? reason : new Error(String(reason))));
  };
  const Page = loaded.get(of);
  useEffect(() => {
    if (!Page) fetchPage();
  }, [of]);
  if (Page) return <Page id={id} />;
  return error ? <Failed error={error} what="The page" retry={fetchPage} /> : <Skeleton height="100%" />;
}
