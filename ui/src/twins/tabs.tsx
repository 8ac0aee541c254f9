/** The smaller tabs of a twin: relations, alarms, commands, raw JSON. */

import { useState } from "preact/hooks";
import { byUrgency, heldBack, openAlarms } from "@/core/alarms.ts";
import { get } from "@/core/api.ts";
import { commandsOf, loadCommands, STEP_WORDS } from "@/core/commands.ts";
import { tick } from "@/core/clock.ts";
import { useResource } from "@/core/resource.ts";
import { href } from "@/core/router.ts";
import { toast } from "@/core/toasts.ts";
import type { Alarm, Json, Page, Relationship, Twin } from "@/core/types.ts";
import { formatMoment } from "@/core/words.ts";
import { AlarmLine } from "@/alarms/line.tsx";
import { Empty, Failed, SkeletonRows } from "@/shell/notices.tsx";
import { Icon } from "@/shell/icon.tsx";
import { CommandButton, Life } from "./command.tsx";
import { byUse } from "./form.ts";

export function RelationsTab({ twin }: { twin: Twin }) {
  const groups: [string, "in" | "out"][] = [
    ["Goes out to", "out"],
    ["Comes in from", "in"],
  ];
  if (twin.relationships.length === 0) return <Empty title="This twin has no relationships" />;
  return (
    <div class="relations">
      <p class="relations-graph">
        <a class="button" href={href("twins", "", { view: "graph", around: twin.id, hops: "2" })} data-testid="as-graph">
          <Icon name="nodes" small /> Show as a graph
        </a>
      </p>
      {groups.map(([title, direction]) => {
        const list = twin.relationships.filter((one) => one.direction === direction);
        return (
          <section key={direction}>
            <h2>
              {title} <span class="muted">{list.length}</span>
            </h2>
            {list.length === 0 ? <p class="muted">None</p> : <ul>{list.map((one) => <Relation key={one.id + one.twin} one={one} />)}</ul>}
          </section>
        );
      })}
    </div>
  );
}

function Relation({ one }: { one: Relationship }) {
  return (
    <li>
      <a class="relation" href={href("twins", one.twin, { tab: "relations" })}>
        <Icon name={one.direction === "out" ? "link" : "incoming"} small />
        <span class="tag">{one.name}</span>
        <span class="ellipsis">{one.twinName || one.twin}</span>
        <span class="muted ellipsis">{one.twin}</span>
      </a>
    </li>
  );
}

export function AlarmsTab({ twin }: { twin: Twin }) {
  const { data, error, retry } = useResource(`alarms of ${twin.id}`, (abort) => get<Page<Alarm>>(`/alarms?state=all&twin=${encodeURIComponent(twin.id)}&limit=200`, abort));
  if (error && !data) return <Failed error={error} what="The alarms" retry={retry} />;
  if (!data) return <SkeletonRows count={4} height={54} />;
  const live = [...openAlarms.value.values(), ...heldBack.value.values()].filter((alarm) => alarm.twin === twin.id);
  const merged = new Map([...data.value, ...live].map((alarm) => [alarm.id, alarm]));
  if (merged.size === 0) return <Empty title="This twin has never had an alarm" />;
  return (
    <ul class="alarm-list plain">
      {[...merged.values()].sort(byUrgency).map((alarm) => (
        <AlarmLine key={alarm.id} alarm={alarm} isLink />
      ))}
    </ul>
  );
}

export function CommandsTab({ twin }: { twin: Twin }) {
  const { error, isLoading, retry } = useResource(`commands of ${twin.id}`, (abort) => loadCommands(twin.id, abort));
  const [open, setOpen] = useState("");
  const list = commandsOf(twin.id);
  return (
    <div class="stack" style={{ gap: "16px" }}>
      <div class="row" style={{ flexWrap: "wrap" }}>
        {twin.commands.length === 0 && <p class="soft">The model of this twin has no commands.</p>}
        {byUse(twin.commands).map((command) => (
          <CommandButton key={command.name} twin={twin} command={command} />
        ))}
      </div>
      {error && <Failed error={error} what="The commands" retry={retry} />}
      {isLoading && list.length === 0 && !error && <SkeletonRows count={3} />}
      {!isLoading && list.length === 0 && !error && <p class="muted">No command has been sent to this twin.</p>}
      <ul class="command-list">
        {list.map((command) => (
          <li key={command.id} data-testid="command-row" data-command-id={command.id} data-state={command.state}>
            <button class="command-row" aria-expanded={open === command.id} onClick={() => setOpen(open === command.id ? "" : command.id)}>
              <Icon name={open === command.id ? "down" : "chevron"} small />
              <strong>{twin.commands.find((one) => one.name === command.command)?.displayName || command.command}</strong>
              <span class="soft ellipsis">{command.arguments === null ? "" : JSON.stringify(command.arguments)}</span>
              <span class="push tag">{STEP_WORDS[command.state] ?? command.state}</span>
              <span class="meta">{command.who}</span>
              <time class="meta" dateTime={command.requested}>
                {formatMoment(Date.parse(command.requested), tick.value)}
              </time>
            </button>
            {open === command.id && <Life command={command} />}
          </li>
        ))}
      </ul>
    </div>
  );
}

export function RawTab({ twin }: { twin: Twin }) {
  const { data, error, retry } = useResource(`raw ${twin.id}`, (abort) => get<Json>(`/digitaltwins/${encodeURIComponent(twin.id)}`, abort));
  if (error && !data) return <Failed error={error} what="The document" retry={retry} />;
  if (!data) return <SkeletonRows count={8} height={24} />;
  const text = JSON.stringify(data, null, 2);
  const copy = (): void => {
    navigator.clipboard?.writeText(text).then(
      () => toast("Copied"),
      () => toast("The browser did not allow copying", true),
    );
  };
  return (
    <div class="stack">
      <div class="row">
        <span class="meta grow">As GET /digitaltwins/{twin.id} answers</span>
        <button class="button" onClick={copy}>
          <Icon name="copy" small /> Copy
        </button>
      </div>
      <pre class="raw" tabIndex={0} data-testid="raw-json">
        {text}
      </pre>
    </div>
  );
}
