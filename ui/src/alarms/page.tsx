import { useEffect, useMemo, useState } from "preact/hooks";
import { alarmsError, alarmsLoaded, byUrgency, counts, lastAlarm, loadAlarms, needsAck, openAlarms } from "@/core/alarms.ts";
import { get } from "@/core/api.ts";
import { isTyping, singleKeys, useKeys } from "@/core/keys.ts";
import { nameOf } from "@/core/plant.ts";
import { useResource } from "@/core/resource.ts";
import { go, href, place, setSearch } from "@/core/router.ts";
import type { Alarm, Page } from "@/core/types.ts";
import { PRIORITY_WORDS } from "@/core/words.ts";
import { blockedFrom } from "@/core/writing.ts";
import { Badge } from "@/shell/badge.tsx";
import { Empty, Failed, SkeletonRows } from "@/shell/notices.tsx";
import { Icon } from "@/shell/icon.tsx";
import { CommentDialog } from "./comment.tsx";
import { AlarmDetail } from "./detail.tsx";
import { AlarmLine } from "./line.tsx";

const MOST = 500;

export function AlarmsPage({ id }: { id: string }) {
  const search = place.value.search;
  const isAll = search.get("show") === "all";
  const priority = Number(search.get("priority")) || 0;
  const twin = search.get("twin") ?? "";
  const [dialog, setDialog] = useState<"none" | "acknowledge" | "comment">("none");
  const past = useResource(isAll ? `alarms all ${twin}` : null, (abort) => get<Page<Alarm>>(`/alarms?state=all&limit=${MOST}${twin ? `&twin=${encodeURIComponent(twin)}` : ""}`, abort), lastAlarm.value?.state === "normal" ? lastAlarm.value.id : "");
  const list = useMemo(() => {
    const merged = new Map([...(isAll ? (past.data?.value ?? []) : []), ...openAlarms.value.values()].map((alarm) => [alarm.id, alarm]));
    const shown = [...merged.values()].filter((alarm) => (!priority || alarm.priority === priority) && (!twin || alarm.twin === twin));
    return shown.sort(isAll ? (a, b) => b.raised.localeCompare(a.raised) : byUrgency);
  }, [openAlarms.value, past.data, isAll, priority, twin]);
  const keep = Object.fromEntries(search.entries());
  const over = lastAlarm.value;
  const chosen = list.find((alarm) => alarm.id === id) ?? (over?.id === id ? over : undefined);
  useListKeys(list, id, keep, setDialog);
  useEffect(() => {
    if (!id) return;
    const isNarrow = matchMedia("(max-width: 1023px)").matches;
    const shown = isNarrow ? document.querySelector(".alarms .panel") : document.querySelector(`.alarm-list [data-alarm-id="${CSS.escape(id)}"]`);
    shown?.scrollIntoView({ block: "nearest" });
  }, [id]);
  const isLoaded = isAll ? past.data !== undefined : alarmsLoaded.value;
  const error = isAll ? past.error : alarmsError.value;
  return (
    <div class={`with-panel alarms${id ? " has-detail" : ""}`}>
      <section class="alarm-main" aria-label="Alarms">
        <div class="page-head">
          <h1>Alarms</h1>
          <span class="meta">
            {counts.value.total} open, {counts.value.unacknowledged} not acknowledged
          </span>
          <span class="meta push keys-hint">
            <kbd>j</kbd> <kbd>k</kbd> move <kbd>a</kbd> acknowledge <kbd>c</kbd> comment
          </span>
        </div>
        <Filters isAll={isAll} priority={priority} twin={twin} />
        {error && !isLoaded && <Failed error={error} what="The alarms" retry={() => (isAll ? past.retry() : void loadAlarms())} />}
        {!isLoaded && !error && <SkeletonRows count={6} height={54} />}
        {isLoaded && list.length === 0 && (
          <Empty title={priority || twin ? "No alarm matches" : isAll ? "There has never been an alarm" : "No open alarms"}>
            {priority || twin ? (
              <button class="button" onClick={() => go(href("alarms"))}>
                Clear the filters
              </button>
            ) : (
              <p>Everything that is watched runs inside its limits.</p>
            )}
          </Empty>
        )}
        <ul class="alarm-list" aria-label={isAll ? "All alarms, newest first" : "Open alarms, most urgent first"}>
          {list.slice(0, MOST).map((alarm) => (
            <AlarmLine key={alarm.id} alarm={alarm} isChosen={alarm.id === id} query={keep} />
          ))}
        </ul>
        {list.length > MOST && <p class="notice">The first {MOST} are shown; filter by twin or priority to see the others.</p>}
      </section>
      <aside class="panel" aria-label="Details of the alarm">
        {chosen ? <AlarmDetail alarm={chosen} open={setDialog} close={() => go(href("alarms", "", keep))} /> : id && isLoaded ? <Missing id={id} /> : <p class="notice">Choose an alarm to see its trend, its limit and what was said about it.</p>}
      </aside>
      {dialog !== "none" && chosen && <CommentDialog alarm={chosen} isAcknowledging={dialog === "acknowledge"} close={() => setDialog("none")} />}
    </div>
  );
}

function Missing({ id }: { id: string }) {
  return (
    <div class="notice">
      <h3>{id} is not in this list</h3>
      <p>It may be over, or hidden by the filters.</p>
      <a class="button" href={href("alarms", id, { show: "all" })}>
        Look in all alarms
      </a>
    </div>
  );
}

function Filters({ isAll, priority, twin }: { isAll: boolean; priority: number; twin: string }) {
  return (
    <div class="filters">
      <div class="segments" role="group" aria-label="Which alarms">
        <button aria-pressed={!isAll} data-testid="alarms-active" onClick={() => setSearch({ show: null })}>
          Open
        </button>
        <button aria-pressed={isAll} data-testid="alarms-all" onClick={() => setSearch({ show: "all" })}>
          All
        </button>
      </div>
      <div class="row" role="group" aria-label="Priority" style={{ gap: "4px" }}>
        {[1, 2, 3, 4].map((one) => (
          <button key={one} class="button" aria-pressed={priority === one} onClick={() => setSearch({ priority: priority === one ? null : String(one) })}>
            <Badge priority={one} label={false} /> {counts.value.byPriority[one] ?? 0}
            <span class="visually-hidden"> open of priority {one}, {PRIORITY_WORDS[one]}</span>
          </button>
        ))}
      </div>
      {twin && (
        <button class="button" onClick={() => setSearch({ twin: null })} aria-label={`Filter: ${nameOf(twin)}. Remove`}>
          {nameOf(twin)} <Icon name="close" small />
        </button>
      )}
    </div>
  );
}

function useListKeys(list: Alarm[], id: string, keep: Record<string, string>, open: (dialog: "acknowledge" | "comment") => void): void {
  useKeys((event) => {
    if (isTyping(event) || !singleKeys.value || event.ctrlKey || event.metaKey || event.altKey) return false;
    const at = list.findIndex((alarm) => alarm.id === id);
    const alarm = list[at];
    const move = (to: number): boolean => {
      const next = list[Math.max(0, Math.min(list.length - 1, to))];
      if (next) go(href("alarms", next.id, keep), { replace: at >= 0 });
      return true;
    };
    if (event.key === "j") return move(at + 1);
    if (event.key === "k") return move(at < 0 ? 0 : at - 1);
    if (event.key === "Escape" && id) return go(href("alarms", "", keep)), true;
    if (!alarm) return false;
    if (event.key === "Enter" && !(event.target as HTMLElement).closest("a, button")) {
      document.querySelector<HTMLElement>(".alarm-detail h2 a")?.focus();
      return true;
    }
    const isBlocked = blockedFrom("alarms:write") !== "";
    if (event.key === "a" && needsAck(alarm) && !isBlocked) return open("acknowledge"), true;
    if (event.key === "c" && !isBlocked) return open("comment"), true;
    return false;
  });
}
