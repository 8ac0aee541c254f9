/** Everything about one twin, in tabs; the tab is part of the address. */

import { useEffect, useRef } from "preact/hooks";
import { signal } from "@preact/signals";
import { getTwin } from "@/core/api.ts";
import { priorityOfTwin } from "@/core/alarms.ts";
import { useResource } from "@/core/resource.ts";
import { href, place, setSearch } from "@/core/router.ts";
import type { Twin } from "@/core/types.ts";
import { plural } from "@/core/words.ts";
import { useTwins } from "@/live/client.ts";
import { Badge } from "@/shell/badge.tsx";
import { Failed, SkeletonRows } from "@/shell/notices.tsx";
import { AlarmsTab, CommandsTab, RawTab, RelationsTab } from "./tabs.tsx";
import { ChangesTab } from "./changes.tsx";
import { ModelTab } from "./model.tsx";
import { MaintenanceTab } from "./maintenance.tsx";
import { StateTab } from "./state.tsx";
import { StatusWord } from "./status-word.tsx";
import { WhyTab } from "./why.tsx";
import { TrendsTab } from "./trends.tsx";
import { CommandButton } from "./command.tsx";
import { SharingButtons } from "@/field/sharing.tsx";
import { ExportButton } from "./export.tsx";
import { byUse } from "./form.ts";

const TABS = [
  ["state", "State"],
  ["why", "Why"],
  ["trends", "Trends"],
  ["relations", "Relations"],
  ["alarms", "Alarms"],
  ["maintenance", "Maintenance"],
  ["model", "Model and fidelity"],
  ["commands", "Commands"],
  ["changes", "Changes"],
  ["raw", "Raw JSON"],
] as const;
type TabName = (typeof TABS)[number][0];

/** Grows when this page changed a twin, so that what is shown is fetched again. */
export const changed = signal(0);

export function Faceplate({ id }: { id: string }) {
  const { data, error, retry } = useResource(`twin ${id}`, (abort) => getTwin(id, abort), changed.value);
  useTwins([id]);
  const asked = place.value.search.get("tab");
  const tab: TabName = TABS.find(([name]) => name === asked)?.[0] ?? "state";
  const tabs = useRef<HTMLDivElement>(null);
  const isThere = data !== undefined;
  useEffect(() => {
    const [box, chosen] = [tabs.current, tabs.current?.querySelector<HTMLElement>("[aria-selected=true]")];
    if (box && chosen) box.scrollLeft += chosen.getBoundingClientRect().left - box.getBoundingClientRect().left - (box.clientWidth - chosen.offsetWidth) / 2;
  }, [tab, isThere]);
  if (error && !data) {
    return error.status === 404 ? (
      <div class="notice">
        <h3>There is no twin called {id}</h3>
        <p>It may have been removed or renamed. Ctrl K finds twins by name.</p>
      </div>
    ) : (
      <Failed error={error} what={`Twin ${id}`} retry={retry} />
    );
  }
  if (!data) return <SkeletonRows count={8} />;
  return (
    <article class="faceplate" data-testid="faceplate" data-twin-id={id} aria-label={data.name || id}>
      <Head twin={data} />
      <div class="tabs" ref={tabs} role="tablist" aria-label="Parts of the twin" onKeyDown={(event) => moveTab(event)}>
        {TABS.map(([name, words]) => (
          <button key={name} id={`tab-${name}`} role="tab" aria-selected={tab === name} aria-controls="tab-panel" tabIndex={tab === name ? 0 : -1} data-testid={`tab-${name}`} onClick={() => setSearch({ tab: name === "state" ? null : name })}>
            {words}
            {name === "alarms" && data.alarmList.some((alarm) => alarm.state !== "normal") && <span class="tab-count">{data.alarmList.filter((alarm) => alarm.state !== "normal").length}</span>}
          </button>
        ))}
      </div>
      <div id="tab-panel" class="tab-panel" role="tabpanel" aria-labelledby={`tab-${tab}`} tabIndex={0}>
        <Tab name={tab} twin={data} />
      </div>
    </article>
  );
}

function Tab({ name, twin }: { name: TabName; twin: Twin }) {
  if (name === "state") return <StateTab twin={twin} />;
  if (name === "why") return <WhyTab twin={twin} />;
  if (name === "trends") return <TrendsTab twin={twin} />;
  if (name === "relations") return <RelationsTab twin={twin} />;
  if (name === "alarms") return <AlarmsTab twin={twin} />;
  if (name === "maintenance") return <MaintenanceTab twin={twin} />;
  if (name === "model") return <ModelTab twin={twin} />;
  if (name === "commands") return <CommandsTab twin={twin} />;
  if (name === "changes") return <ChangesTab twin={twin} />;
  return <RawTab twin={twin} />;
}

function Head({ twin }: { twin: Twin }) {
  const priority = priorityOfTwin.value.get(twin.id);
  return (
    <div class="page-head">
      {priority !== undefined && (
        <a href={href("twins", twin.id, { tab: "why" })} aria-label={`Why is it shown as priority ${priority}?`} title="Why?" data-testid="why-link">
          <Badge priority={priority} label={false} />
        </a>
      )}
      <h1 class="ellipsis">{twin.name || twin.id}</h1>
      <span class="meta ellipsis">
        {twin.id} · {twin.modelName}
        {twin.rejects > 0 ? ` · ${plural(twin.rejects, "rejected reading")}` : ""}
      </span>
      <StatusWord id={twin.id} status={twin.status} />
      <span class="push row">
        <SharingButtons twin={twin} />
        <ExportButton twin={twin} />
        {byUse(twin.commands).slice(0, 1).map((command) => (
          <CommandButton key={command.name} twin={twin} command={command} isPrimary />
        ))}
      </span>
    </div>
  );
}

function moveTab(event: KeyboardEvent): void {
  const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
  if (!step) return;
  const tabs = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>("[role=tab]")];
  const next = tabs[(tabs.indexOf(document.activeElement as HTMLElement) + step + tabs.length) % tabs.length];
  next?.focus();
  next?.click();
  event.preventDefault();
}
