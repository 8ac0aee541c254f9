import { useEffect, useState } from "preact/hooks";
import { get } from "@/core/api.ts";
import { isKiosk } from "@/core/kiosk.ts";
import { moment, tick } from "@/core/clock.ts";
import { judge } from "@/core/quality.ts";
import { useResource } from "@/core/resource.ts";
import { href } from "@/core/router.ts";
import type { Kpi } from "@/core/types.ts";
import { asRead, unitAsRead } from "@/core/units.ts";
import { formatAge, formatNumber, parseTime } from "@/core/words.ts";
import { fetchColumns, follow, type Columns } from "@/charts/history.ts";
import { Sparkline } from "@/charts/sparkline.tsx";
import { useReading, useTwins } from "@/live/client.ts";
import { Failed, Skeleton } from "@/shell/notices.tsx";
import { Icon } from "@/shell/icon.tsx";
import { newest } from "@/shell/value.tsx";
import { opensOnEnter } from "./choosing.tsx";
import { chosenKpi, knownKpis, select } from "./page.tsx";

export function Kpis({ areTargetsFirst }: { areTargetsFirst: boolean }) {
  const { data, error, retry } = useResource("kpis", (abort) => get<{ value: Kpi[] }>("/kpis", abort));
  const kpis = [...(data?.value ?? [])].sort((a, b) => (areTargetsFirst ? Number(a.target === null) - Number(b.target === null) : 0) || (a.order ?? 0) - (b.order ?? 0));
  useTwins(kpis.map((kpi) => kpi.twin));
  useEffect(() => {
    if (data) knownKpis.value = kpis;
  }, [data, areTargetsFirst]);
  if (error && !data) return <Failed error={error} what="The key figures" retry={retry} />;
  if (!data) {
    return (
      <div class="kpis" role="status" aria-label="Loading key figures">
        {[1, 2, 3, 4, 5].map((i) => (
          <div class="kpi" key={i}>
            <Skeleton height={14} width={72} />
            <Skeleton height={26} width={110} />
            <Skeleton height={16} />
          </div>
        ))}
      </div>
    );
  }
  if (kpis.length === 0) return null;
  return (
    <div class="kpis">
      {kpis.map((kpi) => (
        <Tile key={kpi.id} kpi={kpi} />
      ))}
    </div>
  );
}

function Tile({ kpi }: { kpi: Kpi }) {
  const live = useReading(kpi.twin, kpi.property).value;
  const time = parseTime(kpi.time);
  const fetched = time !== null && kpi.value !== null ? { time, value: kpi.value, quality: 0, period: 0 } : null;
  const reading = moment.value === null ? newest(fetched, live) : live;
  const now = tick.value;
  const trust = judge({ time: reading?.time ?? null, quality: reading?.quality ?? 0, period: reading?.period ?? 0, staleAfter: kpi.staleAfter }, now);
  const isChosen = chosenKpi.value?.id === kpi.id;
  const text = typeof reading?.value === "number" ? formatNumber(asRead(reading.value, kpi.unit), kpi.digits) : "—";
  const age = reading ? (now - reading.time) / 1000 : 0;
  const choose = (): void => {
    select(null);
    chosenKpi.value = isChosen ? null : kpi;
  };
  const facts = { class: "kpi", "data-testid": "kpi", "data-kpi-id": kpi.id, "data-trust": trust };
  const words = (
    <>
      <span class="kpi-label ellipsis">{kpi.label}</span>
      <span class={`value ${trust} kpi-value`}>
        {trust === "stale" && <Icon name="clock" />}
        <span class="number">{text}</span>
        {reading && kpi.unit && <span class="unit">{unitAsRead(kpi.unit)}</span>}
      </span>
      <span class="kpi-foot">
        <span class="meta ellipsis kpi-target">{trust === "late" || trust === "stale" ? `${formatAge(age)} old` : target(kpi)}</span>
        <KpiSpark kpi={kpi} />
      </span>
    </>
  );
  if (isKiosk.value) return <div {...facts}>{words}</div>;
  return (
    <button {...facts} aria-pressed={isChosen} onClick={choose} onKeyDown={(event) => opensOnEnter(event, kpi.twin && kpi.property ? href("trends", "", { panels: `${kpi.twin}:${kpi.property}` }) : "")} title="Show the trend; Enter opens it in Trends">
      {words}
    </button>
  );
}

function target(kpi: Kpi): string {
  if (kpi.targetLabel) return kpi.target === null || /\d/.test(kpi.targetLabel) ? kpi.targetLabel : `${kpi.targetLabel} ${formatNumber(asRead(kpi.target, kpi.unit), null)}`;
  return kpi.target === null ? "" : `target ${formatNumber(asRead(kpi.target, kpi.unit), null)}`;
}

function KpiSpark({ kpi }: { kpi: Kpi }) {
  const wanted = kpi.twin && kpi.property ? [{ twin: kpi.twin, property: kpi.property, label: kpi.label, unit: kpi.unit }] : [];
  const { data } = useResource(wanted.length ? `spark ${kpi.id}` : null, (abort) => fetchColumns(wanted, "-1h", "now", 96, abort));
  const [, redraw] = useState(0);
  useEffect(() => {
    if (!data) return undefined;
    let last = 0;
    return follow(wanted, () => data as Columns[], () => 3600, () => {
      if (performance.now() - last < 5000) return;
      last = performance.now();
      redraw((count) => count + 1);
    });
  }, [data]);
  return <Sparkline columns={data?.[0]} />;
}
