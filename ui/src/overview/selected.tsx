import { getTwin } from "@/core/api.ts";
import { useResource } from "@/core/resource.ts";
import { href } from "@/core/router.ts";
import type { Property, Twin } from "@/core/types.ts";
import { useTwins } from "@/live/client.ts";
import { Failed, SkeletonRows } from "@/shell/notices.tsx";
import { Icon } from "@/shell/icon.tsx";
import { Value } from "@/shell/value.tsx";
import { CommandButton } from "@/twins/command.tsx";
import { byUse } from "@/twins/form.ts";
import { StatusWord } from "@/twins/status-word.tsx";
import { select } from "./page.tsx";

const SHOWN = 7;

export function SelectedTwin({ id, isChosen }: { id: string; isChosen: boolean }) {
  const { data, error, retry } = useResource(`twin ${id}`, (abort) => getTwin(id, abort));
  useTwins([id]);
  if (error && !data) return <Failed error={error} what={`Twin ${id}`} retry={retry} />;
  if (!data) return <SkeletonRows count={5} height={28} />;
  return (
    <section class="panel-section selected" data-testid="selected-twin" data-twin-id={id}>
      <div class="panel-head">
        <h2 class="ellipsis">
          <a class="selected-name" href={href("twins", id)}>
            {data.name || id}
          </a>
        </h2>
        <span class="meta grow ellipsis">{data.modelName}</span>
        <StatusWord id={id} status={data.status} />
        {isChosen && (
          <button class="button quiet square" aria-label="Clear the selection" onClick={() => select(null)}>
            <Icon name="close" small />
          </button>
        )}
      </div>
      <dl class="facts">
        {ranked(data).map((property) => (
          <div class="fact" key={property.path}>
            <dt class="ellipsis">{property.displayName || property.name}</dt>
            <dd>
              <Value twin={id} property={property} />
            </dd>
          </div>
        ))}
      </dl>
      {data.properties.length === 0 && <p class="notice">This {data.modelName || "twin"} has no values of its own.</p>}
      <div class="selected-actions">
        {byUse(data.commands).slice(0, 2).map((command, i) => (
          <CommandButton key={command.name} twin={data} command={command} isPrimary={i === 0} />
        ))}
        <a class="button" href={href("twins", id)}>
          Open
        </a>
      </div>
    </section>
  );
}

/** What an alarm is about first, then telemetry, then the rest. */
function ranked(twin: Twin): Property[] {
  const urgent = new Set(twin.alarmList.filter((alarm) => alarm.isActive).map((alarm) => alarm.property));
  const rank = (property: Property): number => (urgent.has(property.path) ? 0 : property.kind === "telemetry" ? 1 : 2);
  const telling = twin.properties.filter((property) => property.path !== "name" && (property.kind === "telemetry" || property.value !== null));
  return telling.sort((a, b) => rank(a) - rank(b)).slice(0, SHOWN);
}
