import { rankedAlarms } from "@/core/alarms.ts";
import { getTwin } from "@/core/api.ts";
import { useResource } from "@/core/resource.ts";
import { href } from "@/core/router.ts";
import type { Alarm, Kpi } from "@/core/types.ts";
import { plainAsRead, unitAsRead } from "@/core/units.ts";
import { Chart } from "@/charts/chart.tsx";
import type { Signal } from "@/charts/history.ts";
import type { Limit } from "@/charts/plot.ts";
import { chosenKpi, firstKpi } from "./page.tsx";

interface Subject {
  signal: Signal;
  limits: Limit[];
  note: string;
}

function ofAlarm(alarm: Alarm): Subject {
  const limits = typeof alarm.limit !== "number" ? [] : [{ value: alarm.limit, priority: alarm.priority, label: `limit ${plainAsRead(alarm.limit, alarm.unit)}` }];
  return { signal: { twin: alarm.twin, property: alarm.property!, label: alarm.twinName, unit: alarm.unit }, limits, note: alarm.condition };
}

function ofKpi(kpi: Kpi): Subject | null {
  if (!kpi.twin || !kpi.property) return null;
  return { signal: { twin: kpi.twin, property: kpi.property, label: kpi.label, unit: kpi.unit }, limits: [], note: kpi.targetLabel ?? "" };
}

/** The chosen key figure, else the alarm of the selected twin, else its first number. */
export function OverviewTrend({ twin, isChosen }: { twin: string; isChosen: boolean }) {
  const alarm = rankedAlarms.value.find((one) => one.property && (!isChosen || one.twin === twin));
  const kpi = chosenKpi.value ?? (twin ? null : (firstKpi.value ?? null));
  const direct = kpi ? ofKpi(kpi) : alarm ? ofAlarm(alarm) : null;
  const { data } = useResource(twin ? `twin ${twin}` : null, (abort) => getTwin(twin, abort));
  const property = direct
    ? data?.id === direct.signal.twin ? data.properties.find((one) => one.path === direct.signal.property) : undefined
    : data?.properties.find((one) => one.kind === "telemetry" && typeof one.value === "number");
  const subject = direct ?? (property && data ? { signal: { twin: data.id, property: property.path, label: data.name, unit: property.unit }, limits: [], note: "" } : null);
  if (!subject) return <section class="overview-trend quiet" aria-label="Trend" />;
  const { signal, limits, note } = subject;
  const what = property?.displayName ?? (kpi ? "" : signal.property);
  return (
    <section class="overview-trend" aria-label="Trend" data-testid="overview-trend">
      <div class="trend-head">
        <h2 class="ellipsis">
          <a href={href("twins", signal.twin, { tab: "trends", show: signal.property })}>
            {signal.label} {what.charAt(0).toLowerCase() + what.slice(1)}
          </a>
        </h2>
        <span class="meta ellipsis">{[unitAsRead(signal.unit), "last hour", note].filter(Boolean).join(" · ")}</span>
      </div>
      <Chart signals={[signal]} window={3600} limits={limits} label={`${signal.label} ${what}, last hour`} testId="overview-chart" />
    </section>
  );
}
