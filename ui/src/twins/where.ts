/** "vibration > 7": one property held against one value, as a condition of the query language. */

import { enteredAsRead, enteredFromRead, unitAsRead } from "@/core/units.ts";

export interface Where {
  path: string;
  operator: string;
  value: string;
}

export const OPERATORS: [string, string][] = [
  [">", "above"],
  ["<", "below"],
  ["=", "is"],
  ["!=", "is not"],
  [">=", "at least"],
  ["<=", "at most"],
];

const NUMBER = /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i;
const SIMPLE = /^([A-Za-z_][\w.]*)\s*(>=|<=|!=|=|>|<)\s*('(?:[^'\\]|\\.)*'|\S+)$/;

/** Null for what is more than one comparison; the server knows that too. */
export function readWhere(text: string): Where | null {
  const [, path, operator, value] = SIMPLE.exec(text.trim()) ?? [];
  if (!path || !operator || value === undefined) return null;
  return { path, operator, value: value.startsWith("'") ? value.slice(1, -1).replace(/\\(.)/g, "$1") : value };
}

export function writeWhere({ path, operator, value }: Where): string {
  const text = value.trim();
  const isPlain = NUMBER.test(text) || text === "true" || text === "false";
  return `${path} ${operator} ${isPlain ? text : `'${text.replace(/[\\']/g, "\\$&")}'`}`;
}

/** The value of a condition in the unit that a person reads; what is no number stays. */
export function valueAsRead(value: string, unit: string): string {
  return unitAsRead(unit) !== unit && NUMBER.test(value.trim()) ? String(enteredAsRead(Number(value), unit)) : value;
}

/** What a person typed, in the model's unit. */
export function valueFromRead(text: string, unit: string): string {
  return unitAsRead(unit) !== unit && NUMBER.test(text.trim()) ? String(enteredFromRead(Number(text), unit)) : text;
}
