/** Tornado and band in plain SVG; each has its table beside it for those who do not see it. */

import type { CaseBand, CaseBar } from "@/core/types.ts";
import { amount, money, short } from "./words.ts";

const WIDTH = 640;
const ROW = 30;
const LABEL = 216;

/** The present value with one input at either end of its range. */
export function Tornado({ bars, base }: { bars: CaseBar[]; base: number }) {
  const some = bars.filter((bar) => bar.atLow !== bar.atHigh);
  const ends = [base, ...some.flatMap((bar) => [bar.atLow, bar.atHigh])];
  const [least, most] = [Math.min(...ends), Math.max(...ends)];
  const x = (value: number): number => LABEL + 56 + ((value - least) / (most - least || 1)) * (WIDTH - LABEL - 112);
  const height = some.length * ROW + 22;
  return (
    <svg class="value-chart" viewBox={`0 0 ${WIDTH} ${height}`} role="img" aria-label={`Net present value by input: ${some.map((bar) => `${bar.title} ${money(bar.atLow)} to ${money(bar.atHigh)}`).join("; ")}`}>
      {some.map((bar, i) => {
        const [left, right] = [Math.min(bar.atLow, bar.atHigh), Math.max(bar.atLow, bar.atHigh)];
        const isTurned = bar.atLow > bar.atHigh;
        const y = i * ROW;
        return (
          <g key={bar.name}>
            <text x={0} y={y + 13} class="word">
              {bar.title.length > 34 ? `${bar.title.slice(0, 33)}…` : bar.title}
            </text>
            <text x={0} y={y + 25} class="small">
              {amount(bar.low, bar.kind)} to {amount(bar.high, bar.kind)}
            </text>
            <rect class={isTurned ? "high" : "low"} x={x(left)} y={y + 5} width={Math.max(0, x(base) - x(left))} height={16} />
            <rect class={isTurned ? "low" : "high"} x={x(base)} y={y + 5} width={Math.max(0, x(right) - x(base))} height={16} />
            <text x={x(left) - 5} y={y + 17} class="small end">
              {short(left)}
            </text>
            <text x={x(right) + 5} y={y + 17} class="small">
              {short(right)}
            </text>
          </g>
        );
      })}
      <line class="axis" x1={x(base)} x2={x(base)} y1={0} y2={height - 18} />
      <text x={x(base)} y={height - 4} class="small middle">
        {short(base)}
      </text>
    </svg>
  );
}

const HEIGHT = 230;
const [LEFT, RIGHT, TOP, BOTTOM] = [58, 12, 10, 26];

/** Cash summed over the years: the middle of the draws and nine tenths of them. */
export function Course({ band }: { band: CaseBand }) {
  const [low, middle, high] = band.sum;
  const last = middle.length - 1;
  const [least, most] = [Math.min(0, ...low), Math.max(0, ...high)];
  const x = (year: number): number => LEFT + (year / last) * (WIDTH - LEFT - RIGHT);
  const y = (value: number): number => TOP + ((most - value) / (most - least || 1)) * (HEIGHT - TOP - BOTTOM);
  const line = (values: number[]): string => values.map((value, year) => `${x(year).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  const step = niceStep((most - least) / 4);
  const ticks: number[] = [];
  for (let at = Math.ceil(least / step) * step; at <= most; at += step) ticks.push(at);
  return (
    <svg class="value-chart" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`Cash summed over ${last} years: at the end ${money(middle[last])}, 90 % from ${money(low[last])} to ${money(high[last])}`}>
      {ticks.map((tick) => (
        <g key={tick}>
          <line class={tick === 0 ? "axis" : "grid"} x1={LEFT} x2={WIDTH - RIGHT} y1={y(tick)} y2={y(tick)} />
          <text x={LEFT - 8} y={y(tick) + 4} class="small end">
            {short(tick)}
          </text>
        </g>
      ))}
      <polygon class="area" points={`${line(high)} ${[...low].map((value, year) => `${x(year).toFixed(1)},${y(value).toFixed(1)}`).reverse().join(" ")}`} />
      <polyline class="middle-line" points={line(middle)} />
      {middle.map((_value, year) =>
        last <= 12 || year % 5 === 0 ? (
          <text key={year} x={x(year)} y={HEIGHT - 8} class={`small ${year === last ? "end" : "middle"}`}>
            {year === last ? `year ${year}` : year}
          </text>
        ) : null,
      )}
    </svg>
  );
}

function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough || 1));
  return ([1, 2, 5, 10].find((one) => one * power >= rough) ?? 10) * power;
}

/** How the draws of the present value lie. */
export function Spread({ band }: { band: CaseBand }) {
  const { edges, counts } = band.histogram;
  const most = Math.max(...counts);
  const width = WIDTH / counts.length;
  const [first, last] = [edges[0]!, edges[edges.length - 1]!];
  const x = (value: number): number => ((value - first) / (last - first || 1)) * WIDTH;
  const [low, , high] = band.presentValue;
  return (
    <svg class="value-chart" viewBox={`0 0 ${WIDTH} 96`} role="img" aria-label={`Net present value of ${band.samples} draws: 90 % from ${money(low)} to ${money(high)}`}>
      {counts.map((count, i) => (
        <rect key={i} class={edges[i]! >= low && edges[i]! <= high ? "high" : "low"} x={i * width + 0.5} width={width - 1} y={70 - (count / most) * 64} height={(count / most) * 64} />
      ))}
      {first < 0 && last > 0 && <line class="axis" x1={x(0)} x2={x(0)} y1={0} y2={76} />}
      <text x={0} y={90} class="small">
        {short(first)}
      </text>
      <text x={WIDTH / 2} y={90} class="small middle">
        net present value of {band.samples} draws, blue: 90 %
      </text>
      <text x={WIDTH} y={90} class="small end">
        {short(last)}
      </text>
    </svg>
  );
}
