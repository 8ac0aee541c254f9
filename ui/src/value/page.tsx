import "@/style/value.css";
import { useEffect } from "preact/hooks";
import { get } from "@/core/api.ts";
import { useResource } from "@/core/resource.ts";
import { place, setSearch } from "@/core/router.ts";
import { toast } from "@/core/toasts.ts";
import { Failed, Skeleton } from "@/shell/notices.tsx";
import { Calculator, saveCalculated } from "./calculator.tsx";
import { FidelityView, loadFidelity } from "./fidelity.tsx";
import { loadMeasured, MeasuredView } from "./measured.tsx";
import { ServicesView } from "./services.tsx";
import type { Case } from "@/core/types.ts";
import { saveCsv } from "@/core/saving.ts";

const SHOWS = ["calculated", "measured", "fidelity", "services"] as const;
const WORDS = { calculated: "Calculated", measured: "Measured", fidelity: "Fidelity", services: "Services" };
const DAYS = ["7", "30", "90", "365"];

export function ValuePage() {
  const { search } = place.value;
  const show = SHOWS.find((one) => one === search.get("show")) ?? "calculated";
  const days = DAYS.find((one) => one === search.get("days")) ?? "30";
  const cases = useResource("value cases", () => get<{ value: Case[] }>("/value/cases"));
  useEffect(() => {
    // Paper cannot be opened: every formula is printed.
    const open = (): void => document.querySelectorAll<HTMLDetailsElement>(".value-figures details").forEach((one) => (one.open = true));
    addEventListener("beforeprint", open);
    return () => removeEventListener("beforeprint", open);
  }, []);
  const save = async (): Promise<void> => {
    try {
      if (show === "calculated") await saveCalculated(cases.data?.value ?? []);
      else if (show === "measured") saveCsv("gemel-value-measured.csv", table((await loadMeasured(days)).items));
      else saveCsv("gemel-fidelity.csv", table((await loadFidelity(days)).value));
    } catch (error) {
      toast(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <section class="value-page" aria-label="Value and fidelity">
      <div class="page-head">
        <h1>Value and fidelity</h1>
        <span class="push row no-print">
          {show !== "services" && (
            <button class="button" data-testid="value-csv" onClick={() => void save()}>
              Save CSV
            </button>
          )}
          <button class="button" onClick={() => print()}>
            Print
          </button>
        </span>
      </div>
      <div class="filters no-print">
        <div class="segments" role="group" aria-label="What is shown">
          {SHOWS.map((one) => (
            <button key={one} aria-pressed={show === one} data-testid={`value-show-${one}`} onClick={() => setSearch({ show: one === "calculated" ? null : one })}>
              {WORDS[one]}
            </button>
          ))}
        </div>
        {(show === "measured" || show === "fidelity") && (
          <div class="segments push" role="group" aria-label="Days looked back">
            {DAYS.map((one) => (
              <button key={one} aria-pressed={days === one} onClick={() => setSearch({ days: one === "30" ? null : one })}>
                {one} d
              </button>
            ))}
          </div>
        )}
      </div>
      {show === "calculated" && cases.error && !cases.data && <Failed error={cases.error} what="The calculator" retry={cases.retry} />}
      {show === "calculated" && !cases.data && !cases.error && <Skeleton height={420} />}
      {show === "calculated" && cases.data && <Calculator cases={cases.data.value} />}
      {show === "measured" && <MeasuredView days={days} />}
      {show === "fidelity" && <FidelityView days={days} />}
      {show === "services" && <ServicesView />}
    </section>
  );
}

function table(rows: object[]): unknown[][] {
  const names = Object.keys(rows[0] ?? {}).filter((name) => !Array.isArray((rows[0] as Record<string, unknown>)[name]));
  return [names, ...rows.map((row) => names.map((name) => (row as Record<string, unknown>)[name]))];
}
