import type { VNode } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { type Act, alarmsError, alarmsLoaded, byUrgency, counts, groups, heldBack, isWhole, lastAlarm, loadAlarms, loadMore, openAlarms, rankedAlarms } from "@/core/alarms.ts";
import { get } from "@/core/api.ts";
import { bringIntoView } from "@/core/in-view.ts";
import { isTyping, singleKeys, useKeys } from "@/core/keys.ts";
import { nameOf } from "@/core/plant.ts";
import { status } from "@/live/client.ts";
import { useResource } from "@/core/resource.ts";
import { go, href, place, setSearch } from "@/core/router.ts";
import type { Alarm, Page } from "@/core/types.ts";
import { PRIORITY_WORDS } from "@/core/words.ts";
import { blockedFrom } from "@/core/writing.ts";
import { Badge } from "@/shell/badge.tsx";
import { Empty, Failed, SkeletonRows } from "@/shell/notices.tsx";
import { Icon } from "@/shell/icon.tsx";
import { ActDialog } from "./act.tsx";
import { AlarmDetail, isPossible } from "./detail.tsx";
import { Figures } from "./figures.tsx";
import { Handover } from "./handover.tsx";
import { Floods } from "./floods.tsx";
import { folded, type Row } from "./fold.ts";
import { AlarmList } from "./list.tsx";
import { PhilosophySheet } from "./philosophy.tsx";
import { Rules } from "./rules.tsx";
import { Telling } from "./telling.tsx";

const MOST = 500;
const NONE: Alarm[] = [];
const TABS = { open: "Open", shelved: "Shelved", aside: "Suppressed, out of service", all: "History", floods: "Floods", kpis: "Figures", handover: "Handover", rules: "Rules", telling: "Who is told", philosophy: "Philosophy" };
type Tab = keyof typeof TABS;
/** Tabs that are no lists of alarms: they take the whole width. */
const SHEETS: Partial<Record<Tab, () => VNode>> = { kpis: () => <Figures />, handover: () => <Handover />, rules: () => <Rules />, telling: () => <Telling />, philosophy: () => <PhilosophySheet /> };

export function AlarmsPage({ id }: { id: string }) {
  const search = place.value.search;
  const tab = (search.get("show") ?? "open") in TABS ? ((search.get("show") ?? "open") as Tab) : "open";
  const isAll = tab === "all";
  const sheet = SHEETS[tab];
  const isList = tab !== "floods" && !sheet;
  const priority = Number(search.get("priority")) || 0;
  const twin = search.get("twin") ?? "";
  useEffect(() => bringIntoView(document.querySelector(".segments [aria-pressed=true]")), [tab]);
  const [dialog, setDialog] = useState<Act | "none">("none");
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
  const past = useResource(isAll ? `alarms all ${twin}` : null, (abort) => get<Page<Alarm>>(`/alarms?state=all&limit=${MOST}${twin ? `&twin=${encodeURIComponent(twin)}` : ""}`, abort), lastAlarm.value?.state === "normal" ? lastAlarm.value.id : "");
  const rows = useMemo((): Row[] => {
    const isFit = (alarm: Alarm): boolean => (!priority || alarm.priority === priority) && (!twin || alarm.twin === twin);
    if (tab === "open") return folded(priority || twin ? rankedAlarms.value.filter(isFit) : rankedAlarms.value, groups.value, opened);
    const live = tab === "floods" ? rankedAlarms.value : [...heldBack.value.values()].filter((alarm) => tab === "all" || (alarm.state === "shelved") === (tab === "shelved"));
    const merged = new Map([...(isAll ? [...(past.data?.value ?? []), ...openAlarms.value.values()] : []), ...live].map((alarm) => [alarm.id, alarm]));
    const shown = [...merged.values()].filter(isFit);
    shown.sort(isAll ? (a, b) => (a.raised < b.raised ? 1 : a.raised > b.raised ? -1 : 0) : byUrgency);
    return shown.map((alarm) => ({ alarm, behind: 0, isMember: false }));
  }, [rankedAlarms.value, heldBack.value, groups.value, past.data, tab, priority, twin, opened]);
  const list = rows.map((row) => row.alarm);
  const keep = Object.fromEntries(search.entries());
  const over = lastAlarm.value;
  const known = list.find((alarm) => alarm.id === id) ?? openAlarms.value.get(id) ?? heldBack.value.get(id);
  const chosen = known ?? (over?.id === id ? over : undefined);
  const marked = selected.size ? list.filter((alarm) => selected.has(alarm.id)) : NONE;
  const subject = (what: Act): Alarm[] => (marked.length ? marked : chosen ? [chosen] : []).filter((alarm) => isPossible(alarm, what));
  const toggle = (set: ReadonlySet<string>, key: string): ReadonlySet<string> => {
    const next = new Set(set);
    if (!next.delete(key)) next.add(key);
    return next;
  };
  const open = (what: Act): boolean => {
    if (blockedFrom("alarms:write") || subject(what).length === 0) return false;
    setDialog(what);
    return true;
  };
  useListKeys({ list, id, keep, open, select: (alarm) => setSelected((set) => toggle(set, alarm.id)), unselect: marked.length ? () => setSelected(new Set()) : undefined });
  useEffect(() => setSelected(new Set()), [tab]);
  useEffect(() => {
    if (id && matchMedia("(max-width: 1023px)").matches) document.querySelector(".alarms .panel")?.scrollIntoView({ block: "nearest" });
  }, [id]);
  const isLoaded = isAll ? past.data !== undefined : alarmsLoaded.value;
  const error = isAll ? past.error : alarmsError.value;
  return (
    <div class={`with-panel alarms${id ? " has-detail" : ""}${sheet ? " no-panel" : ""}`}>
      <section class="alarm-main" aria-label="Alarms">
        <div class="page-head">
          <h1>Alarms</h1>
          <span class="meta">
            {counts.value.total} open, {counts.value.unacknowledged} not acknowledged
          </span>
          <span class="meta push keys-hint">
            <kbd>j</kbd> <kbd>k</kbd> move <kbd>x</kbd> select <kbd>a</kbd> acknowledge <kbd>s</kbd> shelve <kbd>c</kbd> comment
          </span>
        </div>
        <FloodBanner />
        <Filters tab={tab} priority={priority} twin={twin} isList={isList} />
        {marked.length > 0 && (
          <div class="bulk" role="status" data-testid="alarms-bulk">
            <strong>{marked.length} selected</strong>
            <button class="button" onClick={() => open("acknowledge")}>
              Acknowledge…
            </button>
            <button class="button" onClick={() => open("shelve")}>
              Shelve…
            </button>
            {marked.length < list.length && (
              <button class="button quiet" data-testid="select-all" onClick={() => setSelected(new Set(list.map((alarm) => alarm.id)))}>
                Select all {list.length}
              </button>
            )}
            <button class="button quiet" onClick={() => setSelected(new Set())}>
              Select none
            </button>
          </div>
        )}
        {tab === "floods" && <Floods />}
        {sheet?.()}
        {isList && error && !isLoaded && <Failed error={error} what="The alarms" retry={() => (isAll ? past.retry() : void loadAlarms())} />}
        {isList && !isLoaded && !error && <SkeletonRows count={6} height={54} />}
        {isList && isLoaded && list.length === 0 && (tab !== "open" || isWhole.value) && <Nothing tab={tab} isFiltered={Boolean(priority || twin)} />}
        {isList && (
          <AlarmList
            rows={rows}
            label={isAll ? "All alarms, newest first" : `${TABS[tab]} alarms, most urgent first`}
            id={id}
            selected={selected}
            opened={opened}
            onFold={(group) => setOpened((set) => toggle(set, group))}
            query={keep}
            isFiltered={Boolean(priority || twin)}
            more={tab === "open" && !isWhole.value ? () => void loadMore() : undefined}
          />
        )}
        {tab === "open" && !isWhole.value && (
          <p class="meta list-rest" role="status" data-testid="alarms-rest">
            {openAlarms.value.size} of {counts.value.total} are listed; the others come as you scroll.
          </p>
        )}
      </section>
      {!sheet && <aside class="panel" aria-label="Details of the alarm">
        {chosen ? <AlarmDetail alarm={chosen} open={(what) => void (setSelected(new Set()), setDialog(what))} close={() => go(href("alarms", "", keep))} /> : id && isLoaded ? <Missing id={id} /> : <p class="notice">Choose an alarm to see its trend, its limit and what was said about it.</p>}
      </aside>}
      {dialog !== "none" && subject(dialog).length > 0 && (
        <ActDialog
          what={dialog}
          alarms={subject(dialog)}
          close={() => {
            setDialog("none");
            setSelected(new Set());
          }}
        />
      )}
    </div>
  );
}

function FloodBanner() {
  const flood = status.value?.flood;
  if (!flood?.since) return null;
  return (
    <p class="flood-banner" role="status" data-testid="flood-banner">
      <Icon name="alarms" small /> Alarm flood: {flood.count} in the last 10 minutes. <a href={href("alarms", "", { show: "floods" })}>Look at the causes</a>
    </p>
  );
}

const NOTHING: Record<Tab, [string, string]> = {
  open: ["No open alarms", "Everything that is watched runs inside its limits."],
  shelved: ["Nothing is shelved", "An alarm that is put aside for some time waits here until then."],
  aside: ["Nothing is suppressed or out of service", "What is held back by design or switched off is shown here."],
  all: ["There has never been an alarm", ""],
  floods: ["", ""],
  kpis: ["", ""],
  handover: ["", ""],
  rules: ["", ""],
  telling: ["", ""],
  philosophy: ["", ""],
};

function Nothing({ tab, isFiltered }: { tab: Tab; isFiltered: boolean }) {
  const [title, words] = NOTHING[tab];
  return (
    <Empty title={isFiltered ? "No alarm matches" : title}>
      {isFiltered ? (
        <button class="button" onClick={() => go(href("alarms"))}>
          Clear the filters
        </button>
      ) : (
        <p>{words}</p>
      )}
    </Empty>
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

function Filters({ tab, priority, twin, isList }: { tab: Tab; priority: number; twin: string; isList: boolean }) {
  const held = [...heldBack.value.values()];
  const shelved = held.filter((alarm) => alarm.state === "shelved").length;
  const numbers: Partial<Record<Tab, number>> = { shelved, aside: held.length - shelved };
  const ids: Partial<Record<Tab, string>> = { open: "alarms-active", all: "alarms-all" };
  return (
    <div class="filters">
      <div class="segments scrolls" role="group" aria-label="Which alarms">
        {(Object.keys(TABS) as Tab[]).map((one) => (
          <button key={one} aria-pressed={tab === one} data-testid={ids[one] ?? `alarms-${one}`} onClick={() => setSearch({ show: one === "open" ? null : one, rule: null })}>
            {TABS[one]}
            {numbers[one] ? ` ${numbers[one]}` : ""}
          </button>
        ))}
      </div>
      {isList && (
        <div class="row" role="group" aria-label="Priority" style={{ gap: "4px" }}>
          {[1, 2, 3, 4].map((one) => (
            <button key={one} class="button" aria-pressed={priority === one} onClick={() => setSearch({ priority: priority === one ? null : String(one) })}>
              <Badge priority={one} label={false} /> {counts.value.byPriority[one] ?? 0}
              <span class="visually-hidden"> open of priority {one}, {PRIORITY_WORDS[one]}</span>
            </button>
          ))}
        </div>
      )}
      {twin && (
        <button class="button" onClick={() => setSearch({ twin: null })} aria-label={`Filter: ${nameOf(twin)}. Remove`}>
          {nameOf(twin)} <Icon name="close" small />
        </button>
      )}
    </div>
  );
}

interface ListKeys {
  list: Alarm[];
  id: string;
  keep: Record<string, string>;
  open: (what: Act) => boolean;
  select: (alarm: Alarm) => void;
  unselect: (() => void) | undefined;
}

function useListKeys({ list, id, keep, open, select, unselect }: ListKeys): void {
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
    if (event.key === "Escape" && unselect) return unselect(), true;
    if (event.key === "Escape" && id) return go(href("alarms", "", keep)), true;
    if (event.key === "a") return open("acknowledge");
    if (event.key === "s") return open("shelve");
    if (event.key === "c") return open("comment");
    if (!alarm) return false;
    if (event.key === "x") return select(alarm), true;
    if (event.key === "Enter" && !(event.target as HTMLElement).closest("a, button")) {
      document.querySelector<HTMLElement>(".alarm-detail h2 a")?.focus();
      return true;
    }
    return false;
  });
}
