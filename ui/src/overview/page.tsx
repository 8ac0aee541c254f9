import { effect, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { FunctionComponent } from "preact";
import { rankedAlarms } from "@/core/alarms.ts";
import { isKiosk } from "@/core/kiosk.ts";
import { place, setSearch } from "@/core/router.ts";
import { rows, rowsLoaded } from "@/core/plant.ts";
import type { Route } from "@/core/routes.ts";
import type { Kpi } from "@/core/types.ts";
import { Later } from "@/shell/later.tsx";
import { Lazy } from "@/shell/lazy.tsx";
import { Attention } from "./attention.tsx";
import { Kpis } from "./kpis.tsx";
import { isEnergy, LOOKS, lookName, type Look, type Part } from "./looks.ts";
import { PlantPanel } from "./plant-panel.tsx";
import { OverviewTrend } from "./trend.tsx";

/** The key figures in their order: what the trend shows when nothing is wrong and nothing is chosen. */
export const knownKpis = signal<readonly Kpi[] | undefined>(undefined);
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

/** All but what needs attention comes after the first look. */
const PARTS: Partial<Record<Part, () => Promise<FunctionComponent>>> = {
  fits: async () => (await import("./fits.tsx")).Fits,
  worth: async () => (await import("./worth.tsx")).Worth,
  work: async () => (await import("./work.tsx")).Work,
  pending: async () => (await import("./pending.tsx")).Pending,
  data: async () => (await import("./data-health.tsx")).DataHealth,
};
const selected = async (): Promise<FunctionComponent<{ id: string; isChosen: boolean }>> => (await import("./selected.tsx")).SelectedTwin;
const chooser = async (): Promise<FunctionComponent<{ id: string }>> => (await import("./chooser.tsx")).LookChooser;

/** Of whom nothing is known yet, and of a twin that is not chosen by hand, a manager's trend is about energy. */
function firstOf(look: Look, isChosen: boolean): Kpi | null | undefined {
  const list = knownKpis.value;
  if (!list) return undefined;
  const energy = look.trend === "energy" && !isChosen ? list.find(isEnergy) : undefined;
  return energy ?? list[0] ?? null;
}

function Overview() {
  const { twin, isChosen } = useSelected();
  const name = lookName.value;
  const look = LOOKS[name];
  useEffect(
    () =>
      effect(() => {
        if (place.value.search.get("twin")) chosenKpi.value = null;
      }),
    [],
  );
  const first = firstOf(look, isChosen);
  const isOnEnergy = look.trend === "energy" && !isChosen && Boolean(first);
  return (
    <div class={`with-panel overview for-${name}`} data-testid="overview" data-look={name}>
      <h1 class="visually-hidden">Overview</h1>
      <div class="overview-main">
        {look.kpis !== "none" && <Kpis areTargetsFirst={look.kpis === "targets"} />}
        <PlantPanel selected={isChosen ? twin : ""} usual={look.by} />
        <OverviewTrend twin={isOnEnergy ? "" : twin || (first === null || look.kpis === "none" ? firstHeard() : "")} isChosen={isChosen} first={first} isQuiet={isOnEnergy} />
      </div>
      <aside class="panel" aria-label="What needs attention">
        {look.panel.map((one) => {
          const load = PARTS[one];
          if (load) return <Later key={one} load={load} />;
          if (one === "attention") return <Attention key={one} />;
          return twin && (isChosen || look.trend === "alarm") ? <Later key={one} load={selected} id={twin} isChosen={isChosen} /> : null;
        })}
        {!isKiosk.value && (
          <p class="overview-for">
            <label class="meta" for="overview-for">
              This page is for
            </label>
            <Later load={chooser} id="overview-for" />
          </p>
        )}
      </aside>
    </div>
  );
}
