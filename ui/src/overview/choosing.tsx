/** A line of the overview: a click shows its twin on this page, Enter (or a double click) opens what it is about. */

import type { ComponentChildren } from "preact";
import { isKiosk } from "@/core/kiosk.ts";
import { go } from "@/core/router.ts";
import { select } from "./page.tsx";

/** On a wall, where nobody can press it, it only holds the words. */
export function Choosing({ twin, to, children }: { twin: string; to: string; children: ComponentChildren }) {
  if (isKiosk.value) return <div class="choosing">{children}</div>;
  return (
    <button class="choosing" title="Click shows it here, Enter opens it" onClick={() => select(twin)} onDblClick={() => go(to)} onKeyDown={(event) => opensOnEnter(event, to)}>
      {children}
    </button>
  );
}

export function opensOnEnter(event: KeyboardEvent, to: string): void {
  if (event.key !== "Enter" || !to) return;
  event.preventDefault();
  go(to);
}
