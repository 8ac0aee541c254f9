/** The uPlot instance of one chart: colours from the tokens, limit lines, drag to zoom. */

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { formatNumber } from "@/core/words.ts";
import { tokenColor } from "@/core/theme.ts";

export interface Limit {
  value: number;
  /** 1-4: the colour of the line. */
  priority: number;
  label: string;
}

export interface PlotOptions {
  series: { label: string; unit: string | null }[];
  limits: Limit[];
  marks: { time: number; label: string }[];
  onZoom?: ((from: number, to: number) => void) | undefined;
  onCursor?: ((index: number | null) => void) | undefined;
}

const FONT = '12px "Inter", system-ui, sans-serif';

export function makePlot(box: HTMLElement, data: uPlot.AlignedData, options: PlotOptions, range: () => [number, number]): uPlot {
  const colors = { grid: tokenColor("line"), text: tokenColor("fg2"), now: tokenColor("fg3") };
  const units = [...new Set(options.series.map((one) => one.unit ?? ""))];
  const scaleOf = (unit: string | null): string => `y${units.indexOf(unit ?? "")}`;
  const axis = { stroke: colors.text, font: FONT, grid: { stroke: colors.grid, width: 1 }, ticks: { show: false } };
  const settings: uPlot.Options = {
    width: Math.max(80, box.clientWidth),
    height: Math.max(60, box.clientHeight),
    legend: { show: false },
    cursor: { drag: { x: Boolean(options.onZoom), y: false, setScale: false }, points: { size: 7 }, y: false },
    scales: { x: { time: true, range: () => range() }, ...Object.fromEntries(units.map((_unit, i) => [`y${i}`, { range: (_plot: uPlot, low: number | null, high: number | null) => span(low, high, i === 0 ? options.limits : []) }])) },
    axes: [
      { ...axis, size: 26, gap: 6, space: 70, values: timeLabels },
      ...units.slice(0, 2).map((unit, i) => ({ ...axis, scale: `y${i}`, side: i === 0 ? 3 : 1, size: axisSize, gap: 6, space: 34, grid: { ...axis.grid, show: i === 0 }, values: (_plot: uPlot, ticks: number[]) => ticks.map((tick) => tickWords(tick, ticks)), stroke: units.length > 1 ? tokenColor(`s${1 + options.series.findIndex((one) => (one.unit ?? "") === unit)}`) : colors.text })),
    ],
    series: [
      {},
      ...options.series.map((one, i) => ({ label: one.label, scale: scaleOf(one.unit), stroke: tokenColor(`s${(i % 6) + 1}`), width: 1.6, points: { show: false }, spanGaps: false })),
    ],
    hooks: {
      draw: [(plot) => drawLimits(plot, options)],
      setSelect: [
        (plot) => {
          if (plot.select.width > 6) options.onZoom?.(plot.posToVal(plot.select.left, "x") * 1000, plot.posToVal(plot.select.left + plot.select.width, "x") * 1000);
          plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
        },
      ],
      setCursor: [(plot) => options.onCursor?.(plot.cursor.idx ?? null)],
    },
  };
  return new uPlot(settings, data, box);
}

/** As wide as the widest label. */
function axisSize(_plot: uPlot, values: string[] | null): number {
  const longest = Math.max(3, ...(values ?? []).map((value) => value.length));
  return longest * 7 + 12;
}

function tickWords(tick: number, ticks: number[]): string {
  const step = Math.abs((ticks[1] ?? 1) - (ticks[0] ?? 0)) || 1;
  let digits = 0;
  while (digits < 6 && Math.abs(step * 10 ** digits - Math.round(step * 10 ** digits)) > 1e-6) digits += 1;
  return formatNumber(tick, digits);
}

function timeLabels(plot: uPlot, ticks: number[]): string[] {
  const [low, high] = [plot.scales["x"]!.min ?? 0, plot.scales["x"]!.max ?? 0];
  const pad = (value: number): string => String(value).padStart(2, "0");
  return ticks.map((tick) => {
    const date = new Date(tick * 1000);
    const clock = `${pad(date.getHours())}:${pad(date.getMinutes())}`;
    if (high - low > 3 * 86_400) return `${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
    return high - low < 300 ? `${clock}:${pad(date.getSeconds())}` : clock;
  });
}

/** Room above and below, and the limits inside when they are near. */
export function span(low: number | null, high: number | null, limits: Limit[]): [number, number] {
  let [bottom, top] = [low ?? 0, high ?? 1];
  const extent = top - bottom || Math.abs(top) * 0.1 || 1;
  for (const { value } of limits) {
    if (value > bottom - 2.5 * extent && value < top + 2.5 * extent) [bottom, top] = [Math.min(bottom, value), Math.max(top, value)];
  }
  const room = (top - bottom || extent) * 0.08;
  const isNeverNegative = (low ?? 0) >= 0;
  return [isNeverNegative ? Math.max(0, bottom - room) : bottom - room, top + room];
}

function drawLimits(plot: uPlot, options: PlotOptions): void {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.font = `${11 * ratio}px "Inter", system-ui, sans-serif`;
  for (const limit of options.limits) {
    const y = Math.round(plot.valToPos(limit.value, "y0", true)) + 0.5;
    ctx.strokeStyle = ctx.fillStyle = tokenColor(`p${limit.priority}`);
    line(ctx, [2 * ratio, 3 * ratio], 1.5 * ratio, bbox.left, y, bbox.left + bbox.width, y);
    ctx.textAlign = "left";
    ctx.textBaseline = y - bbox.top < 20 * ratio ? "top" : "bottom";
    ctx.fillText(limit.label, bbox.left + 6 * ratio, y + (ctx.textBaseline === "top" ? 4 : -3) * ratio);
  }
  for (const mark of options.marks) {
    const x = Math.round(plot.valToPos(mark.time / 1000, "x", true)) + 0.5;
    ctx.strokeStyle = ctx.fillStyle = tokenColor("fg2");
    line(ctx, [], ratio, x, bbox.top, x, bbox.top + bbox.height);
    ctx.textBaseline = "bottom";
    const isRight = x > bbox.left + bbox.width * 0.75;
    ctx.textAlign = isRight ? "right" : "left";
    ctx.fillText(mark.label, x + (isRight ? -5 : 5) * ratio, bbox.top + bbox.height - 4 * ratio);
  }
  ctx.restore();
}

function line(ctx: CanvasRenderingContext2D, dash: number[], width: number, x0: number, y0: number, x1: number, y1: number): void {
  ctx.setLineDash(dash);
  ctx.lineWidth = width;
  ctx.beginPath();
  ctx.moveTo(x0, y0);
  ctx.lineTo(x1, y1);
  ctx.stroke();
}
