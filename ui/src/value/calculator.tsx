/** The calculator: inputs beside what they come to; the address holds what was entered. */

import { useEffect, useRef, useState } from "preact/hooks";
import { post } from "@/core/api.ts";
import { useResource } from "@/core/resource.ts";
import { place, setSearch } from "@/core/router.ts";
import { Failed, Skeleton } from "@/shell/notices.tsx";
import { Course, Spread, Tornado } from "./charts.tsx";
import type { Case, CaseFigure, CaseInput, CaseWorked } from "@/core/types.ts";
import { saveCsv } from "@/core/saving.ts";
import { amount, cash, currency, entered, money, shown, typed, useCurrency } from "./words.ts";

const WAIT_MS = 250;
type End = "value" | "low" | "high";
type Given = Record<string, Partial<Record<End, number>>>;

function given(text: string | null): Given {
  const found: Given = {};
  for (const part of (text ?? "").split(";")) {
    const [name, end, value] = part.split(":");
    if (name && value && (end === "value" || end === "low" || end === "high") && Number.isFinite(Number(value))) found[name] = { ...found[name], [end]: Number(value) };
  }
  return found;
}

const asText = (values: Given): string => Object.entries(values).flatMap(([name, ends]) => Object.entries(ends).map(([end, value]) => `${name}:${end}:${value}`)).join(";");

export function Calculator({ cases }: { cases: Case[] }) {
  const { search } = place.value;
  useCurrency();
  const chosen = cases.find((one) => one.case === search.get("case")) ?? cases[0]!;
  const set = given(search.get("set"));
  const key = JSON.stringify({ case: chosen.case, inputs: set });
  const found = useResource(`value ${key}`, () => post<CaseWorked>("/value/calculate", JSON.parse(key)));
  const last = useRef<CaseWorked | null>(null);
  if (found.data) last.current = found.data;
  const worked = found.data ?? (last.current?.case === chosen.case ? last.current : null);
  const change = (name: string, end: End, value: number): void => setSearch({ set: asText({ ...set, [name]: { ...set[name], [end]: value } }) });
  return (
    <div class="value-grid">
      <section class="value-inputs" aria-label="Inputs">
        <div class="segments wrap" role="group" aria-label="Case">
          {cases.map((one) => (
            <button key={one.case} aria-pressed={one === chosen} data-testid={`case-${one.case}`} onClick={() => setSearch({ case: one.case, set: null })}>
              {one.title}
            </button>
          ))}
        </div>
        <p class="soft">{chosen.about}</p>
        {found.error && (
          <p class="problem" role="alert" data-testid="value-problem">
            {found.error.message}. {found.error.hint}
          </p>
        )}
        {(worked ?? chosen).inputs.map((one) => (
          <InputRow key={`${chosen.case} ${one.name}`} input={one} change={change} />
        ))}
        <div class="row no-print">
          <button class="button" onClick={() => setSearch({ set: null })} disabled={!search.get("set")}>
            As in the example
          </button>
        </div>
      </section>
      <section class="value-results" aria-label="Results" aria-busy={found.isLoading}>
        {!worked && !found.error && <Skeleton height={420} />}
        {!worked && found.error && <Failed error={found.error} what="The figures" retry={found.retry} />}
        {worked && <Results worked={worked} />}
      </section>
    </div>
  );
}

function InputRow({ input, change }: { input: CaseInput; change: (name: string, end: End, value: number) => void }) {
  const unit = input.kind === "share" ? "%" : input.kind === "years" ? "years" : input.kind === "money" ? currency.value : "";
  const isRanged = input.low < input.high;
  return (
    <div class="value-input">
      <Amount input={input} end="value" label={input.title} change={change} unit={unit} />
      <details>
        <summary class="meta">
          {isRanged ? `${amount(input.low, input.kind)} to ${amount(input.high, input.kind)}` : "no range"} · {input.source}
        </summary>
        <div class="row value-ends">
          <Amount input={input} end="low" label={`Least: ${input.title}`} words="at least" change={change} unit={unit} />
          <Amount input={input} end="high" label={`Most: ${input.title}`} words="at most" change={change} unit={unit} />
        </div>
      </details>
    </div>
  );
}

function Amount({ input, end, label, words, unit, change }: { input: CaseInput; end: End; label: string; words?: string; unit: string; change: (name: string, end: End, value: number) => void }) {
  const [text, setText] = useState(shown(input[end], input.kind));
  const timer = useRef(0);
  const isTyping = useRef(false);
  useEffect(() => {
    if (!isTyping.current) setText(shown(input[end], input.kind));
  }, [input[end]]);
  const tell = (now: string): void => {
    setText(now);
    isTyping.current = true;
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      isTyping.current = false;
      if (Number.isFinite(typed(now))) change(input.name, end, entered(now, input.kind));
    }, WAIT_MS) as unknown as number;
  };
  const id = `value-${input.name}-${end}`;
  return (
    <div class="value-amount">
      <label for={id} class={words ? "meta" : ""}>
        {words ? (
          <>
            <span class="visually-hidden">{label}</span>
            <span aria-hidden="true">{words}</span>
          </>
        ) : (
          label
        )}
      </label>
      <span class="row">
        <input id={id} class="input" inputMode="decimal" autocomplete="off" value={text} aria-invalid={Number.isFinite(typed(text)) ? undefined : "true"} onInput={(event) => tell(event.currentTarget.value)} />
        {unit && <span class="unit">{unit}</span>}
      </span>
    </div>
  );
}

const HEAD = ["saving", "paybackNet", "presentValue"];

function Results({ worked }: { worked: CaseWorked }) {
  const figure = (name: string): CaseFigure => worked.figures.find((one) => one.name === name)!;
  const base = figure("presentValue");
  const { band } = worked;
  const beside: Record<string, string> = {
    paybackNet: figure("payback").value === figure("paybackNet").value ? "as usually told" : `${amount(figure("payback").value, "months")} without the running cost`,
    presentValue: `90 %: ${money(band.presentValue[0])} to ${cash(band.presentValue[2])}`,
    saving: `${cash(figure("net").value)} after the running cost`,
  };
  return (
    <>
      <div class="value-tiles">
        {HEAD.map((name) => (
          <button key={name} class="value-tile" title="Show the formula" data-testid={`value-${name}`} onClick={() => openFigure(name)}>
            <span class="meta">{figure(name).title}</span>
            <strong>{amount(figure(name).value, figure(name).kind)}</strong>
            <span class="meta">{beside[name]}</span>
          </button>
        ))}
      </div>
      {worked.notes.map((note) => (
        <p key={note} class="value-note">
          {note}
        </p>
      ))}
      <h2>Figures</h2>
      <div class="value-figures">
        {worked.figures.map((one) => (
          <details key={one.name} data-testid={`figure-${one.name}`}>
            <summary>
              <span>{one.title}</span>
              <strong>{amount(one.value, one.kind)}</strong>
            </summary>
            <code>
              {one.name} = {one.formula}
            </code>
            <ul class="meta">
              {Object.entries(one.with).map(([name, value]) => (
                <li key={name}>
                  {name} = {value === null ? "—" : value.toLocaleString("en", { maximumFractionDigits: 4 })}
                  {sourceOf(worked, name)}
                </li>
              ))}
            </ul>
            {one.about && <p class="meta">{one.about}</p>}
          </details>
        ))}
      </div>
      <div class="value-pair">
        <figure>
          <h2>What it hangs on</h2>
          <figcaption class="meta">Net present value{currency.value && ` in ${currency.value}`} with one input at either end of its range</figcaption>
          <Tornado bars={worked.tornado} base={base.value ?? 0} />
        </figure>
        <figure>
          <h2>How sure it is</h2>
          <figcaption class="meta">
            Cash summed by year{currency.value && ` in ${currency.value}`}, 5, 50 and 95 %; above zero in {Math.round(band.shareAboveZero * 100)} % of {band.samples} draws
          </figcaption>
          <Course band={band} />
          <Spread band={band} />
        </figure>
      </div>
    </>
  );
}

/** Opens a figure to its formula and sources, and goes there. */
function openFigure(name: string): void {
  const found = document.querySelector<HTMLDetailsElement>(`[data-testid="figure-${name}"]`);
  if (!found) return;
  found.open = true;
  found.querySelector("summary")?.focus();
}

function sourceOf(worked: CaseWorked, name: string): string {
  const found = worked.inputs.find((one) => one.name === name);
  return found ? ` (${found.source})` : " (a figure above)";
}

export function saveWorked(worked: CaseWorked): void {
  saveCsv(`gemel-value-${worked.case}.csv`, [
    ["input", "value", "low", "high", "source"],
    ...worked.inputs.map((one) => [one.title, one.value, one.low, one.high, one.source]),
    [],
    ["figure", "value", "formula", "note"],
    ...worked.figures.map((one) => [one.title, one.value, one.formula, one.about]),
    [],
    ["year", "saving", "cost", "cash", "presentValue", "sum"],
    ...worked.course.map((one) => [one.year, one.saving, one.cost, one.cash, one.presentValue, one.sum]),
    [],
    ["hangs on", "low", "high", "presentValueAtLow", "presentValueAtHigh"],
    ...worked.tornado.map((one) => [one.title, one.low, one.high, one.atLow, one.atHigh]),
  ]);
}

/** What the address asks for, worked out anew: for the file. */
export function saveCalculated(cases: Case[]): Promise<void> {
  const { search } = place.value;
  const name = cases.find((one) => one.case === search.get("case"))?.case ?? cases[0]!.case;
  return post<CaseWorked>("/value/calculate", { case: name, inputs: given(search.get("set")) }).then(saveWorked);
}
