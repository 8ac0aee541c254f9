import "@/style/trends.css";
import { useEffect, useMemo, useState } from "preact/hooks";
import { get } from "@/core/api.ts";
import { goLive, moment } from "@/core/clock.ts";
import { isTyping, singleKeys, useKeys } from "@/core/keys.ts";
import { useResource } from "@/core/resource.ts";
import type { Kpi } from "@/core/types.ts";
import { formatAge, formatMoment, zoneName } from "@/core/words.ts";
import { Icon } from "@/shell/icon.tsx";
import { Empty, Failed } from "@/shell/notices.tsx";
import { fetchEvents, withLive } from "./events.ts";
import { EventList, Figures } from "./figures.tsx";
import { Tool, TrendPanel } from "./panel.tsx";
import { Picker } from "./picker.tsx";
import { canRedo, canUndo, change, cursor, followAddress, look, pan, redo, setTags, shown, shownEdges, tool, undo, zoom } from "./store.ts";
import { useKnown } from "./subjects.ts";
import { MOST_PANELS, SPAN, type Beside, type Panel, type Tag } from "./workspace.ts";

const SPANS: [string, number][] = [
  ["15 min", 900],
  ["1 h", 3600],
  ["8 h", 28_800],
  ["24 h", 86_400],
  ["7 d", 604_800],
  ["30 d", 2_592_000],
];
const EARLIER: [string, number][] = [
  ["nothing", 0],
  ["an hour earlier", 3600],
  ["a day earlier", 86_400],
  ["a week earlier", 604_800],
  ["4 weeks earlier", 2_419_200],
];
const AHEAD: [string, number][] = [
  ["no forecast", 0],
  ["forecast 1 h", 3600],
  ["forecast 6 h", 21_600],
  ["forecast 12 h", 43_200],
  ["forecast 24 h", 86_400],
];

export function TrendsPage() {
  useEffect(followAddress, []);
  const { panels } = shown.value;
  const [picking, setPicking] = useState<number | null>(null);
  const twins = useMemo(() => [...new Set(panels.flatMap((one) => one.tags.map((tag) => tag.twin)))], [panels]);
  const { data: known } = useKnown(twins);
  const fetched = useResource(twins.length ? `events ${twins.join("\n")}` : null, (abort) => fetchEvents(twins, abort));
  const events = withLive(fetched.data ?? [], twins);
  const eventKey = events.map((one) => `${one.id} ${one.to}`).join();
  const kept = useMemo(() => events, [eventKey]);
  const add = (): void => setPicking(panels.length);
  useWorkspaceKeys(add);
  const take = (tags: Tag[]): void => {
    if (picking === null) return;
    if (picking < panels.length) setTags(picking, tags);
    else change({ panels: [...panels, fresh(tags)] });
    setPicking(null);
  };
  return (
    <div class="trends-page" data-testid="trends-page">
      <div class="page-head">
        <h1>Trends</h1>
        <WindowWords />
        <span class="push row">
          <Tool icon="undo" words="Undo (u)" act={undo} isOff={!canUndo.value} testId="trends-undo" />
          <Tool icon="redo" words="Redo (U)" act={redo} isOff={!canRedo.value} testId="trends-redo" />
          <button class="button" disabled={panels.length >= MOST_PANELS} title={panels.length >= MOST_PANELS ? `${MOST_PANELS} charts are the most` : "n"} data-testid="add-chart" onClick={add}>
            <Icon name="plus" small /> Chart
          </button>
        </span>
      </div>
      {panels.length > 0 && <WindowTools />}
      {panels.length === 0 && <Start add={add} />}
      <div class="trend-grid">
        {panels.map((panel, i) => (
          <TrendPanel key={i} panel={panel} index={i} count={panels.length} known={known} events={kept} pick={() => setPicking(i)} />
        ))}
      </div>
      {panels.length > 0 && <Figures known={known} />}
      {fetched.error && !fetched.data && <Failed error={fetched.error} what="Alarms and commands" retry={fetched.retry} />}
      {panels.length > 0 && <EventList events={kept} known={known} />}
      {picking !== null && <Picker title={picking < panels.length ? `Signals of chart ${picking + 1}` : "A new chart"} chosen={panels[picking]?.tags ?? []} take={take} close={() => setPicking(null)} />}
    </div>
  );
}

const fresh = (tags: Tag[]): Panel => ({ tags, isWide: false, isTable: false });

function useWorkspaceKeys(add: () => void): void {
  useKeys((event) => {
    const isUndo = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z";
    if (isTyping(event)) return false;
    if (isUndo) {
      (event.shiftKey ? redo : undo)();
      return true;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    if (event.key === "Escape" && (shown.peek().selection || cursor.peek() !== null)) {
      cursor.value = null;
      if (shown.peek().selection) change({ selection: null });
      return true;
    }
    const act = singleKeys.value ? KEYS[event.key] : undefined;
    if (event.key === "n" && singleKeys.value && shown.peek().panels.length < MOST_PANELS) add();
    else if (act) act();
    else return false;
    return true;
  });
}

const KEYS: Record<string, () => void> = {
  "[": () => pan(-1),
  "]": () => pan(1),
  "+": () => zoom(0.5),
  "=": () => zoom(0.5),
  "-": () => zoom(2),
  "0": () => toNow(),
  u: undo,
  U: redo,
};

function toNow(): void {
  const { window } = shown.peek();
  if (Array.isArray(window)) change({ window: nearest((window[1] - window[0]) / 1000) });
  goLive();
}

/** The usual span that is nearest to a width. */
const nearest = (seconds: number): number => SPANS.reduce((best, [, span]) => (Math.abs(Math.log(span / seconds)) < Math.abs(Math.log(best / seconds)) ? span : best), SPAN);

function WindowWords() {
  const { window } = shown.value;
  const [from, to] = shownEdges.value;
  const sliding = moment.value === null ? `the last ${formatAge((window as number) || 0)}` : `up to the moment of the clock`;
  return (
    <span class="meta ellipsis" data-testid="window-words">
      {Array.isArray(window) ? `${formatMoment(from, 0)} to ${formatMoment(to, 0)}` : sliding} {zoneName(to)}
    </span>
  );
}

function WindowTools() {
  const { window, earlier, ahead, hidden, selection } = shown.value;
  const isFixed = Array.isArray(window);
  const toggle = (one: Beside): void => {
    const next = new Set(hidden);
    if (!next.delete(one)) next.add(one);
    change({ hidden: next });
  };
  return (
    <div class="filters trend-filters" role="group" aria-label="Time and what is shown">
      <div class="segments" role="group" aria-label="Time range that ends now">
        {SPANS.map(([words, seconds]) => (
          <button key={seconds} aria-pressed={window === seconds} data-testid={`span-${seconds}`} onClick={() => change({ window: seconds })}>
            {words}
          </button>
        ))}
      </div>
      <div class="row" role="group" aria-label="Move and zoom">
        <Tool icon="chevron" isTurned words="A window back ([)" act={() => pan(-1)} testId="step-back" />
        <Tool icon="chevron" words="A window ahead (])" act={() => pan(1)} testId="step-ahead" />
        <Tool icon="zoomin" words="Look closer (+)" act={() => zoom(0.5)} testId="zoom-in" />
        <Tool icon="zoomout" words="Look wider (−)" act={() => zoom(2)} testId="zoom-out" />
        {selection && <Tool icon="search" words="Look at the selection" act={() => look(...selection)} testId="zoom-selection" />}
        <button class="button" disabled={!isFixed && moment.value === null} data-testid="to-now" onClick={toNow}>
          Now
        </button>
      </div>
      <div class="segments" role="group" aria-label="Dragging over a chart">
        {(["zoom", "select"] as const).map((one) => (
          <button key={one} aria-pressed={tool.value === one} data-testid={`tool-${one}`} onClick={() => (tool.value = one)}>
            {one === "zoom" ? "Drag zooms" : "Drag selects"}
          </button>
        ))}
      </div>
      <Compare earlier={earlier} />
      <select class="input" aria-label="Forecast" value={String(ahead)} data-testid="ahead" onChange={(event) => change({ ahead: Number(event.currentTarget.value), ...(isFixed ? { window: nearest((window[1] - window[0]) / 1000) } : {}) })}>
        {withOther(AHEAD, ahead, (seconds) => `forecast ${formatAge(seconds)}`).map(([words, seconds]) => (
          <option key={seconds} value={String(seconds)}>
            {words}
          </option>
        ))}
      </select>
      <button class="button" aria-pressed={!hidden.has("limits")} data-testid="show-limits" onClick={() => toggle("limits")}>
        Limits
      </button>
      <button class="button" aria-pressed={!hidden.has("events")} data-testid="show-events" onClick={() => toggle("events")}>
        Events
      </button>
    </div>
  );
}

/** The choices, and what the address asks for beside them. */
function withOther(choices: [string, number][], now: number, words: (seconds: number) => string): [string, number][] {
  return choices.some(([, seconds]) => seconds === now) ? choices : [...choices, [words(now), now]];
}

const pad = (value: number): string => String(value).padStart(2, "0");
const local = (ms: number): string => {
  const at = new Date(ms);
  return `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}T${pad(at.getHours())}:${pad(at.getMinutes())}`;
};

/** The same window earlier: a usual distance, or one that begins at a moment of one's own. */
function Compare({ earlier }: { earlier: number }) {
  const [isAsking, setAsking] = useState(false);
  const [from] = shownEdges.value;
  const pick = (text: string): void => {
    const at = Date.parse(text);
    if (Number.isFinite(at) && at < from) change({ earlier: Math.round((from - at) / 1000) });
  };
  return (
    <>
      <select
        class="input"
        aria-label="Compare with"
        value={isAsking ? "other" : String(earlier)}
        data-testid="compare"
        onChange={(event) => {
          const { value } = event.currentTarget;
          setAsking(value === "other");
          if (value !== "other") change({ earlier: Number(value) });
        }}
      >
        {withOther(EARLIER, earlier, (seconds) => `${formatAge(seconds)} earlier`).map(([words, seconds]) => (
          <option key={seconds} value={String(seconds)}>
            compare: {words}
          </option>
        ))}
        <option value="other">compare: another time …</option>
      </select>
      {isAsking && <input class="input compare-from" type="datetime-local" aria-label="Compare with the span that begins at" data-testid="compare-from" max={local(from)} value={local(from - (earlier || 86_400) * 1000)} onChange={(event) => pick(event.currentTarget.value)} />}
    </>
  );
}

/** Nothing is chosen yet: a chart of one's own, or the key figures of the plant. */
function Start({ add }: { add: () => void }) {
  const { data } = useResource("kpis", (abort) => get<{ value: Kpi[] }>("/kpis", abort));
  const found = (data?.value ?? []).filter((one) => one.twin && one.property).slice(0, 4);
  const show = (): void => change({ panels: found.map((one) => fresh([{ twin: one.twin!, property: one.property!, provenance: "" }])) });
  return (
    <Empty title="No chart is chosen yet">
      <p>A chart shows up to six signals of any twins. The address keeps what you choose: send it, or save it as a bookmark.</p>
      <p class="row">
        <button class="button primary" data-testid="first-chart" onClick={add}>
          <Icon name="plus" small /> Choose signals
        </button>
        {found.length > 0 && (
          <button class="button" data-testid="chart-kpis" onClick={show}>
            Show the key figures
          </button>
        )}
      </p>
    </Empty>
  );
}
