/** Amounts as people say them: money in the currency of the site, shares in percent. */

import { signal } from "@preact/signals";
import { get } from "@/core/api.ts";
import { formatNumber } from "@/core/words.ts";
import { useResource } from "@/core/resource.ts";
import type { CaseFigure, Prices } from "@/core/types.ts";

type ValueKind = CaseFigure["kind"];

/** The site's, an ISO 4217 code; "" until it is known. */
export const currency = signal("");

export const loadPrices = (abort?: AbortSignal): Promise<Prices> =>
  get<Prices>("/value/prices", abort).then((found) => {
    currency.value = found.currency;
    return found;
  });

/** Asks for the currency where it is shown; who may not know prices sees amounts without it. */
export function useCurrency(): string {
  useResource("value prices", loadPrices);
  return currency.value;
}

const isAmount = (value: number | null | undefined): value is number => value !== null && value !== undefined && Number.isFinite(value);

/** All figures of an amount, in groups, without the currency. */
export const money = (value: number | null | undefined): string => (isAmount(value) ? formatNumber(value, Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : 2) : "—");

/** With the currency, where an amount stands alone. */
export const cash = (value: number | null | undefined): string => (isAmount(value) && currency.value ? `${money(value)}\u00a0${currency.value}` : money(value));

/** Where there is no room: 1.20 M, 360 k. */
export function short(value: number): string {
  const size = Math.abs(value);
  const [divisor, unit, digits] = size >= 1e6 ? [1e6, " M", size >= 1e7 ? 1 : 2] : size >= 1e4 ? [1e3, " k", 0] : [1, "", 0];
  return `${formatNumber(value / (divisor as number), digits as number)}${unit}`;
}

export function amount(value: number | null | undefined, kind: ValueKind): string {
  if (value === null || value === undefined) return kind === "months" || kind === "years" ? "never" : "—";
  if (kind === "money") return cash(value);
  if (kind === "share") return `${formatNumber(value * 100, Number.isInteger(Math.round(value * 1e6) / 1e4) ? 0 : 1)} %`;
  if (kind === "months" || kind === "years") return `${formatNumber(value, Number.isInteger(value) ? 0 : 1)} ${kind}`;
  return formatNumber(value, Number.isInteger(value) ? 0 : 1);
}

/** What stands in the field of an input: shares as percent, money in groups. */
export const shown = (value: number, kind: ValueKind): string => (kind === "share" ? String(Math.round(value * 1e8) / 1e6) : kind === "money" && Number.isInteger(value) ? formatNumber(value, 0) : String(value));

/** A number that was typed, perhaps in groups, with the minus of the page or of the keyboard. */
export const typed = (text: string): number => (text.trim() === "" ? NaN : Number(text.replace(/\s/g, "").replace("−", "-")));
export const entered = (text: string, kind: ValueKind): number => (kind === "share" ? Math.round(typed(text) * 1e8) / 1e10 : typed(text));
