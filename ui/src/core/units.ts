/** The units that a person reads and types values in: those of the models, or others. What is sent and stored is in the model's. */

import { SYSTEMS, type Read } from "./answers/units.ts";
import { kept } from "./kept.ts";
import { formatPlain } from "./words.ts";

/** "" is as the models say. */
export const system = kept<string>("gemel.units", "", (text) => text === "" || text in SYSTEMS);

function readIn(unit: string | null | undefined): Read | undefined {
  return unit ? SYSTEMS[system.value]?.[unit] : undefined;
}

/** A value in the unit that it is read in. */
export function asRead(value: number, unit: string | null | undefined): number {
  const found = readIn(unit);
  return found ? value * found[1] + found[2] : value;
}

/** A difference or a deviation: where the scale begins does not matter. */
export function spreadAsRead(value: number, unit: string | null | undefined): number {
  return value * (readIn(unit)?.[1] ?? 1);
}

/** The symbol of the unit that values are read in. */
export function unitAsRead<T extends string | null | undefined>(unit: T): T | string {
  return readIn(unit)?.[0] ?? unit;
}

/** For limits and facts that stand still; what is no number is told as it is. */
export function plainAsRead(value: number | boolean | string, unit: string | null | undefined): string {
  return formatPlain(typeof value === "number" ? asRead(value, unit) : value);
}

/** For a value, or a difference of values. */
export type Kind = "value" | "spread";

/** What stands in a field: so many digits that no rounding of the conversion shows. */
export function enteredAsRead(value: number, unit: string | null | undefined, kind: Kind = "value"): number {
  if (!readIn(unit)) return value;
  return Number((kind === "value" ? asRead(value, unit) : spreadAsRead(value, unit)).toPrecision(10));
}

/** What was typed in the unit that a person reads, in the model's. */
export function enteredFromRead(value: number, unit: string | null | undefined, kind: Kind = "value"): number {
  const found = readIn(unit);
  return found ? Number(((value - (kind === "value" ? found[2] : 0)) / found[1]).toPrecision(12)) : value;
}
