/** The unit of a property over all twins, for what is asked of many at once: filters and colours. */

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { get } from "./api.ts";
import { useResource } from "./resource.ts";
import type { PathUnits } from "./answers/index.ts";

const byPath = signal<ReadonlyMap<string, readonly string[]>>(new Map());

export function takeUnits(rows: PathUnits[]): void {
  byPath.value = new Map(rows.map((row) => [row.path, row.units]));
}

/** "" where there is none, is not known, or where models disagree: one number then means several things, and none is converted. */
export function unitOf(path: string): string {
  const units = byPath.value.get(path) ?? [];
  return units.length === 1 ? units[0]! : "";
}

export const hasManyUnits = (path: string): boolean => (byPath.value.get(path)?.length ?? 0) > 1;

/** Asks for them once they are needed; false while they are under way. Without an answer values stay as the models say. */
export function useUnits(isNeeded: boolean): boolean {
  const { data, error } = useResource(isNeeded ? "units of properties" : null, (abort) => get<{ value: PathUnits[] }>("/units", abort));
  useEffect(() => {
    if (data) takeUnits(data.value);
  }, [data]);
  return !isNeeded || Boolean(error) || (data !== undefined && byPath.value.size === data.value.length);
}
