/** What Plant 3D shows, read from the address and written to it: a link shows the same. */

import { place, setSearch } from "@/core/router.ts";
import { LAYERS, type Layer, type Look } from "@/scene/look.ts";

export const FULL_SECTION = [0, 1, 0, 1, 0, 1];

export function lookIn(search: URLSearchParams): Look {
  const by = search.get("by") ?? "alarm";
  const known = ["alarm", "state", "health", "fidelity"].includes(by) || by.startsWith("property:");
  const names = new Set(LAYERS.map(([name]) => name));
  const hidden = (search.get("hide") ?? "").split(",").filter((name): name is Layer => names.has(name as Layer));
  return { by: known ? by : "alarm", hidden: new Set(hidden), section: sectionIn(search.get("section")) };
}

/** Six shares of the plant's extent; anything else is no section. */
export function sectionIn(text: string | null): number[] | null {
  const numbers = (text ?? "").split(",").map(Number);
  if (numbers.length !== 6 || !numbers.every((one) => Number.isFinite(one) && one >= 0 && one <= 1)) return null;
  const isOrdered = [0, 2, 4].every((i) => numbers[i]! < numbers[i + 1]!);
  return isOrdered && numbers.some((one, i) => one !== FULL_SECTION[i]) ? numbers : null;
}

export function eyeIn(search: URLSearchParams): number[] | null {
  const numbers = (search.get("eye") ?? "").split(",").map(Number);
  return numbers.length === 6 && numbers.every(Number.isFinite) ? numbers : null;
}

export function setLook(change: { by?: string; hidden?: Iterable<Layer>; section?: number[] | null }): void {
  const values: Record<string, string | null> = {};
  if (change.by !== undefined) values["by"] = change.by === "alarm" ? null : change.by;
  if (change.hidden !== undefined) values["hide"] = [...change.hidden].join(",") || null;
  if (change.section !== undefined) values["section"] = change.section && change.section.some((one, i) => one !== FULL_SECTION[i]) ? change.section.map((one) => Math.round(one * 100) / 100).join(",") : null;
  setSearch(values);
}

/** What a saved view keeps of the address: not the twin that happens to be selected, nor the time. */
export function viewSearch(): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of ["by", "hide", "section", "eye", "plan", "ghost"]) {
    const value = place.value.search.get(name);
    if (value) kept[name] = value;
  }
  return kept;
}
