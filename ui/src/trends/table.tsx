/** The values of a chart as rows: what is drawn, for those who do not see it. */

import { useMemo, useRef } from "preact/hooks";
import { align } from "@/charts/history.ts";
import { formatMoment, formatNumber } from "@/core/words.ts";
import { useVirtual } from "@/shell/virtual.ts";
import type { TrendChart } from "./chart.ts";
import type { Subject } from "./lines.ts";
import { shownEdges } from "./store.ts";
import { firstAfter } from "./lines.ts";

const ROW = 26;

export function ValueTable({ chart, subjects, title }: { chart: TrendChart; subjects: Subject[]; title: string }) {
  const box = useRef<HTMLDivElement>(null);
  const version = chart.version.value;
  const lines = chart.lines.filter((one) => one.role !== "quantile");
  const data = useMemo(() => (lines.length ? align(lines.map((one) => one.columns)) : [[]]), [version, subjects]);
  const [from, to] = shownEdges.value;
  const time = data[0] as number[];
  const start = firstAfter(time, from / 1000 - 1e-6);
  const count = Math.max(0, firstAfter(time, to / 1000) - start);
  const { items, size } = useVirtual(count, ROW, box);
  const columns = { gridTemplateColumns: `190px repeat(${lines.length}, minmax(90px, 1fr))` };
  return (
    <div class="value-table" ref={box} role="table" tabIndex={0} aria-label={`Values of ${title}, the newest first`} aria-rowcount={count + 1} data-testid="value-table">
      <div class="value-row head" role="row" aria-rowindex={1} style={columns}>
        <span role="columnheader">Time</span>
        {lines.map((one) => (
          <span role="columnheader" key={one.label} class="ellipsis" title={one.label}>
            {one.label} {one.unit && <span class="unit">{one.unit}</span>}
          </span>
        ))}
      </div>
      <div role="rowgroup" style={{ height: `${size}px`, position: "relative" }}>
        {items.map((item) => {
          const row = start + count - 1 - item.index;
          return (
            <div key={item.index} class="value-row" role="row" aria-rowindex={item.index + 2} style={{ ...columns, transform: `translateY(${item.start}px)`, height: `${ROW}px` }}>
              <span role="rowheader">{formatMoment((time[row] ?? 0) * 1000, 0)}</span>
              {lines.map((one, i) => {
                const value = data[i + 1]?.[row];
                return (
                  <span role="cell" key={one.label}>
                    {value === undefined ? "" : value === null ? "—" : formatNumber(value)}
                  </span>
                );
              })}
            </div>
          );
        })}
      </div>
    </div>
  );
}
