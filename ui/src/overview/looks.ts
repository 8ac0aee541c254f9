/**
 * What the overview shows first, by who looks: the same parts, others of them, in another order. The address says so
 * (`?for=manager`), else what was chosen on this device, else the role that the server knows.
 */

import { computed } from "@preact/signals";
import { me } from "@/core/api.ts";
import { kept } from "@/core/kept.ts";
import { place } from "@/core/router.ts";
import type { Kpi } from "@/core/types.ts";

export type LookName = "operator" | "engineer" | "manager" | "technician";
export type Part = "attention" | "selected" | "pending" | "data" | "fits" | "worth" | "work";

export interface Look {
  words: string;
  /** Beside the picture, from the top. */
  panel: readonly Part[];
  /** What gives the plant its colours. */
  by: "alarm" | "state";
  /** What the trend is about while nothing is chosen. */
  trend: "alarm" | "energy";
  /** Whether key figures are shown, and which stand first. */
  kpis: "all" | "targets" | "none";
}

export const LOOKS: Readonly<Record<LookName, Look>> = {
  operator: { words: "Operator", panel: ["attention", "selected", "pending", "data"], by: "alarm", trend: "alarm", kpis: "all" },
  engineer: { words: "Engineer", panel: ["fits", "data", "attention", "selected", "pending"], by: "state", trend: "alarm", kpis: "all" },
  manager: { words: "Manager", panel: ["worth", "attention", "selected", "pending", "data"], by: "alarm", trend: "energy", kpis: "targets" },
  technician: { words: "Technician", panel: ["work", "attention", "selected"], by: "alarm", trend: "alarm", kpis: "none" },
};

const OF_ROLE: Readonly<Record<string, LookName>> = { admin: "operator", operator: "operator", engineer: "engineer", viewer: "manager" };
const isLook = (text: string | null): text is LookName => text !== null && Object.hasOwn(LOOKS, text);

/** "" follows the role. */
export const chosenLook = kept<LookName | "">("gemel.overview", "", isLook);
export const lookOfRole = computed<LookName>(() => OF_ROLE[me.value?.role ?? ""] ?? "operator");
export const lookName = computed<LookName>(() => {
  const asked = place.value.search.get("for");
  return isLook(asked) ? asked : chosenLook.value || lookOfRole.value;
});

export const isEnergy = (kpi: Kpi): boolean => /^[kMGT]?(W|Wh|J)$/.test(kpi.unit ?? "");
