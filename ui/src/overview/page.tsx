import { effect, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { rankedAlarms } from "@/core/alarms.ts";
import { place, setSearch } from "@/core/router.ts";
import { rows, rowsLoaded } from "@/core/plant.ts";
import type { Route } from "@/core/routes.ts";
import type { Kpi } from "@/core/types.ts";
import { Lazy } from "@/shell/lazy.tsx";
import { Attention } from "./attention.tsx";
import { DataHealth } from "./data-health.tsx";
import { Kpis } from "./kpis.tsx";
import { Pending } from "./pending.tsx";
import { PlantPanel } from "./plant-panel.tsx";
import { SelectedTwin } from "./selected.tsx";
import { OverviewTrend } from "./trend.tsx";

/** The first KPI: what the trend shows when nothing is wrong and nothing is chosen; null if the plant has none. */
export const firstKpi = signal<Kpi | null | undefined>(undefined);
/** A KPI that was chosen for the trend; null follows the most urgent alarm. */
export const chosenKpi = signal<Kpi | null>(null);

export function select(twin: string | null): void {
  setSearch({ twin });
}

/** The twin in the address, or else the one with the most urgent alarm. */
export function useSelected(): { twin: string; isChosen: boolean } {
  const chosen = place.value.search.get("twin") ?? "";
  return { twin: chosen || (rankedAlarms.value[0]?.twin ?? ""), isChosen: chosen !== "" };
}

/** Loaded when a plant has nothing yet, or its setting up goes on. */
const SETUP: Route = { route: "setup", words: "The first twin", letter: "", icon: "device", load: async () => (await import("@/onboarding/page.tsx")).OnboardingPage };

export function OverviewPage() {
  const isNew = rowsLoaded.value && rows.value.size === 0;
  return isNew || place.value.search.has("setup") ? <Lazy of={SETUP} id="" /> : <Overview />;
}

/** Where nothing is wrong and there are no key figures. */
function firstHeard(): string {
  for (const row of rows.value.values()) if (row.status !== "never") return row.id;
  return "";
}

function Overview() {
  const { twin, isChosen } = useSelected();
  useEffect(
    () =>
      effect(() => {
        if (place.value.search.get("twin")) chosenKpi.value = null;
      }),
    [],
  );
  return (
    <div class="with-panel overview">
      <h1 class="visually-hidden">Overview</h1>
      <div class="overview-main">
        <Kpis />
        <PlantPanel selected={isChosen ? twin : ""} />
        <OverviewTrend twin={twin || (firstKpi.value === null ? firstHeard() : "")} isChosen={isChosen} />
      </div>
      <aside class="panel" aria-label="What needs attention">
        <Attention />
        {twin && <SelectedTwin id={twin} isChosen={isChosen} />}
        <Pending />
        <DataHealth />
      </aside>
    </div>
  );
}
