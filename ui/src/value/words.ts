/** Amounts as people say them, and tables as files. */

import { formatNumber } from "@/core/words.ts";
import type { CaseFigure } from "@/core/types.ts";

type ValueKind = CaseFigure["kind"];

export function money(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "—";
  const size = Math.abs(value);
  const [divisor, unit, digits] = size >= 1e6 ? [1e6, " M", size >= 1e7 ? 1 : 2] : size >= 1e4 ? [1e3, " k", 0] : [1, "", 0];
  return `${formatNumber(value / divisor, digits as number)}${unit}`;
}

export function amount(value: number | null | undefined, kind: ValueKind): string {
  if (value === null || value === undefined) return kind === "months" || kind === "years" ? "never" : "—";
  if (kind === "money") return money(value);
  if (kind === "share") return `${formatNumber(value * 100, Number.isInteger(Math.round(value * 1e6) / 1e4) ? 0 : 1)} %`;
  if (kind === "months" || kind === "years") return `${formatNumber(value, Number.isInteger(value) ? 0 : 1)} ${kind}`;
  return formatNumber(value, Number.isInteger(value) ? 0 : 1);
}

/** What stands in the field of an input: shares as percent. */
export const shown = (value: number, kind: ValueKind): string => String(kind === "share" ? Math.round(value * 1e8) / 1e6 : value);
export const entered = (text: string, kind: ValueKind): number => (kind === "share" ? Math.round(Number(text) * 1e8) / 1e10 : Number(text));
