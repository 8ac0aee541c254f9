/** What is drawn over the lines of a chart: the selection and what happened. */

import { at, inside, type Draw } from "@/charts/now.ts";
import { wall } from "@/core/clock.ts";
import { tokenColor } from "@/core/theme.ts";
import { within, type Event } from "./events.ts";

const STRIP = 4;

export const eventLayer =
  (events: () => Event[], edges: () => [number, number]): Draw =>
  (plot) =>
    inside(plot, (ctx, ratio, box) => {
      for (const one of urgentLast(within(events(), edges()))) {
        const x = at(plot, one.from);
        if (one.kind === "alarm") {
          const end = one.to === null ? at(plot, wall.peek()) : at(plot, one.to);
          ctx.fillStyle = tokenColor(`p${one.priority}`);
          ctx.fillRect(x, box.top + box.height - STRIP * ratio, Math.max(2 * ratio, end - x), STRIP * ratio);
          ctx.globalAlpha = 0.55;
          ctx.fillRect(x, box.top, ratio, box.height);
          ctx.globalAlpha = 1;
          badge(ctx, Math.min(box.left + box.width - 7 * ratio, Math.max(box.left + 7 * ratio, x)), box.top + 9 * ratio, ratio, one.priority);
        } else {
          ctx.fillStyle = tokenColor("accent");
          triangle(ctx, x, box.top + box.height - (STRIP + 1) * ratio, 5 * ratio);
          ctx.fill();
        }
      }
    });

/** Where marks lie over each other, the most urgent one is seen. */
const urgentLast = (events: Event[]): Event[] => [...events].sort((a, b) => b.priority - a.priority || a.from - b.from);

/** The shape of a priority with its number: never by colour alone. */
function badge(ctx: CanvasRenderingContext2D, x: number, y: number, ratio: number, priority: number): void {
  const size = 6.5 * ratio;
  ctx.fillStyle = tokenColor(`p${priority}`);
  ctx.beginPath();
  if (priority === 1) ctx.rect(x - size, y - size, size * 2, size * 2);
  else if (priority === 4) ctx.arc(x, y, size, 0, Math.PI * 2);
  else triangle(ctx, x, priority === 2 ? y + size : y - size, size * 1.25, priority === 3);
  ctx.fill();
  ctx.fillStyle = tokenColor("on-priority");
  ctx.font = `650 ${9 * ratio}px "Inter", system-ui, sans-serif`;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.fillText(String(priority), x, y + (priority === 2 ? 2 : priority === 3 ? -1.5 : 0.5) * ratio);
}

/** Its base is at y; it points up, or down. */
function triangle(ctx: CanvasRenderingContext2D, x: number, y: number, size: number, isDown = false): void {
  const tip = isDown ? y + size * 1.8 : y - size * 1.8;
  ctx.beginPath();
  ctx.moveTo(x - size, y);
  ctx.lineTo(x + size, y);
  ctx.lineTo(x, tip);
  ctx.closePath();
}

export const selectionLayer = (selection: () => [number, number] | null): Draw => (plot) =>
  inside(plot, (ctx, ratio, box) => {
    const span = selection();
    if (!span) return;
    const [x0, x1] = [at(plot, span[0]), at(plot, span[1])];
    ctx.fillStyle = ctx.strokeStyle = tokenColor("accent");
    ctx.globalAlpha = 0.13;
    ctx.fillRect(x0, box.top, x1 - x0, box.height);
    ctx.globalAlpha = 0.8;
    ctx.lineWidth = ratio;
    ctx.strokeRect(x0, box.top - ratio, x1 - x0, box.height + 2 * ratio);
    ctx.globalAlpha = 1;
  });
