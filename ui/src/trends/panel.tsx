/** A chart of the workspace with its legend, its tools and what it does by keyboard. */

import type { RefObject } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ApiError } from "@/core/api.ts";
import { goTo } from "@/core/clock.ts";
import { href } from "@/core/router.ts";
import { toast } from "@/core/toasts.ts";
import { unitAsRead } from "@/core/units.ts";
import { formatMoment, formatNumber, plural } from "@/core/words.ts";
import { useTwins } from "@/live/client.ts";
import { Icon } from "@/shell/icon.tsx";
import { Failed, Skeleton } from "@/shell/notices.tsx";
import { TrendChart } from "./chart.ts";
import type { Event } from "./events.ts";
import { valueAt, type Subject } from "./lines.ts";
import { MOST_READINGS, savePicture, saveReadings } from "./saving.ts";
import { change, changePanel, cursor, edges, pan, removePanel, setTags, shown, shownEdges, zoom } from "./store.ts";
import { limitsOf, subjectsOf, titleOf, type Known } from "./subjects.ts";
import { ValueTable } from "./table.tsx";
import { movedPanel, tagKey, type Panel } from "./workspace.ts";

interface Props {
  panel: Panel;
  index: number;
  count: number;
  known: Known | undefined;
  events: Event[];
  pick: () => void;
}

export function TrendPanel({ panel, index, count, known, events, pick }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const [chart, setChart] = useState<TrendChart | null>(null);
  const subjects = useMemo(() => subjectsOf(panel, known), [panel.tags, known]);
  const key = JSON.stringify(subjects);
  const workspace = shown.value;
  const twins = panel.tags.map((one) => one.twin);
  useTwins(Array.isArray(workspace.window) ? [] : twins);
  useEffect(() => {
    if (!box.current || !known) return undefined;
    const made = new TrendChart(box.current, subjects);
    setChart(made);
    return () => {
      made.destroy();
      setChart(null);
    };
  }, [key, known !== undefined]);
  const limits = useMemo(() => (workspace.hidden.has("limits") ? [] : limitsOf(subjects, known)), [key, known, workspace.hidden]);
  const mine = useMemo(() => (workspace.hidden.has("events") ? [] : events.filter((one) => twins.includes(one.twin))), [events, key, workspace.hidden]);
  useEffect(() => chart?.decorate(limits, mine), [chart, limits, mine]);
  const state = chart?.state.value ?? "loading";
  const title = titleOf(panel, known);
  return (
    <section class={`trend-panel${panel.isWide ? " wide" : ""}`} aria-label={`Chart ${index + 1}: ${title}`} data-testid="trend-panel" data-chart-state={typeof state === "string" ? state : "failed"}>
      <header class="trend-panel-head">
        <h2 class="ellipsis">
          <a href={href("twins", twins[0], { tab: "trends" })}>{title}</a>
        </h2>
        <Tools panel={panel} index={index} count={count} chart={chart} subjects={subjects} title={title} pick={pick} />
      </header>
      <Legend panel={panel} index={index} subjects={subjects} chart={chart} />
      <div class="trend-surface" hidden={panel.isTable}>
        <Surface chart={chart} box={box} label={`${title}: ${subjects.map((one) => one.label).join(", ")}`} subjects={subjects} />
        {state === "loading" && (
          <div class="chart-cover">
            <Skeleton height="100%" />
          </div>
        )}
        {state === "empty" && <div class="chart-cover notice center">No values in this time.</div>}
        {state instanceof ApiError && (
          <div class="chart-cover">
            <Failed error={state} what="The chart" retry={() => chart?.reload()} />
          </div>
        )}
      </div>
      {panel.isTable && chart && <ValueTable chart={chart} subjects={subjects} title={title} />}
    </section>
  );
}

/** What the keys do on a chart; the moment and its values are the value of a slider. */
function Surface({ chart, box, label, subjects }: { chart: TrendChart | null; box: RefObject<HTMLDivElement | null>; label: string; subjects: Subject[] }) {
  const [from, to] = shownEdges.value;
  void chart?.version.value;
  const at = cursor.value ?? to;
  const step = (by: 1 | -1, isSelecting: boolean): void => {
    const next = chart?.next(cursor.peek() ?? edges()[by > 0 ? 0 : 1], by);
    if (next === null || next === undefined || next < edges()[0] || next > edges()[1]) return;
    if (isSelecting) extend(cursor.peek() ?? next, next);
    cursor.value = next;
  };
  const KEYS: Record<string, (event: KeyboardEvent) => void> = {
    ArrowLeft: (event) => step(-1, event.shiftKey),
    ArrowRight: (event) => step(1, event.shiftKey),
    Home: () => (cursor.value = edges()[0]),
    End: () => (cursor.value = edges()[1]),
    Enter: () => goTo(cursor.peek() ?? edges()[1]),
    PageUp: () => pan(-1),
    PageDown: () => pan(1),
    "+": () => zoom(0.5),
    "=": () => zoom(0.5),
    "-": () => zoom(2),
  };
  const onKey = (event: KeyboardEvent): void => {
    const act = event.ctrlKey || event.metaKey || event.altKey ? undefined : KEYS[event.key];
    if (!act) return;
    act(event);
    event.preventDefault();
  };
  return (
    <div
      ref={box}
      class="trend-box"
      role="slider"
      tabIndex={0}
      aria-label={`${label}. Arrows move through the values`}
      aria-valuemin={Math.round(from)}
      aria-valuemax={Math.round(to)}
      aria-valuenow={Math.round(Math.min(to, Math.max(from, at)))}
      aria-valuetext={words(chart, subjects, at, to - from)}
      data-testid="trend-surface"
      onKeyDown={onKey}
      onDblClick={() => cursor.value !== null && goTo(cursor.value)}
    />
  );
}

/** Shift with an arrow: from where it began to where the cursor goes. */
function extend(from: number, to: number): void {
  const old = shown.peek().selection;
  const anchor = old && Math.abs(old[0] - from) < 1 ? old[1] : old && Math.abs(old[1] - from) < 1 ? old[0] : from;
  if (anchor !== to) change({ selection: anchor < to ? [anchor, to] : [to, anchor] });
}

function readingAt(chart: TrendChart | null, tag: number, at: number, width: number): number | null {
  const line = chart?.lines.find((one) => one.tag === tag && one.role === "value");
  return line ? valueAt(line.columns, at / 1000, Math.max(1, width / 1000 / 50)) : null;
}

function words(chart: TrendChart | null, subjects: Subject[], at: number, width: number): string {
  const values = subjects.map((one, i) => {
    const value = readingAt(chart, i, at, width);
    return `${one.label} ${value === null ? "no value" : `${formatNumber(value)} ${unitAsRead(one.unit) ?? ""}`}`;
  });
  return `${formatMoment(at, 0)}: ${values.join(", ")}`;
}

function Legend({ panel, index, subjects, chart }: { panel: Panel; index: number; subjects: Subject[]; chart: TrendChart | null }) {
  const [from, to] = shownEdges.value;
  void chart?.version.value;
  const at = cursor.value;
  const isAhead = shown.value.ahead > 0 && chart?.state.value === "ready";
  const line = (role: string, tag: number) => chart?.lines.find((one) => one.role === role && one.tag === tag);
  return (
    <ul class="trend-legend">
      {subjects.map((one, i) => {
        const newest = line("value", i)?.columns.value;
        const value = at === null ? (newest?.[newest.length - 1] ?? null) : readingAt(chart, i, at, to - from);
        return (
          <li key={tagKey(one.tag)} data-testid="trend-legend" data-property={one.tag.property}>
            <span class={`swatch s${(i % 6) + 1}`} />
            <span class="ellipsis">{one.label}</span>
            <strong>{value === null ? "—" : formatNumber(value)}</strong>
            {one.unit && <span class="unit">{unitAsRead(one.unit)}</span>}
            {line("forecast", i) ? one.levels && <span class="tag">forecast</span> : isAhead && line("value", i) && <span class="meta">not forecast</span>}
            <button class="button quiet square tiny" aria-label={`Remove ${one.label}`} title="Remove" onClick={() => setTags(index, panel.tags.filter((_tag, n) => n !== i))}>
              <Icon name="close" small />
            </button>
          </li>
        );
      })}
      <li class="push meta" aria-hidden="true">
        {at !== null && at >= from && at <= to ? formatMoment(at, 0) : ""}
      </li>
    </ul>
  );
}

function Tools({ panel, index, count, chart, subjects, title, pick }: { panel: Panel; index: number; count: number; chart: TrendChart | null; subjects: Subject[]; title: string; pick: () => void }) {
  const [isBusy, setBusy] = useState(false);
  const csv = async (): Promise<void> => {
    setBusy(true);
    try {
      const { rows, isCut } = await saveReadings(subjects, shown.peek().selection ?? edges());
      toast(isCut ? `The first ${MOST_READINGS} readings of a line were saved; a shorter span has them all` : `${plural(rows, "reading")} saved`, isCut);
    } catch (error) {
      toast(error instanceof Error ? error.message : String(error), true);
    } finally {
      setBusy(false);
    }
  };
  const picture = (): void => {
    if (chart?.canvas) void savePicture(chart.canvas, subjects, edges(), title);
  };
  const move = (by: number): void => change({ panels: movedPanel(shown.peek().panels, index, by) });
  return (
    <div class="trend-tools-of" role="group" aria-label={`Chart ${index + 1}`}>
      <Tool icon="plus" words="Choose signals" act={pick} testId="panel-pick" />
      <Tool icon="chevron" isTurned words="Move earlier" act={() => move(-1)} isOff={index === 0} testId="panel-earlier" />
      <Tool icon="chevron" words="Move later" act={() => move(1)} isOff={index === count - 1} testId="panel-later" />
      <Tool icon="columns" words={panel.isWide ? "Half as wide" : "Across the page"} isOn={panel.isWide} act={() => changePanel(index, { isWide: !panel.isWide })} testId="panel-wide" />
      <Tool icon="table" words={panel.isTable ? "As a chart" : "As a table"} isOn={panel.isTable} act={() => changePanel(index, { isTable: !panel.isTable })} testId="panel-table" />
      <Tool icon="save" words="Every reading as CSV" act={() => void csv()} isOff={isBusy} testId="panel-csv" />
      <Tool icon="image" words="Picture as PNG" act={picture} isOff={panel.isTable} testId="panel-png" />
      <Tool icon="trash" words="Remove the chart" act={() => removePanel(index)} testId="panel-remove" />
    </div>
  );
}

export function Tool({ icon, words: text, act, isOn, isOff = false, isTurned = false, testId }: { icon: string; isTurned?: boolean; words: string; act: () => void; isOn?: boolean; isOff?: boolean; testId?: string }) {
  return (
    <button class={`button quiet square${isTurned ? " turned" : ""}`} aria-label={text} title={text} aria-pressed={isOn} disabled={isOff} data-testid={testId} onClick={act}>
      <Icon name={icon} small />
    </button>
  );
}
