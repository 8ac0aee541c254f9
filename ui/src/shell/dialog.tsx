/** A modal layer: keeps the focus inside, gives it back on close, Esc closes. */

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { useModal } from "@/core/keys.ts";
import { Icon } from "./icon.tsx";

/** What had the focus last outside of dialogs: what is made inert may have lost it before the dialog can ask. */
let lastOutside: HTMLElement | null = null;
document.addEventListener("focusin", ({ target }) => {
  if (target instanceof HTMLElement && !target.closest("[role=dialog]")) lastOutside = target;
});

interface Props {
  title: string;
  close: () => void;
  children: ComponentChildren;
  foot?: ComponentChildren;
  isBare?: boolean;
  /** A sheet stands at the lower edge of a narrow window, where the thumb is; `wide` has room for a form beside its parts. */
  kind?: "sheet" | "wide";
  testId?: string;
}

export function Dialog({ title, close, children, foot, isBare = false, testId, kind }: Props) {
  const box = useRef<HTMLDivElement>(null);
  useModal(close);
  useLayoutEffect(() => {
    const active = document.activeElement as HTMLElement | null;
    const before = active && active !== document.body ? active : lastOutside;
    const find = (selector: string): HTMLElement | null | undefined => box.current?.querySelector<HTMLElement>(selector);
    ((kind === "wide" ? find("nav [aria-current]") : null) ?? find("input, select, textarea") ?? (kind === "sheet" ? find(".dialog-body a") : null) ?? find(".dialog-foot .primary, .dialog-body button") ?? find("button"))?.focus();
    // Afterwards: until then what is below the layer may still be inert, and take no focus.
    return () =>
      queueMicrotask(() => {
        if (!document.activeElement || document.activeElement === document.body) before?.focus?.();
      });
  }, []);
  return (
    <div class={isBare ? "layer" : `layer middle ${kind ?? ""}`} onMouseDown={(event) => event.target === event.currentTarget && close()}>
      <div ref={box} class={isBare ? "dialog palette" : "dialog"} role="dialog" aria-modal="true" aria-label={title} data-testid={testId} onKeyDown={(event) => keepInside(event, box.current)}>
        {isBare ? (
          children
        ) : (
          <>
            <div class="dialog-head">
              <h2>{title}</h2>
              <button class="button quiet square" aria-label="Close" onClick={close}>
                <Icon name="close" />
              </button>
            </div>
            <div class="dialog-body">{children}</div>
            {foot && <div class="dialog-foot">{foot}</div>}
          </>
        )}
      </div>
    </div>
  );
}

function keepInside(event: KeyboardEvent, box: HTMLElement | null): void {
  if (event.key !== "Tab" || !box) return;
  const inside = [...box.querySelectorAll<HTMLElement>("a[href], button, input, select, textarea, [tabindex='0']")].filter((one) => one.offsetParent !== null);
  const first = inside[0];
  const last = inside[inside.length - 1];
  if (!first || !last) return;
  if (event.shiftKey && document.activeElement === first) {
    event.preventDefault();
    last.focus();
  } else if (!event.shiftKey && document.activeElement === last) {
    event.preventDefault();
    first.focus();
  }
}
