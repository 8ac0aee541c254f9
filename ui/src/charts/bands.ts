/** A uPlot of lines with bands about them: what is expected, and how surely. */

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { tokenColor } from "@/core/theme.ts";
import { FONT, axisSize, span, tickWords, timeLabels } from "./plot.ts";

export interface BandLine {
  label: string;
  /** A token: s1 to s6, fg1. */
  colour: string;
  dash?: number[];
  mean: (number | null)[];
  low?: (number | null)[];
  high?: (number | null)[];
}

export interface BandPlot {
  /** ms */
  time: number[];
  lines: BandLine[];
  onCursor: (index: number | null) => void;
}

const SHARE = 0.18;

export function makeBands(box: HTMLElement, { time, lines, onCursor }: BandPlot): uPlot {
  const data: (number | null)[][] = [time.map((ms) => ms / 1000)];
  const series: uPlot.Series[] = [{}];
  const bands: uPlot.Band[] = [];
  for (const one of lines) {
    const stroke = tokenColor(one.colour);
    if (one.low && one.high) {
      data.push(one.high, one.low);
      series.push({ stroke, width: 0, points: { show: false } }, { stroke, width: 0, points: { show: false } });
      bands.push({ series: [series.length - 2, series.length - 1], fill: translucent(stroke) });
    }
    data.push(one.mean);
    series.push({ label: one.label, stroke, width: 1.8, points: { show: false }, spanGaps: false, ...(one.dash ? { dash: one.dash } : {}) });
  }
  const axis = { stroke: tokenColor("fg2"), font: FONT, grid: { stroke: tokenColor("line"), width: 1 }, ticks: { show: false } };
  return new uPlot(
    {
      width: Math.max(80, box.clientWidth),
      height: Math.max(60, box.clientHeight),
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, points: { show: false }, y: false },
      scales: { x: { time: true }, y: { range: (_plot, low, high) => span(low, high, []) } },
      axes: [
        { ...axis, size: 26, gap: 6, space: 70, values: timeLabels },
        { ...axis, size: axisSize, gap: 6, space: 34, values: (_plot, ticks) => ticks.map((tick) => tickWords(tick, ticks)) },
      ],
      series,
      bands,
      hooks: { setCursor: [(plot) => onCursor(plot.cursor.idx ?? null)] },
    },
    data as uPlot.AlignedData,
    box,
  );
}

/** The colour of a token, seen through. */
function translucent(colour: string): string {
  const context = document.createElement("canvas").getContext("2d")!;
  context.fillStyle = colour;
  const hex = String(context.fillStyle);
  const parts = [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
  return `rgba(${parts.join(",")},${SHARE})`;
}
