/** How likely a forecast is beyond a limit, from the quantiles that it was given with, in words. */

import { formatAge, formatPlain } from "@/core/words.ts";
import type { Other, Property, Twin } from "@/core/types.ts";
import { asRead, unitAsRead } from "@/core/units.ts";

/**
 * The share of the forecast below a value: between two levels as far as the value is between theirs.
 * Beyond the outermost levels nothing is known but the bound.
 */
export function shareBelow(quantiles: Record<string, number>, value: number): { is: "=" | "<" | ">"; share: number } | null {
  const known = Object.entries(quantiles).map(([level, at]) => [Number(level), at] as const).sort(([a], [b]) => a - b);
  const [first, last] = [known[0], known[known.length - 1]];
  if (!first || !last || known.length < 2) return null;
  if (value < first[1]) return { is: "<", share: first[0] };
  if (value > last[1]) return { is: ">", share: last[0] };
  for (let i = 1; i < known.length; i++) {
    const [[level, at], [next, end]] = [known[i - 1]!, known[i]!];
    if (value <= end) return { is: "=", share: end === at ? next : level + ((next - level) * (value - at)) / (end - at) };
  }
  return null;
}

/** `P(above 7 in 6 h) = 0.71` for the limit of an alarm of the property, else for the end of its range; "" without any. */
export function chanceWords(twin: Twin, property: Property, other: Other, ahead: number): string {
  const alarm = twin.alarmList.find((one) => one.property === property.path && typeof one.limit === "number");
  const limit = typeof alarm?.limit === "number" ? alarm.limit : property.maximum;
  if (limit === null || limit === undefined || ahead <= 0) return "";
  const isBelow = typeof alarm?.value === "number" && alarm.value < limit;
  const below = shareBelow(other.quantiles, limit);
  if (!below) return "";
  const turned = { "=": "=", "<": ">", ">": "<" } as const;
  const [is, share] = isBelow ? [below.is, below.share] : [turned[below.is], 1 - below.share];
  const unit = property.unit ? ` ${unitAsRead(property.unit)}` : "";
  return `P(${isBelow ? "below" : "above"} ${formatPlain(asRead(limit, property.unit))}${unit} in ${formatAge(ahead)}) ${is} ${share.toFixed(2)}`;
}
