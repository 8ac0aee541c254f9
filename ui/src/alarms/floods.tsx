/** Alarms of one cause, group by group: what came first, and how many followed. */

import { groups, lastAlarm } from "@/core/alarms.ts";
import { get } from "@/core/api.ts";
import { tick } from "@/core/clock.ts";
import { useResource } from "@/core/resource.ts";
import { href } from "@/core/router.ts";
import type { AlarmGroup, Page } from "@/core/types.ts";
import { formatMoment } from "@/core/words.ts";
import { Badge } from "@/shell/badge.tsx";
import { Empty, Failed, SkeletonRows } from "@/shell/notices.tsx";

export function Floods() {
  const { data, error, retry } = useResource("alarm groups", (abort) => get<Page<AlarmGroup>>("/alarms/groups?limit=200", abort), lastAlarm.value?.group ?? "");
  if (error && !data) return <Failed error={error} what="The groups" retry={retry} />;
  if (!data) return <SkeletonRows count={4} height={54} />;
  const merged = new Map([...data.value, ...groups.value.values()].map((group) => [group.id, group]));
  const list = [...merged.values()].filter((group) => !group.into).sort((a, b) => b.latest.localeCompare(a.latest));
  if (list.length === 0) {
    return (
      <Empty title="No alarms of one cause">
        <p>Alarms that come together on twins below the same twin are shown here as one group with what was first.</p>
      </Empty>
    );
  }
  return (
    <ul class="alarm-list" aria-label="Groups of alarms, newest first">
      {list.map((group) => (
        <li key={group.id} class="alarm-row wide group" data-testid="alarm-group" data-group-id={group.id}>
          <Badge priority={group.priority} />
          <a class="alarm-open" href={href("alarms", group.causeAlarm ?? group.firstOut, { show: "floods" })}>
            <strong>
              {group.causeName} <span class="alarm-title">{group.causeAlarm ? "is the cause" : "is the common cause, without an alarm itself"}</span>
            </strong>
            <span class="meta ellipsis">first out: {group.firstOutName} · {formatMoment(Date.parse(group.raised), tick.value)}</span>
          </a>
          <span class="alarm-state meta">{group.count} alarms</span>
        </li>
      ))}
    </ul>
  );
}
