import { rankedAlarms } from "@/core/alarms.ts";
import { getTwin } from "@/core/api.ts";
import { serverNow } from "@/core/clock.ts";
import { useResource } from "@/core/resource.ts";
import { href } from "@/core/router.ts";
import type { Alarm, Kpi } from "@/core/types.ts";
import { plainAsRead, unitAsRead } from "@/core/units.ts";
import { Chart } from "@/charts/chart.tsx";
import { levelsOf } from "@/charts/forecast.ts";
import type { Signal } from "@/charts/history.ts";
import type { Limit } from "@/charts/plot.ts";
import { chanceWords } from "@/twins/chance.ts";
import { chosenKpi } from "./page.tsx";

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

interface Props {
  twin: string;
  isChosen: boolean;
  /** The key figure that is shown where there is no twin to show. */
  first: Kpi | null | undefined;
  /** Alarms do not take the place of that figure. */
  isQuiet: boolean;
}

/** The chosen key figure, else the alarm of the selected twin, else its first number. */
export function OverviewTrend({ twin, isChosen, first, isQuiet }: Props) {
  // What a service finds out (a score, days left) says little in an hour.
  const alarm = isQuiet ? undefined : rankedAlarms.value.find((one) => one.property && !one.rule.startsWith("service:") && (!isChosen || one.twin === twin));
  const kpi = chosenKpi.value ?? (isChosen || alarm || (isQuiet && twin) ? null : (first ?? null));
  const direct = kpi ? ofKpi(kpi) : alarm ? ofAlarm(alarm) : null;
  const of = direct?.signal.twin ?? twin;
  const { data } = useResource(of ? `twin ${of}` : null, (abort) => getTwin(of, abort));
  const property = direct
    ? data?.id === direct.signal.twin ? data.properties.find((one) => one.path === direct.signal.property) : undefined
    : data?.properties.find((one) => one.kind === "telemetry" && typeof one.value === "number");
  const subject = direct ?? (property && data ? { signal: { twin: data.id, property: property.path, label: data.name, unit: property.unit }, limits: [], note: "" } : null);
  if (!subject) return <section class="overview-trend quiet" aria-label="Trend" />;
  const { signal, limits, note } = subject;
  const levels = levelsOf(property);
  const forecast = property?.others?.find((one) => one.provenance === "predicted");
  const chance = data && property && forecast ? chanceWords(data, property, forecast, (Date.parse(forecast.time) - serverNow()) / 1000) : "";
  const what = kpi ? "" : (property?.displayName ?? signal.property);
  return (
    <section class="overview-trend" aria-label="Trend" data-testid="overview-trend">
      <div class="trend-head">
        <h2 class="ellipsis">
          <a href={href("twins", signal.twin, { tab: "trends", show: signal.property })}>
            {[signal.label, what].filter(Boolean).join(" · ")}
          </a>
        </h2>
        <span class="meta ellipsis">{[unitAsRead(signal.unit), levels ? "last hour and forecast" : "last hour", note, chance].filter(Boolean).join(" · ")}</span>
      </div>
      <Chart signals={[signal]} window={3600} levels={levels} limits={limits} label={`${`${signal.label} ${what}`.trim()}, last hour`} testId="overview-chart" />
    </section>
  );
}
