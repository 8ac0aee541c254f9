/** Variants of a design: two figures against each other with the front that nothing beats, and a table. */

import { useState } from "preact/hooks";
import { useResource } from "@/core/resource.ts";
import { unitOf, useUnits } from "@/core/path-units.ts";
import { asRead, unitAsRead } from "@/core/units.ts";
import { formatNumber, plural } from "@/core/words.ts";
import { Failed, Skeleton } from "@/shell/notices.tsx";
import { loadSwept, number, range } from "./data.ts";
import type { ScenarioCompared, SweepVary, Swept } from "@/core/types.ts";

const SHOWN = 20;

export function Sweep({ scenario, vary }: { scenario: ScenarioCompared; vary: SweepVary[] }) {
  const found = useResource(`sweep ${scenario.id} ${scenario.at}`, (abort) => loadSwept(scenario.id, abort));
  if (found.error && !found.data) return <Failed error={found.error} what="The variants" retry={found.retry} />;
  if (!found.data) return <Skeleton height={260} />;
  return <Variants swept={found.data} scenario={scenario} vary={vary} />;
}

function Variants({ swept, scenario, vary }: { swept: Swept; scenario: ScenarioCompared; vary: SweepVary[] }) {
  useUnits(true);
  const units = swept.vary.map((_, i) => unitOf(vary[i]?.property ?? "")); // a parameter is told as its model says
  const { kpis } = scenario;
  const goals = kpis.map((kpi, i) => [kpi, i] as const).filter(([kpi]) => kpi.best);
  const [chosen, setChosen] = useState<number | null>(null);
  const [isAll, setAll] = useState(false);
  const best = swept.variants.filter((one) => one.rank === 0);
  const rows = isAll ? swept.variants : swept.variants.slice(0, SHOWN);
  return (
    <>
      <h3>
        {plural(swept.variants.length, "variant")}, {best.length} that no other beats
      </h3>
      <div class="whatif-sweep">
        {goals.length >= 2 && <Front swept={swept} kpis={kpis} x={goals[0]![1]} y={goals[1]![1]} chosen={chosen} choose={setChosen} />}
        <div class="whatif-scroll-x" tabIndex={0} role="region" aria-label="Table of variants">
          <table class="whatif-table" data-testid="variants">
            <caption class="visually-hidden">Variants, the best first</caption>
            <thead>
              <tr>
                <th scope="col">Rank</th>
                {swept.vary.map((name, i) => (
                  <th key={name} scope="col">
                    {name} <span class="unit">{unitAsRead(units[i])}</span>
                  </th>
                ))}
                {kpis.map((kpi) => (
                  <th key={kpi.id} scope="col">
                    {kpi.title} <span class="unit">{unitAsRead(kpi.unit)}</span>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((one) => (
                <tr key={one.number} class={one.number === chosen ? "chosen" : ""} data-testid="variant" data-rank={one.rank} onClick={() => setChosen(one.number)}>
                  <th scope="row">{one.rank === 0 ? "front" : one.rank}</th>
                  {one.values.map((value, i) => (
                    <td key={i}>{number(value, units[i])}</td>
                  ))}
                  {one.kpis.map((band, i) => (
                    <td key={i}>
                      {number(band.mean, kpis[i]?.unit)} <span class="meta">{range(band, kpis[i]?.unit)}</span>
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </div>
      {swept.variants.length > SHOWN && (
        <button class="button" onClick={() => setAll(!isAll)}>
          {isAll ? `The first ${SHOWN}` : `All ${swept.variants.length}`}
        </button>
      )}
    </>
  );
}

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT] = [460, 300, 66, 40, 10, 14];

interface FrontProps {
  swept: Swept;
  kpis: ScenarioCompared["kpis"];
  x: number;
  y: number;
  chosen: number | null;
  choose: (variant: number) => void;
}

function Front({ swept, kpis, x, y, chosen, choose }: FrontProps) {
  const points = swept.variants.flatMap((one) => {
    const [a, b] = [one.kpis[x]?.mean, one.kpis[y]?.mean];
    return a == null || b == null ? [] : [{ one, a: asRead(a, kpis[x]!.unit), b: asRead(b, kpis[y]!.unit) }];
  });
  const extent = (values: number[]): [number, number] => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const room = (high - low || 1) * 0.06;
    return [low >= 0 ? Math.max(0, low - room) : low - room, high + room];
  };
  const [left, right] = extent(points.map((point) => point.a));
  const [low, high] = extent(points.map((point) => point.b));
  const px = (value: number): number => LEFT + ((value - left) / (right - left)) * (WIDTH - LEFT - RIGHT);
  const py = (value: number): number => TOP + ((high - value) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const front = points.filter((point) => point.one.rank === 0).sort((p, q) => p.a - q.a);
  const [kx, ky] = [kpis[x]!, kpis[y]!];
  const words = `${ky.title} against ${kx.title}: ${points.length} variants, ${front.length} on the front`;
  const isTwo = kpis.filter((kpi) => kpi.best).length === 2;
  return (
    <svg class="whatif-chart front" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={words} data-testid="front">
      {[0, 0.5, 1].map((share) => (
        <g key={share}>
          <line class="grid" x1={LEFT} x2={WIDTH - RIGHT} y1={py(low + share * (high - low))} y2={py(low + share * (high - low))} />
          <text class="small end" x={LEFT - 6} y={py(low + share * (high - low)) + 4}>
            {formatNumber(low + share * (high - low))}
          </text>
          <text class={`small ${share === 0 ? "" : share === 1 ? "end" : "middle"}`} x={px(left + share * (right - left))} y={HEIGHT - BOTTOM + 16}>
            {formatNumber(left + share * (right - left))}
          </text>
        </g>
      ))}
      {isTwo && <polyline class="front-line" points={front.map((point) => `${px(point.a)},${py(point.b)}`).join(" ")} />}
      {points.map(({ one, a, b }) =>
        one.rank === 0 ? (
          <rect key={one.number} class={`on-front${one.number === chosen ? " chosen" : ""}`} x={px(a) - 4.5} y={py(b) - 4.5} width={9} height={9} onClick={() => choose(one.number)} />
        ) : (
          <circle key={one.number} class={`beaten${one.number === chosen ? " chosen" : ""}`} cx={px(a)} cy={py(b)} r={3.5} onClick={() => choose(one.number)} />
        ),
      )}
      <text class="small end" x={WIDTH - RIGHT} y={HEIGHT - 6}>
        {kx.title}, {unitAsRead(kx.unit)}: {kx.best} is good
      </text>
      <text class="small" x={4} y={HEIGHT - 6}>
        ↑ {ky.title}, {unitAsRead(ky.unit)}: {ky.best} is good
      </text>
    </svg>
  );
}
