/** Value from the twin's own record, and the prices it is counted with. */

import { useState } from "preact/hooks";
import { ApiError, get, put } from "@/core/api.ts";
import { useResource } from "@/core/resource.ts";
import { href } from "@/core/router.ts";
import { blockedFrom } from "@/core/writing.ts";
import { ActionButton, Failed, SkeletonRows } from "@/shell/notices.tsx";
import type { Prices, ValueItem, ValueMeasured } from "@/core/types.ts";
import { cash, loadPrices, money, typed, useCurrency } from "./words.ts";

export const loadMeasured = (days: string): Promise<ValueMeasured> => get<ValueMeasured>(`/value/measured?from=-${days}d`);

export function MeasuredView({ days }: { days: string }) {
  const [version, setVersion] = useState(0);
  useCurrency();
  const found = useResource(`value measured ${days}`, () => loadMeasured(days), version);
  if (found.error && !found.data) return <Failed error={found.error} what="The record" retry={found.retry} />;
  if (!found.data) return <SkeletonRows count={5} height={56} />;
  const { total, currency, items } = found.data;
  return (
    <div class="value-measured">
      <div class="value-tiles">
        <div class="value-tile" data-testid="value-total">
          <span class="meta">Measured in {days} days</span>
          <strong>{total.value === null ? "—" : `${money(total.value)} ${currency}`}</strong>
          <span class="meta">{total.value === null ? "Enter prices below: counts alone are not money." : `90 %: ${money(total.low)} to ${money(total.high)}${total.without.length ? `; without ${total.without.join(", ")}` : ""}`}</span>
        </div>
      </div>
      <div class="value-figures">
        <details data-testid="item-total">
          <summary>
            <span>In all</span>
            <strong>{total.value === null ? "—" : `${money(total.value)} (${money(total.low)} to ${cash(total.high)})`}</strong>
          </summary>
          <code>total = {COUNTED.join(" + ")}</code>
          <p class="meta">Least and most are the 5 and 95 % of 10 000 draws of what is not known. Prices are those below, as entered; the counts come from this server's own alarms, work orders and commands. Downtime stands beside it: it may be what the others count already.</p>
        </details>
        {items.map((item) => (
          <details key={item.name} data-testid={`item-${item.name}`}>
            <summary>
              <span>
                {item.title} <span class="meta">{Number.isInteger(item.count) ? item.count : `${item.count.toFixed(1)} h`}</span>
              </span>
              <strong>{worth(item)}</strong>
            </summary>
            <code>{item.formula}</code>
            <p class="meta">{item.about}</p>
            {item.needs.length > 0 && <p class="meta">Prices missing: {item.needs.join(", ")}</p>}
            {item.evidence.length > 0 && (
              <ul class="meta">
                {item.evidence.map((id) => (
                  <li key={id}>{item.name === "missed" ? <a class="link" href={href("alarms", id)}>{id}</a> : item.name === "commands" ? <a class="link" href={href("commands", id)}>{id}</a> : id}</li>
                ))}
              </ul>
            )}
          </details>
        ))}
      </div>
      <PriceForm saved={() => setVersion(version + 1)} />
    </div>
  );
}

const COUNTED = ["ahead", "false", "commands"];

function worth(item: ValueItem): string {
  if (item.value === null) return "—";
  return item.low === item.high ? cash(item.value) : `${money(item.value)} (${money(item.low)} to ${cash(item.high)})`;
}

const WORDS: Record<string, string> = {
  currency: "Currency of the site, ISO code (EUR)",
  failed: "A failure, with all that follows",
  planned: "The part replaced in time",
  inspection: "Looking after a false alarm",
  downtimeHour: "An hour of standing still",
  minutes: "Minutes saved by an automatic command",
  wage: "An hour of a person",
  avoidedLow: "Share truly avoided, at least",
  avoided: "Share truly avoided, likely",
  avoidedHigh: "Share truly avoided, at most",
  stopPriority: "Alarms that mean standing still, from priority",
};

function PriceForm({ saved }: { saved: () => void }) {
  const found = useResource("value prices", loadPrices);
  const [edited, setEdited] = useState<Partial<Prices>>({});
  const [problem, setProblem] = useState("");
  if (!found.data) return null;
  const prices = found.data;
  const save = async (): Promise<void> => {
    try {
      await put("/value/prices", { ...prices, ...edited });
      setProblem("");
      setEdited({});
      found.retry();
      saved();
    } catch (error) {
      setProblem(error instanceof ApiError ? `${error.message}. ${error.hint}` : String(error));
    }
  };
  const read = (name: string, text: string): number | string | null => (name === "currency" ? text.trim().toUpperCase() : text.trim() === "" ? null : typed(text));
  return (
    <form
      class="value-prices"
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <h2>Prices</h2>
      <div class="value-price-grid">
        {Object.entries(WORDS).map(([name, words]) => (
          <div class="field" key={name}>
            <label for={`price-${name}`}>{words}</label>
            <input id={`price-${name}`} class="input" inputMode={name === "currency" ? "text" : "decimal"} autocomplete="off" value={String(({ ...prices, ...edited } as Prices)[name as keyof Prices] ?? "")} onInput={(event) => setEdited({ ...edited, [name]: read(name, event.currentTarget.value) })} />
          </div>
        ))}
      </div>
      <p class="problem" role="alert">
        {problem}
      </p>
      <div class="row no-print">
        <ActionButton class="primary" testId="prices-save" label="Save the prices" blocked={blockedFrom("services:write")} onAct={() => void save()}>
          Save the prices
        </ActionButton>
      </div>
    </form>
  );
}
