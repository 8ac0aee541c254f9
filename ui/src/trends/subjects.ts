/** The twins of a workspace as the server describes them, and the limits that rules set them. */

import { get, getTwin } from "@/core/api.ts";
import { useResource, type Resource } from "@/core/resource.ts";
import type { RuleLimit, Twin } from "@/core/types.ts";
import { asRead, plainAsRead, unitAsRead } from "@/core/units.ts";
import type { ChartLimit } from "./chart.ts";
import { subjectOf, type Subject } from "./lines.ts";
import type { Panel } from "./workspace.ts";

export interface Described {
  twin: Twin | undefined;
  limits: RuleLimit[];
}

export type Known = ReadonlyMap<string, Described>;

async function describe(id: string, abort: AbortSignal): Promise<[string, Described]> {
  const twin = await getTwin(id, abort).catch((error: unknown) => lacking(error, abort, undefined));
  const limits = await get<{ value: RuleLimit[] }>(`/twins/${encodeURIComponent(id)}/limits`, abort).catch((error: unknown) => lacking(error, abort, { value: [] }));
  return [id, { twin, limits: limits.value }];
}

/** A twin that is gone, or hidden, has a chart without values; only being called off goes on as an error. */
function lacking<T>(error: unknown, abort: AbortSignal, instead: T): T {
  if (abort.aborted) throw error;
  return instead;
}

export function useKnown(twins: string[]): Resource<Known> {
  const ids = [...new Set(twins)].sort();
  return useResource<Known>(ids.length ? `described ${ids.join("\n")}` : null, async (abort) => new Map(await Promise.all(ids.map((id) => describe(id, abort)))));
}

export function subjectsOf(panel: Panel, known: Known | undefined): Subject[] {
  const isAlone = new Set(panel.tags.map((one) => one.twin)).size === 1;
  return panel.tags.map((tag) => subjectOf(tag, known?.get(tag.twin)?.twin, isAlone));
}

/** Each limit of each line once. */
export function limitsOf(subjects: Subject[], known: Known | undefined): ChartLimit[] {
  const found = new Map<string, ChartLimit>();
  for (const { tag, unit } of subjects) {
    for (const one of known?.get(tag.twin)?.limits ?? []) {
      if (typeof one.limit === "boolean" || one.property !== tag.property || (tag.provenance && one.provenance !== tag.provenance)) continue;
      found.set(`${one.priority} ${one.limit} ${unit}`, { value: asRead(one.limit, unit), priority: one.priority, label: `${one.title} ${plainAsRead(one.limit, unit)}`, unit: unitAsRead(unit) });
    }
  }
  return [...found.values()];
}

export function titleOf(panel: Panel, known: Known | undefined): string {
  const names = [...new Set(panel.tags.map((one) => known?.get(one.twin)?.twin?.name || one.twin))];
  return names.length > 2 ? `${names.slice(0, 2).join(", ")} and ${names.length - 2} more` : names.join(" and ");
}
