import { rows } from "@/core/plant.ts";
import type { TwinStatus } from "@/core/types.ts";
import { Icon } from "@/shell/icon.tsx";

const WORDS: Record<TwinStatus, string> = { live: "Live", stale: "Stale", offline: "Offline", never: "No data yet" };

/** Never a colour: live is filled, everything else an outline or an icon with a word. */
export function StatusWord({ id, status }: { id: string; status: TwinStatus }) {
  const now = rows.value.get(id)?.status ?? status;
  return (
    <span class={`status-word ${now}`} data-status={now}>
      {now === "stale" ? <Icon name="clock" small /> : now === "offline" ? <Icon name="offline" small /> : <span class={`dot ${now}`} />}
      {WORDS[now] ?? now}
    </span>
  );
}
