/** A forecast as charts draw it: its middle, dashed, and bands between its quantiles. */

import type { Property } from "@/core/types.ts";
import { unitAsRead } from "@/core/units.ts";
import { fetchColumns, type Columns, type Signal } from "./history.ts";
import type { PlotLine } from "./plot.ts";

/** Quantiles of a property's forecast, the lowest first; null without a forecast. */
export function levelsOf(property: Property | undefined): number[] | null {
  const forecast = property?.others?.find((one) => one.provenance === "predicted");
  return forecast ? Object.keys(forecast.quantiles).map(Number).sort((a, b) => a - b) : null;
}

/** The columns of `forecastLines`. */
export function fetchForecast(of: Signal, levels: number[], from: number, to: number, px: number, abort: AbortSignal): Promise<Columns[]> {
  const paths = [of.property, ...levels.map((level) => `${of.property}@q${level}`)];
  return fetchColumns(paths.map((property) => ({ ...of, property })), from, to, px, abort, "predicted");
}

export interface ForecastLine extends PlotLine {
  /** The place of the signal that it belongs to. */
  tag: number;
  role: "forecast" | "quantile";
  level?: number;
}

export function forecastLines({ label, unit }: Signal, levels: number[], tag: number): ForecastLine[] {
  const shared = { unit: unitAsRead(unit), color: tag, tag };
  return [
    { ...shared, label: `${label}, forecast`, style: "dashed", role: "forecast" },
    ...levels.map((level): ForecastLine => ({ ...shared, label: `${label}, ${level * 100} % quantile`, style: "none", role: "quantile", level })),
  ];
}

const WIDE = 0.13;
const NARROW = 0.25;

/** Between quantiles as far from the middle on either side: the outermost pale, those within half strong. */
export function bandsOf(lines: { tag: number; role: string; level?: number }[]): { high: number; low: number; alpha: number; color: number }[] {
  const found = [];
  for (const [low, line] of lines.entries()) {
    if (line.role !== "quantile" || line.level! >= 0.5) continue;
    const high = lines.findIndex((one) => one.role === "quantile" && one.tag === line.tag && Math.abs(one.level! + line.level! - 1) < 1e-9);
    if (high >= 0) found.push({ high, low, alpha: line.level! >= 0.2 ? NARROW : WIDE, color: line.tag });
  }
  return found;
}
