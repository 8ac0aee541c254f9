/** A line without axes; its words are the value beside it. */

import type { Columns } from "./history.ts";

const WIDTH = 96;
const HEIGHT = 24;

export function sparkPath(columns: Columns, width = WIDTH, height = HEIGHT): string {
  const numbers = columns.value.filter((value): value is number => typeof value === "number");
  const first = columns.time[0];
  const last = columns.time[columns.time.length - 1];
  if (numbers.length < 2 || first === undefined || last === undefined || last === first) return "";
  let [low, high] = [Infinity, -Infinity];
  for (const value of numbers) [low, high] = [Math.min(low, value), Math.max(high, value)];
  const extent = high - low || 1;
  let path = "";
  let isDown = false;
  columns.time.forEach((time, i) => {
    const value = columns.value[i];
    if (typeof value !== "number") {
      isDown = false;
      return;
    }
    const x = ((time - first) / (last - first)) * width;
    const y = high === low ? height / 2 : height - 2 - ((value - low) / extent) * (height - 4);
    path += `${isDown ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
    isDown = true;
  });
  return path;
}

export function Sparkline({ columns }: { columns: Columns | undefined }) {
  return (
    <svg class="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      {columns && <path d={sparkPath(columns)} vector-effect="non-scaling-stroke" />}
    </svg>
  );
}
