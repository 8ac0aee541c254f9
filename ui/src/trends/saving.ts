/** A chart as a file: every reading as CSV, or the picture with its legend. */

import { getBytes, query } from "@/core/api.ts";
import { saveCsv, saveFile } from "@/core/saving.ts";
import { tokenColor } from "@/core/theme.ts";
import { unitAsRead } from "@/core/units.ts";
import { formatMoment, zoneName } from "@/core/words.ts";
import { readColumns } from "@/charts/bytes.ts";
import { lineColor } from "@/charts/plot.ts";
import type { Subject } from "./lines.ts";

export const MOST_READINGS = 100_000;

const stamp = ([from, to]: [number, number]): string => [from, to].map((ms) => new Date(ms).toISOString().slice(0, 19).replaceAll(":", "")).join("-to-");

/** Every reading of a span in the unit of its model, not what was drawn of it. Returns how many, and whether the end was left off. */
export async function saveReadings(subjects: Subject[], span: [number, number]): Promise<{ rows: number; isCut: boolean }> {
  const rows: unknown[][] = [];
  let isCut = false;
  for (const { tag, unit } of subjects) {
    const asked = query({ twin: tag.twin, property: tag.property, provenance: tag.provenance, from: Math.round(span[0]), to: Math.round(span[1]), limit: MOST_READINGS, quality: "all", format: "columns" });
    for (const one of readColumns(await getBytes(`/history${asked}`))) {
      isCut ||= one.time.length >= MOST_READINGS;
      one.time.forEach((ms, i) => rows.push([new Date(ms).toISOString(), one.twin, one.property, one.provenance, Number.isNaN(one.value[i]) ? null : one.value[i], unit ?? "", one.quality?.[i] ?? 0]));
    }
  }
  saveCsv(`gemel-trend-${stamp(span)}.csv`, [["time", "twin", "property", "provenance", "value", "unit", "quality"], ...rows]);
  return { rows: rows.length, isCut };
}

const HEAD = 30;
const ROW = 18;
const MARGIN = 12;

/** The canvas with a ground, what its lines are, and the span. */
export async function savePicture(canvas: HTMLCanvasElement, subjects: Subject[], span: [number, number], title: string): Promise<void> {
  const ratio = devicePixelRatio;
  const [width, height] = [canvas.width / ratio, canvas.height / ratio];
  const picture = document.createElement("canvas");
  const rows = subjects.length;
  picture.width = (width + 2 * MARGIN) * ratio;
  picture.height = (height + HEAD + rows * ROW + 2 * MARGIN) * ratio;
  const ctx = picture.getContext("2d")!;
  ctx.scale(ratio, ratio);
  ctx.fillStyle = tokenColor("bg1");
  ctx.fillRect(0, 0, picture.width, picture.height);
  ctx.fillStyle = tokenColor("fg1");
  ctx.font = '650 14px "Inter", system-ui, sans-serif';
  ctx.fillText(title, MARGIN, MARGIN + 14);
  ctx.font = '12px "Inter", system-ui, sans-serif';
  ctx.textAlign = "right";
  ctx.fillText(`${formatMoment(span[0], 0)} to ${formatMoment(span[1], 0)} ${zoneName(span[1])}`, width + MARGIN, MARGIN + 14);
  ctx.textAlign = "left";
  subjects.forEach((one, i) => {
    const y = MARGIN + HEAD + i * ROW;
    ctx.fillStyle = lineColor(i);
    ctx.fillRect(MARGIN, y + 3, 14, 3);
    ctx.fillStyle = tokenColor("fg2");
    ctx.fillText(`${one.label}${one.unit ? ` (${unitAsRead(one.unit)})` : ""}`, MARGIN + 22, y + 9);
  });
  ctx.drawImage(canvas, MARGIN, MARGIN + HEAD + rows * ROW, width, height);
  const content = await new Promise<Blob | null>((done) => picture.toBlob(done, "image/png"));
  if (content) saveFile(`gemel-trend-${stamp(span)}.png`, content);
}
