/** How much a shown value may be trusted: its age against what is expected, and its quality. */

export type Trust = "good" | "late" | "stale" | "bad" | "none";

export interface Judged {
  /** Milliseconds; null when there has never been a value. */
  time: number | null;
  quality: number;
  /** Seconds between values as observed; 0 when unknown. */
  period: number;
  /** Seconds without a value after which the twin counts as stale; 0 when a value never grows old. */
  staleAfter: number;
}

const CAUSES: Record<number, string> = {
  64: "uncertain",
  65: "the source's clock is suspect",
  128: "bad",
  129: "out of range",
  130: "reported as faulty by the source",
};

export function causeOf(quality: number): string {
  return CAUSES[quality] ?? (quality >= 128 ? "bad" : quality >= 64 ? "uncertain" : "");
}

export function judge(value: Judged, now: number): Trust {
  if (value.time === null) return "none";
  const age = (now - value.time) / 1000;
  if (value.staleAfter > 0 && age > value.staleAfter) return "stale";
  if (value.quality >= 128) return "bad";
  const expected = value.period || value.staleAfter / 5;
  if (value.staleAfter > 0 && expected > 0 && age > Math.max(2 * expected, 3)) return "late";
  return "good";
}

/** Smooths the observed time between values; gaps much longer than usual are outages, not a new habit. */
export function nextPeriod(period: number, gap: number): number {
  if (gap <= 0) return period;
  if (period === 0) return gap;
  if (gap > 5 * period) return period * 1.05;
  return period * 0.8 + gap * 0.2;
}
