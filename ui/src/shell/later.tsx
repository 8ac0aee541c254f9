/** What the first look does without: it is loaded behind it, and takes its place when it is there. */

import type { FunctionComponent } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Failed } from "./notices.tsx";

export function Later<P extends object>({ load, ...props }: P & { load: () => Promise<FunctionComponent<P>> }) {
  const [found, setFound] = useState<{ Shown?: FunctionComponent<P>; error?: Error }>({});
  const fetchPart = (): void => {
    load().then(
      (Shown) => setFound({ Shown }),
      (error: Error) => setFound({ error }),
    );
  };
  useEffect(fetchPart, []);
  if (found.Shown) return <found.Shown {...(props as unknown as P)} />;
  return found.error ? <Failed error={found.error} what="A part of the page" retry={fetchPart} /> : null;
}
