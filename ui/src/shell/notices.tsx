/** What a panel shows when it has nothing, waits, or failed alone. */

import { ApiError } from "@/core/api.ts";
import { href } from "@/core/router.ts";
import { Icon } from "./icon.tsx";
import type { ComponentChildren } from "preact";

const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);

export function Failed({ error, retry, what }: { error: Error; retry?: () => void; what: string }) {
  const known = error instanceof ApiError ? error : null;
  return (
    <div class="notice" role="alert">
      <h3>{what} could not be loaded</h3>
      <p>
        {sentence(error.message)} {known?.hint ? sentence(known.hint) : ""}
      </p>
      {known?.request && <p class="meta">Request {known.request}</p>}
      {retry && (
        <button class="button" onClick={retry}>
          <Icon name="retry" small /> Retry
        </button>
      )}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="notice">
      <h3>{title}</h3>
      {children}
    </div>
  );
}

/** A new server: what brings the first twins. */
export function NoTwins() {
  return (
    <Empty title="There are no twins yet">
      <p>Send telemetry to devices/&lt;name&gt;/telemetry and adopt what is found, or load a plant with gemel import.</p>
      <a class="button primary" href={href("overview", "", { setup: "new" })}>
        Set up the first twin
      </a>
    </Empty>
  );
}

export function Skeleton({ width, height }: { width?: number | string; height: number | string }) {
  return <div class="skeleton" style={{ width: width ?? "100%", height }} aria-hidden="true" />;
}

export function SkeletonRows({ count, height = 34 }: { count: number; height?: number }) {
  return (
    <div class="stack" role="status" aria-label="Loading" style={{ padding: "8px 16px" }}>
      {Array.from({ length: count }, (_all, i) => (
        <Skeleton key={i} height={height - 8} />
      ))}
    </div>
  );
}

/** A button that writes: when it cannot, it stays reachable and says why. */
export function ActionButton(props: { onAct: () => void; blocked: string; children: ComponentChildren; class?: string; testId?: string; label?: string; data?: Record<string, string>; type?: "button" | "submit" }) {
  const { onAct, blocked, children, testId, label } = props;
  return (
    <button type={props.type} class={`button ${props.class ?? ""}`} aria-disabled={blocked ? "true" : undefined} title={blocked || undefined} aria-label={blocked && label ? `${label}: ${blocked}` : label} data-testid={testId} {...props.data} onClick={(event) => {
        event.stopPropagation();
        if (!blocked) onAct();
      }}
    >
      {children}
    </button>
  );
}
