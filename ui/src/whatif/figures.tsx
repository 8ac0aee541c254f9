/** Key figures with bands, the tornado, alarms that would come, and what then happened. */

import { nameOf } from "@/core/plant.ts";
import { href } from "@/core/router.ts";
import { asRead, unitAsRead } from "@/core/units.ts";
import { PRIORITY_WORDS, formatNumber } from "@/core/words.ts";
import { Badge } from "@/shell/badge.tsx";
import { isBetter, number, percent, range, signed, signedRange, spread } from "./data.ts";
import type { Band, BandDifference, ScenarioKpiCompared, ScenariosCompared } from "@/core/types.ts";

interface KpisProps {
  compared: ScenariosCompared;
  chosen: string;
  choose: (id: string) => void;
}

/** One scenario beside the plant left alone; several beside the first. */
export function Kpis({ compared, chosen, choose }: KpisProps) {
  const { scenarios } = compared;
  const [first, ...rest] = scenarios;
  if (!first) return null;
  const isAlone = rest.length === 0;
  return (
    <table class="whatif-kpis" data-testid="kpis">
      <caption class="visually-hidden">Key figures, with what 90 of 100 draws lie between</caption>
      <thead>
        <tr>
          <th scope="col">Figure</th>
          {isAlone ? (
            <>
              <th scope="col">As it is</th>
              <th scope="col">What if</th>
              <th scope="col">Difference</th>
            </>
          ) : (
            scenarios.map((one, i) => (
              <th key={one.id} scope="col">
                <i class={`whatif-key s${i + 1}`} aria-hidden="true" /> {one.title}
                {i === 0 && <span class="tag">baseline</span>}
              </th>
            ))
          )}
        </tr>
      </thead>
      <tbody>
        {first.kpis.map((kpi) => (
          <tr key={kpi.id} class={kpi.id === chosen ? "chosen" : ""} data-testid="kpi" data-id={kpi.id}>
            <th scope="row">
              <button class="whatif-choose" aria-pressed={kpi.id === chosen} onClick={() => choose(kpi.id)}>
                {kpi.title}
              </button>
              <span class="unit">{unitAsRead(kpi.unit)}</span>
            </th>
            {isAlone ? (
              <>
                <Cell band={kpi.baseline} unit={kpi.unit} label="As it is" />
                <Cell band={kpi.scenario} unit={kpi.unit} label="What if" />
                <DifferenceCell found={kpi.difference} unit={kpi.unit} best={kpi.best} label="Difference" />
              </>
            ) : (
              scenarios.map((one, i) => <Beside key={one.id} kpi={one.kpis.find((other) => other.id === kpi.id)} isFirst={i === 0} label={one.title} />)
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Cell({ band, unit, label }: { band: Band; unit: string; label: string }) {
  return (
    <td data-label={label}>
      <strong>{number(band.mean, unit)}</strong>
      <span class="meta">{range(band, unit)}</span>
    </td>
  );
}

function Beside({ kpi, isFirst, label }: { kpi: ScenarioKpiCompared | undefined; isFirst: boolean; label: string }) {
  if (!kpi) return <td data-label={label}>—</td>;
  return (
    <td data-label={label}>
      <strong>{number(kpi.scenario.mean, kpi.unit)}</strong>
      <span class="meta">{range(kpi.scenario, kpi.unit)}</span>
      {!isFirst && kpi.toFirst && <Delta found={kpi.toFirst} unit={kpi.unit} best={kpi.best} />}
    </td>
  );
}

function DifferenceCell({ found, unit, best, label }: { found: BandDifference; unit: string; best: string; label: string }) {
  return (
    <td data-label={label}>
      <Delta found={found} unit={unit} best={best} />
      <Whisker band={found} />
    </td>
  );
}

/** Sure or not is said in words, better or worse too: never by colour alone. */
function Delta({ found, unit, best }: { found: BandDifference; unit: string; best: string }) {
  const better = isBetter(best, found.mean);
  const words = found.sure ? (better === null ? "sure" : better ? "better" : "worse") : "not sure";
  return (
    <span class={`whatif-delta${found.sure ? "" : " unsure"}`} title={found.isPaired === false ? "the two drew differently: all pairs of draws" : "draw by draw"}>
      <strong>{signed(found.mean, unit)}</strong> <span class="tag">{words}</span>
      <span class="meta">{signedRange(found, unit)}</span>
    </span>
  );
}

const [WIDE, HIGH] = [132, 14];

/** The band of a difference about no difference. */
function Whisker({ band }: { band: Band }) {
  if (band.mean === null || band.low === null || band.high === null) return null;
  const most = Math.max(Math.abs(band.low), Math.abs(band.high), 1e-12) * 1.1;
  const x = (value: number): number => WIDE / 2 + (value / most) * (WIDE / 2);
  return (
    <svg class="whatif-whisker" viewBox={`0 0 ${WIDE} ${HIGH}`} width={WIDE} height={HIGH} aria-hidden="true">
      <line class="zero" x1={WIDE / 2} x2={WIDE / 2} y1={0} y2={HIGH} />
      <rect class="band" x={x(band.low)} y={4} width={Math.max(1, x(band.high) - x(band.low))} height={6} />
      <circle class="mean" cx={x(band.mean)} cy={7} r={3.5} />
    </svg>
  );
}

// ---- the tornado ---------------------------------------------------------------------------------

const [WIDTH, ROW, SIDE] = [400, 36, 52];
const MOST_BARS = 10;

export function Tornado({ kpi }: { kpi: ScenarioKpiCompared }) {
  const read = (value: number): number => asRead(value, kpi.unit);
  const moved = kpi.tornado.filter((bar) => bar.low !== bar.high).slice(0, MOST_BARS);
  const bars = moved.map((bar) => ({ name: bar.name, low: read(bar.low), high: read(bar.high) }));
  const middle = kpi.tornado[0] && read(kpi.tornado[0].middle);
  if (!bars.length || middle === undefined) return <p class="soft">Nothing that was moved moves it: no parameter is unsure, and nothing was changed.</p>;
  const ends = [middle, ...bars.flatMap((bar) => [bar.low, bar.high])];
  const [least, most] = [Math.min(...ends), Math.max(...ends)];
  const x = (value: number): number => SIDE + ((value - least) / (most - least || 1)) * (WIDTH - 2 * SIDE);
  const height = bars.length * ROW + 22;
  const words = bars.map((bar) => `${bar.name} ${formatNumber(bar.low)} to ${formatNumber(bar.high)}`).join("; ");
  return (
    <>
      <svg class="whatif-chart" viewBox={`0 0 ${WIDTH} ${height}`} role="img" aria-label={`${kpi.title} with one thing moved: ${words}`} data-testid="tornado">
        <line class="axis" x1={x(middle)} x2={x(middle)} y1={0} y2={height - 18} />
        {bars.map((bar, i) => {
          const [left, right] = [Math.min(bar.low, bar.high), Math.max(bar.low, bar.high)];
          const isTurned = bar.low > bar.high;
          const clamp = (value: number): number => Math.min(right, Math.max(left, value));
          const cut = x(clamp(middle));
          return (
            <g key={bar.name}>
              <title>{bar.name}</title>
              <text x={0} y={i * ROW + 11}>
                {bar.name.length > 56 ? `${bar.name.slice(0, 55)}…` : bar.name}
              </text>
              <rect class={isTurned ? "high" : "low"} x={x(left)} y={i * ROW + 16} width={Math.max(0, cut - x(left))} height={14} />
              <rect class={isTurned ? "low" : "high"} x={cut} y={i * ROW + 16} width={Math.max(0, x(right) - cut)} height={14} />
              <text x={x(left) - 5} y={i * ROW + 27} class="small end">
                {formatNumber(left)}
              </text>
              <text x={x(right) + 5} y={i * ROW + 27} class="small">
                {formatNumber(right)}
              </text>
            </g>
          );
        })}
        <text x={x(middle)} y={height - 4} class="small middle">
          {formatNumber(middle)} {unitAsRead(kpi.unit)}
        </text>
      </svg>
      <p class="meta">
        <i class="whatif-swatch low" aria-hidden="true" /> lower end or change left out <i class="whatif-swatch high" aria-hidden="true" /> upper end or change made
      </p>
    </>
  );
}

// ---- alarms, and what happened -------------------------------------------------------------------

export function Alarms({ compared }: { compared: ScenariosCompared }) {
  const rows = compared.scenarios.flatMap((one) => one.alarms.map((alarm) => ({ one, alarm })));
  if (!rows.length) return <p class="soft">None of the plant's rules would raise, with the changes or without.</p>;
  return (
    <table class="whatif-table" data-testid="whatif-alarms">
      <caption class="visually-hidden">Alarms by rule and twin: how many of 100 draws have them</caption>
      <thead>
        <tr>
          <th scope="col">Alarm</th>
          {compared.scenarios.length > 1 && <th scope="col">Scenario</th>}
          <th scope="col">As it is</th>
          <th scope="col">What if</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ one, alarm }) => (
          <tr key={`${one.id} ${alarm.rule} ${alarm.twin}`}>
            <th scope="row">
              <span class="row">
                <Badge priority={alarm.priority} />
                <span>
                  <span class="visually-hidden">{PRIORITY_WORDS[alarm.priority]} </span>
                  {alarm.title},{" "}
                  <a class="link" href={href("twins", alarm.twin)}>
                    {nameOf(alarm.twin)}
                  </a>
                </span>
              </span>
            </th>
            {compared.scenarios.length > 1 && <td data-label="Scenario">{one.title}</td>}
            {alarm.variants.map((side, i) => (
              <td key={i} data-label={i ? "What if" : "As it is"}>
                {side.share ? `${percent(side.share)} of draws, first after ${formatNumber(side.firstHours ?? 0, 1)} h` : "no"}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function Happened({ compared }: { compared: ScenariosCompared }) {
  const rows = compared.scenarios.flatMap((one) => one.happened.map((found) => ({ one, found })));
  if (!rows.length) return <p class="soft">Too little has been measured since the fork. Fork as of an earlier moment (at: -2h) to hold a scenario against what then happened.</p>;
  return (
    <table class="whatif-table" data-testid="happened">
      <caption class="visually-hidden">Errors of the simulated series, and how often the band held what was measured</caption>
      <thead>
        <tr>
          <th scope="col">Series</th>
          <th scope="col">Moments</th>
          <th scope="col" title="mean error of the plant left alone">
            Bias
          </th>
          <th scope="col" title="root mean square error of the plant left alone">
            RMSE
          </th>
          <th scope="col" title="share of moments inside the band; 90 % is meant">
            In the band
          </th>
          <th scope="col" title="the scenario's own error and share">
            What if
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ one, found }) => (
          <tr key={`${one.id} ${found.twin} ${found.property}`}>
            <th scope="row">
              {nameOf(found.twin)} <span class="soft">{found.property}</span>
            </th>
            <td data-label="Moments">{found.moments}</td>
            <td data-label="Bias">
              {signed(found.baseline.bias, found.unit)} <span class="unit">{unitAsRead(found.unit)}</span>
            </td>
            <td data-label="RMSE">{spread(found.baseline.rmse, found.unit)}</td>
            <td data-label="In the band">{percent(found.baseline.coverage)}</td>
            <td data-label="What if">
              {spread(found.scenario.rmse, found.unit)}, {percent(found.scenario.coverage)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
