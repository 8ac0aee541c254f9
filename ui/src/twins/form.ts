/** From a command's request in the model to fields of a form, and from the form back to a checked value. */

import type { CommandField, CommandModel, Json, ObjectField } from "@/core/types.ts";

export type Kind = "number" | "integer" | "boolean" | "choice" | "text" | "json";

export interface FormField {
  path: string;
  label: string;
  kind: Kind;
  unit: string;
  minimum: number | null;
  maximum: number | null;
  choices: { value: string; label: string }[];
}

const NUMBERS = new Set(["double", "float", "scaledDecimal", "decimal", "number"]);
const INTEGERS = new Set(["integer", "long", "short", "byte", "unsignedInteger", "unsignedLong", "unsignedShort", "unsignedByte"]);
const TEXTS = new Set(["string", "date", "dateTime", "time", "duration", "uuid", "bytes"]);

/** What a request says of a value; a field of an object says less. */
export type Asked = ObjectField & Partial<CommandField>;

export function fieldsOf(request: Asked | null): FormField[] {
  if (!request) return [];
  if (request.fields?.length) return request.fields.map((field) => one(field, field.name));
  return [one(request, "")];
}

function one(field: Asked, path: string): FormField {
  const schema = String(field.schema).replace(/^.*[:#]/, "").replace(/;.*$/, "");
  const choices = Object.entries(field.values ?? {}).map(([value, label]) => ({ value, label: String(label) }));
  const kind: Kind = choices.length ? "choice" : schema === "boolean" ? "boolean" : INTEGERS.has(schema) ? "integer" : NUMBERS.has(schema) ? "number" : TEXTS.has(schema) ? "text" : "json";
  return { path, label: field.displayName || words(field.name), kind, unit: field.unit ?? "", minimum: field.minimum ?? null, maximum: field.maximum ?? null, choices };
}

function words(name: string): string {
  const spaced = name.replace(/([a-z])([A-Z])/g, "$1 $2").replace(/[_-]+/g, " ");
  return spaced.charAt(0).toUpperCase() + spaced.slice(1).toLowerCase();
}

/** Set points first, then what needs no value, then the rest; otherwise as the model has them. */
export function byUse(commands: CommandModel[]): CommandModel[] {
  const rank = ({ request }: CommandModel): number => (request === null ? 1 : fieldsOf(request).length === 1 && fieldsOf(request)[0]!.kind === "number" ? 0 : 2);
  return [...commands].sort((a, b) => rank(a) - rank(b));
}

export type Checked = { value: Json; problem: "" } | { value: null; problem: string };

/** What is typed, as the model wants it; or the sentence that says what is wrong. */
export function check(field: FormField, text: string): Checked {
  const typed = text.trim();
  if (field.kind === "boolean") return { value: typed === "true", problem: "" };
  if (typed === "") return { value: null, problem: `${field.label} is needed` };
  if (field.kind === "number" || field.kind === "integer") return number(field, typed);
  if (field.kind === "choice") return { value: /^-?\d+$/.test(typed) ? Number(typed) : typed, problem: "" };
  if (field.kind === "text") return { value: text, problem: "" };
  try {
    return { value: JSON.parse(typed) as Json, problem: "" };
  } catch {
    return { value: null, problem: `${field.label} is not valid JSON` };
  }
}

function number(field: FormField, typed: string): Checked {
  const value = Number(typed.replace(",", ".").replace("−", "-"));
  if (!Number.isFinite(value)) return { value: null, problem: `${field.label} must be a number` };
  if (field.kind === "integer" && !Number.isInteger(value)) return { value: null, problem: `${field.label} must be a whole number` };
  if (field.minimum !== null && value < field.minimum) return { value: null, problem: `${field.label} must be at least ${field.minimum} ${field.unit}`.trim() };
  if (field.maximum !== null && value > field.maximum) return { value: null, problem: `${field.label} must be at most ${field.maximum} ${field.unit}`.trim() };
  return { value, problem: "" };
}

/** The arguments of the command: nothing, one value, or an object of the fields. */
export function argumentsOf(fields: FormField[], values: Record<string, string>): { value: Json; problems: Record<string, string> } {
  const problems: Record<string, string> = {};
  const found: Record<string, Json> = {};
  for (const field of fields) {
    const { value, problem } = check(field, values[field.path] ?? "");
    if (problem) problems[field.path] = problem;
    found[field.path] = value;
  }
  if (fields.length === 0) return { value: null, problems };
  return { value: fields.length === 1 && fields[0]!.path === "" ? found[""]! : found, problems };
}

export function rangeOf(field: FormField): string {
  if (field.minimum !== null && field.maximum !== null) return `${field.minimum} to ${field.maximum} ${field.unit}`.trim();
  if (field.minimum !== null) return `at least ${field.minimum} ${field.unit}`.trim();
  if (field.maximum !== null) return `at most ${field.maximum} ${field.unit}`.trim();
  return field.unit;
}
