import { me } from "@/core/api.ts";
import { STEP_WORDS } from "@/core/commands.ts";
import { nameOf } from "@/core/plant.ts";
import { href } from "@/core/router.ts";
import type { Command } from "@/core/types.ts";
import { blockedFrom } from "@/core/writing.ts";
import { Icon } from "@/shell/icon.tsx";
import { ActionButton } from "@/shell/notices.tsx";
import { Left } from "./left.tsx";
import { asked, BAD, cannotApprove, STATE_ICONS, UNSENT, WAITS, waitsFor } from "./words.ts";

export type Act = "approve" | "refuse" | "cancel";

export function CommandLine({ command, isChosen, query, act }: { command: Command; isChosen: boolean; query: Record<string, string>; act: (what: Act, command: Command) => void }) {
  const words = waitsFor(command);
  return (
    <li class={`command-line${isChosen ? " chosen" : ""}${BAD.has(command.state) ? " bad" : ""}${command.isOver ? " over" : ""}`} data-testid="command-line" data-command-id={command.id} data-state={command.state}>
      <Icon name={STATE_ICONS[command.state] ?? "info"} />
      <a class="command-what" href={href("commands", command.id, query)} aria-current={isChosen ? "true" : undefined}>
        <strong class="ellipsis">
          {command.command} {asked(command)}
        </strong>
        <span class="soft ellipsis">
          {nameOf(command.twin)} · {command.who}
        </span>
      </a>
      <span class="command-state">
        <span class="ellipsis">{words || STEP_WORDS[command.state] || command.state}</span>
        <Left command={command} />
      </span>
      <CommandActs command={command} act={act} />
    </li>
  );
}

export function CommandActs({ command, act }: { command: Command; act: (what: Act, command: Command) => void }) {
  const blocked = blockedFrom("commands:send");
  if (command.isOver || !UNSENT.has(command.state)) return <span class="command-acts" />;
  const name = me.value?.name ?? "";
  return (
    <span class="command-acts">
      {WAITS.has(command.state) && (
        <ActionButton class="primary" testId="approve" label={`Approve ${command.command} to ${command.twin}`} blocked={blocked || cannotApprove(command, name)} onAct={() => act("approve", command)}>
          {command.state === "proposed" ? "Take over" : "Approve"}
        </ActionButton>
      )}
      {WAITS.has(command.state) && command.who !== name ? (
        <ActionButton testId="refuse" label={`Refuse ${command.command} to ${command.twin}`} blocked={blocked} onAct={() => act("refuse", command)}>
          Refuse
        </ActionButton>
      ) : (
        <ActionButton testId="cancel" label={`Take back ${command.command} to ${command.twin}`} blocked={blocked} onAct={() => act("cancel", command)}>
          Take back
        </ActionButton>
      )}
    </span>
  );
}
