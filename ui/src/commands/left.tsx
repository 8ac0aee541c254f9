import { tick } from "@/core/clock.ts";
import type { Command } from "@/core/types.ts";
import { formatClock, parseTime } from "@/core/words.ts";

/** Counts down to the end of what it waits for. */
export function Left({ command }: { command: Command }) {
  if (command.isOver) return <time class="meta">{formatClock(Date.parse(command.requested))}</time>;
  const end = parseTime(command.state === "succeeded" ? (command.confirm?.until ?? null) : command.state === "awaiting" ? (command.approval?.until ?? command.deadline) : command.deadline);
  if (end === null) return null;
  const seconds = Math.max(0, Math.round((end - tick.value) / 1000));
  const words = seconds < 120 ? `${seconds} s` : seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
  return (
    <span class="meta" data-testid="countdown">
      {words} left
    </span>
  );
}
