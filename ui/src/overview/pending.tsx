/** Commands that wait for a person's word: who asks for what, of which twin, and until when. */

import { commands, waitingCommands } from "@/core/commands.ts";
import { tick } from "@/core/clock.ts";
import { nameOf } from "@/core/plant.ts";
import { href } from "@/core/router.ts";
import { formatClock } from "@/core/words.ts";
import { Left } from "@/commands/left.tsx";
import { asked } from "@/commands/words.ts";

const SHOWN = 3;

export function Pending() {
  void [commands.value, tick.value];
  const waiting = waitingCommands.value;
  if (waiting.length === 0) return null;
  return (
    <section class="panel-section" aria-label="Waiting for a person" data-testid="pending">
      <div class="panel-head">
        <h2 class="grow">Waiting for approval</h2>
        {waiting.length > SHOWN && (
          <a class="link" href={href("commands", "", { show: "awaiting" })}>
            All {waiting.length}
          </a>
        )}
      </div>
      <ul>
        {waiting.slice(0, SHOWN).map((command) => (
          <li key={command.id} class="pending-row" data-testid="pending-row" data-command-id={command.id}>
            <p class="grow">
              <strong>{nameOf(command.twin)}</strong> {command.command} {asked(command)}
              <span class="meta">
                {command.state === "proposed" ? "suggested by" : "asked by"} {command.who} at {formatClock(Date.parse(command.requested))} · <Left command={command} />
              </span>
            </p>
            <a class="button" href={href("commands", command.id)} aria-label={`Review ${command.command} of ${nameOf(command.twin)}`}>
              Review
            </a>
          </li>
        ))}
      </ul>
    </section>
  );
}
