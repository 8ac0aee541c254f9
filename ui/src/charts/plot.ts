/** The uPlot instance of one chart: colours from the tokens, limit lines, drag to zoom. */

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { formatClock, formatDay, formatNumber } from "@/core/words.ts";
import { tokenColor } from "@/core/theme.ts";
import { wordsApart } from "./apart.ts";
import { writeOver } from "./now.ts";

/** Of a limit's words, in pixels of the page. */
const WORDS_HEIGHT = 14;

/** So few values are dots: a line through one of them is none. */
const MOST_DOTS = 20;

export interface Limit {
  value: number;
  /** 1-4: the colour of the line. */
  priority: number;
  label: string;
}

export interface PlotLine {
  label: string;
  unit: string | null;
  /** Which of the six colours; its own place when not said. */
  color?: number;
  /** Predicted is dashed; what bounds a band has no line of its own. */
  style?: "dashed" | "thin" | "none";
}

export interface PlotOptions {
  series: PlotLine[];
  /** Between two series (from 0): how strong its colour is, 0 to 1. */
  bands?: { high: number; low: number; alpha: number; color: number }[];
  /** What else is drawn over the lines. */
  layers?: ((plot: uPlot) => void)[];
  limits: (Limit & { unit?: string | null })[];
  marks: { time: number; label: string }[];
  onZoom?: ((from: number, to: number) => void) | undefined;
  onCursor?: ((index: number | null) => void) | undefined;
}

export const FONT = '12px "Inter", system-ui, sans-serif';

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
    scales: { x: { time: true, range: () => range() }, ...Object.fromEntries(units.map((unit, i) => [`y${i}`, { range: (_plot: uPlot, low: number | null, high: number | null) => span(low, high, options.limits.filter((one) => (one.unit === undefined ? i === 0 : (one.unit ?? "") === unit))) }])) },
    axes: [
      { ...axis, size: 26, gap: 6, space: 70, values: timeLabels },
      ...units.slice(0, 2).map((unit, i) => ({ ...axis, scale: `y${i}`, side: i === 0 ? 3 : 1, size: axisSize, gap: 6, space: 34, grid: { ...axis.grid, show: i === 0 }, values: (_plot: uPlot, ticks: number[]) => ticks.map((tick) => tickWords(tick, ticks)), stroke: units.length > 1 ? lineColor(firstOf(options.series, unit)) : colors.text })),
    ],
    series: [{}, ...options.series.map((one, i) => seriesOf(one, i, scaleOf(one.unit)))],
    bands: (options.bands ?? []).map((one) => ({ series: [one.high + 1, one.low + 1], fill: faded(lineColor(one.color), one.alpha) })),
    hooks: {
      draw: [(plot) => drawLimits(plot, options, scaleOf), ...(options.layers ?? [])],
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

/** The colour of the first line in a unit. */
function firstOf(lines: PlotLine[], unit: string): number {
  const index = lines.findIndex((one) => (one.unit ?? "") === unit);
  return lines[index]?.color ?? index;
}

export const lineColor = (index: number): string => tokenColor(`s${(index % 6) + 1}`);
const faded = (color: string, alpha: number): string => color.replace(/^rgb\((.*)\)$/, `rgba($1, ${alpha})`);

function seriesOf(line: PlotLine, index: number, scale: string): uPlot.Series {
  const color = lineColor(line.color ?? index);
  const stroke = line.style === "none" ? "transparent" : line.style === "thin" ? faded(color, 0.6) : color;
  const isPlain = !line.style;
  return { label: line.label, scale, stroke, width: isPlain ? 1.6 : line.style === "none" ? 0 : 1.2, ...(line.style === "dashed" ? { dash: [6, 4] } : {}), points: { size: 4, show: (plot: uPlot) => isPlain && plot.data[0].length <= MOST_DOTS }, spanGaps: false };
}

/** As wide as the widest label. */
export function axisSize(_plot: uPlot, values: string[] | null): number {
  const longest = Math.max(3, ...(values ?? []).map((value) => value.length));
  return longest * 7 + 12;
}

export function tickWords(tick: number, ticks: number[]): string {
  const step = Math.abs((ticks[1] ?? 1) - (ticks[0] ?? 0)) || 1;
  let digits = 0;
  while (digits < 6 && Math.abs(step * 10 ** digits - Math.round(step * 10 ** digits)) > 1e-6) digits += 1;
  return formatNumber(tick, digits);
}

export function timeLabels(plot: uPlot, ticks: number[]): string[] {
  const [low, high] = [plot.scales["x"]!.min ?? 0, plot.scales["x"]!.max ?? 0];
  return ticks.map((tick) => {
    const clock = formatClock(tick * 1000);
    if (high - low > 3 * 86_400) return formatDay(tick * 1000).slice(5);
    return high - low < 300 ? clock : clock.slice(0, 5);
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

function drawLimits(plot: uPlot, options: PlotOptions, scaleOf: (unit: string | null) => string): void {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.font = `${11 * ratio}px "Inter", system-ui, sans-serif`;
  const heights = options.limits.map((limit) => Math.round(plot.valToPos(limit.value, limit.unit === undefined ? "y0" : scaleOf(limit.unit), true)) + 0.5);
  const seen = options.limits.map((limit, i) => ({ limit, y: heights[i]! })).filter(({ y }) => y >= bbox.top && y <= bbox.top + bbox.height);
  const words = wordsApart(seen.map(({ y }) => y), WORDS_HEIGHT * ratio, bbox.top, bbox.top + bbox.height, ratio);
  for (const [i, { limit, y }] of seen.entries()) {
    ctx.strokeStyle = ctx.fillStyle = tokenColor(`p${limit.priority}`);
    line(ctx, [2 * ratio, 3 * ratio], 1.5 * ratio, bbox.left, y, bbox.left + bbox.width, y);
    ctx.textAlign = "left";
    ctx.textBaseline = "bottom";
    writeOver(ctx, limit.label, bbox.left + 6 * ratio, words[i]!);
  }
  for (const mark of options.marks) {
    const x = Math.round(plot.valToPos(mark.time / 1000, "x", true)) + 0.5;
    ctx.strokeStyle = ctx.fillStyle = tokenColor("fg2");
    line(ctx, [], ratio, x, bbox.top, x, bbox.top + bbox.height);
    ctx.textBaseline = "bottom";
    const isRight = x > bbox.left + bbox.width * 0.75;
    ctx.textAlign = isRight ? "right" : "left";
    writeOver(ctx, mark.label, x + (isRight ? -5 : 5) * ratio, bbox.top + bbox.height - 4 * ratio);
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
