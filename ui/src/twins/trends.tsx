/** Trends of chosen properties: ranges, zoom by dragging, limits of open alarms. */

import { useState } from "preact/hooks";
import { serverNow } from "@/core/clock.ts";
import { place, setSearch } from "@/core/router.ts";
import type { Property, Twin } from "@/core/types.ts";
import { plainAsRead, unitAsRead } from "@/core/units.ts";
import { formatMoment } from "@/core/words.ts";
import { Chart } from "@/charts/chart.tsx";
import type { Limit } from "@/charts/plot.ts";
import { Empty } from "@/shell/notices.tsx";
import { Icon } from "@/shell/icon.tsx";

const RANGES = [
  ["15 min", 900],
  ["1 h", 3600],
  ["8 h", 28_800],
  ["24 h", 86_400],
] as const;
const MOST = 6;

export function drawable(property: Property): boolean {
  return property.series !== null && !property.values && !/string|enum|date|time|duration|uuid|object|array|map/i.test(property.schema) && (property.kind === "telemetry" || typeof property.value === "number");
}

export function TrendsTab({ twin }: { twin: Twin }) {
  const all = twin.properties.filter(drawable);
  const asked = (place.value.search.get("show") ?? "").split(",").filter((path) => all.some((one) => one.path === path));
  const urgent = twin.alarmList.find((alarm) => alarm.isActive && all.some((one) => one.path === alarm.property))?.property;
  const chosen = asked.length ? asked : [urgent ?? all[0]?.path ?? ""].filter(Boolean);
  const [range, setRange] = useState<number>(3600);
  const [zoom, setZoom] = useState<[number, number] | null>(null);
  if (all.length === 0) return <Empty title="This twin has no numbers to draw" />;
  const toggle = (path: string): void => {
    const next = chosen.includes(path) ? chosen.filter((one) => one !== path) : [...chosen, path].slice(-MOST);
    setSearch({ show: next.join(",") });
  };
  const lines = chosen.map((path) => all.find((one) => one.path === path)!);
  return (
    <div class="trends">
      <div class="trend-tools">
        <div class="segments" role="group" aria-label="Time range">
          {RANGES.map(([words, seconds]) => (
            <button key={seconds} aria-pressed={!zoom && range === seconds} onClick={() => (setZoom(null), setRange(seconds))}>
              {words}
            </button>
          ))}
        </div>
        {zoom ? (
          <button class="button" onClick={() => setZoom(null)}>
            <Icon name="zoomout" small /> {formatMoment(zoom[0], serverNow())} to {formatMoment(zoom[1], serverNow())}: back to live
          </button>
        ) : (
          <span class="meta">Drag over the chart to look closer.</span>
        )}
      </div>
      <div class="trend-chart">
        <Chart
          signals={lines.map((one) => ({ twin: twin.id, property: one.path, label: one.displayName || one.name, unit: one.unit }))}
          window={zoom ?? range}
          limits={limitsOf(twin, lines)}
          onZoom={(from, to) => to - from > 1000 && setZoom([from, to])}
          label={`Trend of ${lines.map((one) => one.displayName || one.name).join(", ")}`}
          testId="trend-chart"
        />
      </div>
      <fieldset class="trend-picker">
        <legend class="meta">Signals (up to {MOST})</legend>
        {all.map((one) => {
          const index = chosen.indexOf(one.path);
          return (
            <label key={one.path} class="pick">
              <input type="checkbox" checked={index >= 0} onChange={() => toggle(one.path)} />
              <span class={`swatch s${(index % 6) + 1}${index < 0 ? " off" : ""}`} />
              {one.displayName || one.name} {one.unit && <span class="unit">{unitAsRead(one.unit)}</span>}
            </label>
          );
        })}
      </fieldset>
    </div>
  );
}

function limitsOf(twin: Twin, lines: Property[]): Limit[] {
  const unit = lines[0]?.unit;
  return twin.alarmList
    .filter((alarm) => alarm.state !== "normal" && lines.some((one) => one.path === alarm.property && one.unit === unit))
    .flatMap(({ limit, priority }) => (typeof limit === "number" ? [{ value: limit, priority, label: `limit ${plainAsRead(limit, unit)}` }] : []));
}
