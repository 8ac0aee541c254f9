/** Key figures: how much the operators are told, and what tells them most. */

import { Corrections } from "@/alarms/corrections.tsx";
import { get } from "@/core/api.ts";
import { useResource } from "@/core/resource.ts";
import { href } from "@/core/router.ts";
import type { AlarmFigures } from "@/core/types.ts";
import { PRIORITY_WORDS } from "@/core/words.ts";
import { Badge } from "@/shell/badge.tsx";
import { Failed, SkeletonRows } from "@/shell/notices.tsx";
import { SpanChooser, spanIn } from "./spans.tsx";

const SPANS: [string, string][] = [
  ["-8h", "8 h"],
  ["-24h", "24 h"],
  ["-7d", "7 days"],
  ["-30d", "30 days"],
];
/** Aimed at by ISA-18.2: about 5, 15 and 80 % of high, medium and low. */
const AIMS: Record<string, string> = { "1": "aim about 5 % with high", "2": "aim about 5 %", "3": "aim about 15 %", "4": "aim about 80 %" };

function seconds(value: number | null): string {
  if (value === null) return "—";
  return value < 120 ? `${value.toFixed(0)} s` : `${(value / 60).toFixed(0)} min`;
}

export function Figures() {
  const span = spanIn(SPANS, "-24h");
  const { data, error, retry } = useResource(`alarm figures ${span}`, (abort) => get<AlarmFigures>(`/alarms/kpis?from=${encodeURIComponent(span)}`, abort));
  return (
    <div class="figures" data-testid="alarm-figures">
      <SpanChooser spans={SPANS} span={span} />
      {error && !data && <Failed error={error} what="The key figures" retry={retry} />}
      {!data && !error && <SkeletonRows count={6} />}
      {data && <Shown data={data} />}
      <Corrections />
    </div>
  );
}

function Shown({ data }: { data: AlarmFigures }) {
  const isHigh = data.perOperatorPer10Minutes > 1;
  const tiles: [string, string, string, boolean][] = [
    ["Per operator in 10 min", data.perOperatorPer10Minutes.toFixed(2), "aim 1 or fewer", isHigh],
    ["Most in 10 min", String(data.peakPer10Minutes), "a flood is more than 10", data.peakPer10Minutes > 10 * data.operators],
    ["Time in flood", `${data.floodPercent.toFixed(1)} %`, `${data.floods.length} ${data.floods.length === 1 ? "flood" : "floods"}; aim under 1 %`, data.floodPercent > 1],
    ["To acknowledge", seconds(data.acknowledge.medianSeconds), `median of ${data.acknowledge.count}`, false],
    ["Standing", String(data.standing), `${data.stale.length} stale, ${data.chattering.length} chattering`, data.stale.length > 0],
    ["Told in all", String(data.annunciated), Object.entries(data.heldBack).map(([state, count]) => `${count} ${state}`).join(", "), false],
  ];
  return (
    <>
      <dl class="tiles">
        {tiles.map(([name, value, note, isOff]) => (
          <div key={name} class={isOff ? "tile off" : "tile"}>
            <dt>{name}</dt>
            <dd>{value}</dd>
            <dd class="meta">{note}</dd>
          </div>
        ))}
      </dl>
      <h2>By priority</h2>
      <table class="bars">
        <tbody>
          {Object.entries(data.byPriority).map(([priority, one]) => (
            <tr key={priority}>
              <th scope="row">
                <Badge priority={Number(priority)} label={false} /> {PRIORITY_WORDS[Number(priority)]}
              </th>
              <td class="bar">
                <span style={{ width: `${one.percent}%` }} />
              </td>
              <td class="number">{one.count}</td>
              <td class="number">{one.percent.toFixed(0)} %</td>
              <td class="meta">{AIMS[priority]}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <h2>What tells most</h2>
      {data.topTen.length === 0 ? (
        <p class="soft">Nothing in this span.</p>
      ) : (
        <table class="bars">
          <tbody>
            {data.topTen.map((one) => (
              <tr key={one.rule + one.twin}>
                <th scope="row">
                  <Badge priority={one.priority} />{" "}
                  <a href={href("twins", one.twin, { tab: "alarms" })}>
                    {one.twinName} <span class="soft">{one.title}</span>
                  </a>
                </th>
                <td class="bar">
                  <span style={{ width: `${one.percent}%` }} />
                </td>
                <td class="number">{one.count}</td>
                <td class="number">{one.percent.toFixed(0)} %</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}
