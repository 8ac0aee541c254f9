/** "vibration > 7": one property held against one value, as a condition of the query language. */

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

const SIMPLE = /^([A-Za-z_][\w.]*)\s*(>=|<=|!=|=|>|<)\s*('(?:[^'\\]|\\.)*'|\S+)$/;

/** Null for what is more than one comparison; the server knows that too. */
export function readWhere(text: string): Where | null {
  const [, path, operator, value] = SIMPLE.exec(text.trim()) ?? [];
  if (!path || !operator || value === undefined) return null;
  return { path, operator, value: value.startsWith("'") ? value.slice(1, -1).replace(/\\(.)/g, "$1") : value };
}

export function writeWhere({ path, operator, value }: Where): string {
  const text = value.trim();
  const isPlain = /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) || text === "true" || text === "false";
  return `${path} ${operator} ${isPlain ? text : `'${text.replace(/[\\']/g, "\\$&")}'`}`;
}
