import { PRIORITY_WORDS } from "@/core/words.ts";
import type { Alarm } from "@/core/types.ts";

const SHAPES: Record<number, string> = {
  1: "M1.5 1.5h13v13h-13z",
  2: "M8 1.6 15 14.4H1z",
  3: "M1 1.6h14L8 14.4z",
};
const BASELINE: Record<number, number> = { 1: 11.4, 2: 13, 3: 9.6, 4: 11.4 };

/** Priority is shape, number and colour; an outline says that the condition is over. */
export function Badge({ priority, outline = false, label = true }: { priority: number; outline?: boolean; label?: boolean }) {
  const path = SHAPES[priority];
  return (
    <span class={`badge p${priority}${outline ? " outline" : ""}`} role={label ? "img" : undefined} aria-label={label ? `Priority ${priority}, ${PRIORITY_WORDS[priority] ?? ""}` : undefined} aria-hidden={label ? undefined : true}>
      <svg viewBox="0 0 16 16" focusable="false" aria-hidden="true">
        {path ? <path class="shape" d={path} /> : <circle class="shape" cx="8" cy="8" r="7" />}
        <text x="8" y={BASELINE[priority] ?? 11.4}>
          {priority}
        </text>
      </svg>
    </span>
  );
}

export const STATE_WORDS: Record<Alarm["state"], string> = {
  unacknowledged: "Unacknowledged",
  acknowledged: "Acknowledged",
  returned: "Back to normal, not acknowledged",
  normal: "Over",
  shelved: "Shelved",
  suppressed: "Suppressed by design",
  "out-of-service": "Out of service",
};
