/** What is drawn over the lines of a chart: where now is. */

import type uPlot from "uplot";
import { moment, wall } from "@/core/clock.ts";
import { tokenColor } from "@/core/theme.ts";

export type Draw = (plot: uPlot) => void;

/** Where what is measured ends and what is foreseen begins; in a replay, the moment of the clock. */
export const nowLayer = (edges: () => [number, number]): Draw => (plot) =>
  inside(plot, (ctx, ratio, box) => {
    const now = moment.peek() ?? wall.peek();
    const [from, to] = edges();
    if (now <= from || now >= to - (to - from) * 0.002) return;
    const x = Math.round(at(plot, now)) + 0.5;
    ctx.strokeStyle = ctx.fillStyle = tokenColor("fg2");
    ctx.lineWidth = ratio;
    ctx.setLineDash([4 * ratio, 3 * ratio]);
    ctx.beginPath();
    ctx.moveTo(x, box.top);
    ctx.lineTo(x, box.top + box.height);
    ctx.stroke();
    ctx.font = `${11 * ratio}px "Inter", system-ui, sans-serif`;
    ctx.textBaseline = "bottom";
    const isRight = x > box.left + box.width * 0.85;
    ctx.textAlign = isRight ? "right" : "left";
    writeOver(ctx, moment.peek() === null ? "now" : "shown", x + (isRight ? -5 : 5) * ratio, box.top + box.height - 8 * ratio);
  });

/** Words that stay readable where lines run under them. */
export function writeOver(ctx: CanvasRenderingContext2D, words: string, x: number, y: number): void {
  ctx.setLineDash([]);
  ctx.lineJoin = "round";
  ctx.lineWidth = 4 * devicePixelRatio;
  ctx.strokeStyle = tokenColor("bg1");
  ctx.strokeText(words, x, y);
  ctx.fillText(words, x, y);
}

/** Where a moment is, in pixels of the canvas. */
export const at = (plot: uPlot, ms: number): number => plot.valToPos(ms / 1000, "x", true);

/** Draws within the lines' part of a chart only. */
export function inside(plot: uPlot, draw: (ctx: CanvasRenderingContext2D, ratio: number, box: uPlot.BBox) => void): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  draw(ctx, devicePixelRatio, bbox);
  ctx.restore();
}
