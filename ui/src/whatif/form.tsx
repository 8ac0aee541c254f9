/** Making or changing a scenario: what may be changed, and within which range, comes from the models. */

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { getTwin } from "@/core/api.ts";
import { rows } from "@/core/plant.ts";
import { useResource } from "@/core/resource.ts";
import { go, href } from "@/core/router.ts";
import { blockedFrom } from "@/core/writing.ts";
import { enteredAsRead, enteredFromRead, plainAsRead, system, unitAsRead, type Kind } from "@/core/units.ts";
import { Icon } from "@/shell/icon.tsx";
import { ActionButton } from "@/shell/notices.tsx";
import { askedOf, freshId, loadBehaviours, save, start } from "./data.ts";
import type { Behaviour, Scenario, ScenarioAsked, ScenarioChange, ScenarioKpiAsked, SweepVary } from "@/core/types.ts";

const BLANK: ScenarioAsked = { title: "", about: "", twins: [], follow: ["contains", "feeds"], at: "now", hours: 6, step: 60, members: 30, seed: 1, boundary: "likely", span: 24, changes: [], kpis: [], sweep: null };
const OPERATIONS = { value: "is", plus: "is more by", times: "is times" } as const;
const STATISTICS = { mean: "mean", max: "highest", min: "lowest", end: "at the end", integral: "summed over hours" };
const BOUNDARIES = { likely: "likely, from the hours before", hold: "stays as it is", repeat: "as the day before", recorded: "as it then went" };
type Operation = keyof typeof OPERATIONS;

/** Something of a twin that can be changed. */
interface Choice {
  name: string;
  isParameter: boolean;
  words: string;
  unit: string;
  now: number | null;
  low: number | null;
  high: number | null;
  isWritable: boolean;
}

export function ScenarioForm({ list, scenario }: { list: Scenario[]; scenario?: Scenario }) {
  const [asked, setAsked] = useState<ScenarioAsked>(() => (scenario ? askedOf(scenario) : BLANK));
  const [problem, setProblem] = useState("");
  const behaviours = useResource("behaviours", loadBehaviours);
  const set = (part: Partial<ScenarioAsked>): void => setAsked({ ...asked, ...part });
  const blocked = blockedFrom("runs:start");
  const send = async (isRun: boolean): Promise<void> => {
    setProblem("");
    try {
      const id = scenario?.id ?? freshId(asked.title || asked.twins[0] || "", new Set(list.map((one) => one.id)));
      await save(id, { ...asked, kpis: asked.kpis.filter((one) => one.twin && one.property), changes: asked.changes.filter((one) => one.property || one.parameter) });
      if (isRun) await start(id);
      go(href("what-if", id), { replace: true });
    } catch (error) {
      setProblem(error instanceof Error ? `${error.message}${"hint" in error && error.hint ? ` (${String(error.hint)})` : ""}` : String(error));
    }
  };
  return (
    <form
      class="whatif-form whatif-scroll"
      data-testid="scenario-form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void send(false);
      }}
    >
      <datalist id="whatif-every-twin">
        {[...rows.value.values()].slice(0, 1000).map((row) => (
          <option key={row.id} value={row.id}>
            {row.name}
          </option>
        ))}
      </datalist>
      <header class="whatif-head">
        <h2 class="grow">{scenario ? `Change ${scenario.title || scenario.id}` : "A new scenario"}</h2>
        <div class="whatif-acts">
          <a class="button" href={href("what-if", scenario?.id ?? "")}>
            Cancel
          </a>
          <button type="submit" class="button" data-testid="save-scenario" aria-disabled={blocked ? "true" : undefined} title={blocked || undefined}>
            Save
          </button>
          <ActionButton blocked={blocked} class="primary" testId="save-and-run" onAct={() => void send(true)}>
            Save and run
          </ActionButton>
        </div>
      </header>
      <p class="problem" role="alert" data-testid="form-problem">
        {problem}
      </p>
      <div class="whatif-fields">
        <Text id="title" label="What people call it" value={asked.title} change={(title) => set({ title })} />
        <Text id="twins" label="Twins where the fork begins" value={asked.twins.join(", ")} list="whatif-every-twin" help="ids, with commas; relationships lead on from there" change={(text) => set({ twins: text.split(",").map((one) => one.trim()).filter(Boolean) })} />
        <Text id="about" label="Why it is asked" value={asked.about} change={(about) => set({ about })} />
      </div>
      <section aria-label="Changes">
        <h3>What is different</h3>
        {asked.changes.map((change, i) => (
          <ChangeRow key={i} place={i} change={change} behaviours={behaviours.data ?? []} set={(next) => set({ changes: asked.changes.map((one, k) => (k === i ? next : one)) })} remove={() => set({ changes: asked.changes.filter((_, k) => k !== i) })} />
        ))}
        <button type="button" class="button" data-testid="add-change" onClick={() => set({ changes: [...asked.changes, { twin: asked.twins[0] ?? "", value: null }] })}>
          <Icon name="plus" small /> Change something
        </button>
      </section>
      <section aria-label="Key figures">
        <h3>What counts</h3>
        {asked.kpis.length === 0 && <p class="soft">Without any: the key figures of the plant that are simulated.</p>}
        {asked.kpis.map((kpi, i) => (
          <KpiRow key={i} place={i} kpi={kpi} behaviours={behaviours.data ?? []} set={(next) => set({ kpis: asked.kpis.map((one, k) => (k === i ? next : one)) })} remove={() => set({ kpis: asked.kpis.filter((_, k) => k !== i) })} />
        ))}
        <button type="button" class="button" data-testid="add-kpi" onClick={() => set({ kpis: [...asked.kpis, { twin: asked.twins[0] ?? "", property: "" }] })}>
          <Icon name="plus" small /> Add a figure
        </button>
      </section>
      <section aria-label="How it is run">
        <h3>How it is run</h3>
        <div class="whatif-fields">
          <Text id="at" label="As of" value={asked.at} help="now, -2h, or a moment (ISO 8601)" change={(at) => set({ at })} />
          <Number_ id="hours" label="Hours it goes on" value={asked.hours} low={0.01} high={8784} change={(hours) => set({ hours })} />
          <Number_ id="members" label="Draws of what is not sure" value={asked.members} low={1} high={1000} change={(members) => set({ members })} />
          <Number_ id="seed" label="Seed" value={asked.seed} low={0} high={2147483647} change={(seed) => set({ seed })} />
          <Number_ id="step" label="Step of the models, s" value={asked.step} low={0.1} high={86400} change={(step) => set({ step })} />
          <div class="field">
            <label for="whatif-boundary">What comes from outside</label>
            <select id="whatif-boundary" class="input" value={asked.boundary} onChange={(event) => set({ boundary: event.currentTarget.value })}>
              {Object.entries(BOUNDARIES).map(([name, words]) => (
                <option key={name} value={name}>
                  {words}
                </option>
              ))}
            </select>
          </div>
        </div>
      </section>
      <section aria-label="Variants of a design">
        <h3>Variants of a design</h3>
        <SweepFields asked={asked} behaviours={behaviours.data ?? []} set={set} />
      </section>
    </form>
  );
}

// ---- rows ----------------------------------------------------------------------------------------

interface RowProps<T> {
  place: number;
  behaviours: Behaviour[];
  set: (next: T) => void;
  remove: () => void;
}

function ChangeRow({ place, change, behaviours, set, remove }: RowProps<ScenarioChange> & { change: ScenarioChange }) {
  if (change.model || change.schedule?.length || change.recorded) {
    const name = change.property || change.parameter;
    return (
      <Row label={`Change ${place + 1}`} remove={remove}>
        <p class="grow">
          {change.twin || change.model}: {name} {change.schedule?.length ? "by schedule" : change.recorded ? `as from ${change.recorded}` : `${OPERATIONS[operationOf(change)]} ${String(change[operationOf(change)])}`}
          {system.value && ", in the model's unit"}
        </p>
      </Row>
    );
  }
  const operation = operationOf(change);
  const choose = (choice: Choice | undefined): void => {
    const own = { twin: change.twin ?? "", ...(choice?.isParameter ? { parameter: choice.name } : { property: choice?.name ?? "" }) };
    set({ ...own, value: choice?.now ?? null });
  };
  return (
    <Row label={`Change ${place + 1}`} remove={remove}>
      <What id={`change-${place}`} twin={change.twin ?? ""} name={change.property || change.parameter || ""} isParameter={Boolean(change.parameter)} behaviours={behaviours} setTwin={(twin) => set({ twin, value: null })} choose={choose}>
        {(choice) => (
          <>
            <div class="field">
              <label for={`change-${place}-how`}>How</label>
              <select id={`change-${place}-how`} class="input" value={operation} onChange={(event) => set({ ...named(change), [event.currentTarget.value]: event.currentTarget.value === "times" ? 1 : event.currentTarget.value === "plus" ? 0 : (choice?.now ?? 0) })}>
                {Object.entries(OPERATIONS).map(([name, words]) => (
                  <option key={name} value={name}>
                    {words}
                  </option>
                ))}
              </select>
            </div>
            <Amount id={`change-${place}-value`} value={change[operation] ?? null} choice={operation === "value" ? choice : undefined} unit={operation === "times" ? "" : (choice?.unit ?? "")} kind={operation === "plus" ? "spread" : "value"} change={(value) => set({ ...named(change), [operation]: value })} />
          </>
        )}
      </What>
    </Row>
  );
}

const named = (change: ScenarioChange): ScenarioChange => ({ twin: change.twin ?? "", ...(change.parameter ? { parameter: change.parameter } : { property: change.property ?? "" }) });
const operationOf = (change: ScenarioChange): Operation => (change.plus != null ? "plus" : change.times != null ? "times" : "value");

function KpiRow({ place, kpi, behaviours, set, remove }: RowProps<ScenarioKpiAsked> & { kpi: ScenarioKpiAsked }) {
  return (
    <Row label={`Figure ${place + 1}`} remove={remove}>
      <What id={`kpi-${place}`} twin={kpi.twin} name={kpi.property} isParameter={false} behaviours={behaviours} isRead setTwin={(twin) => set({ twin, property: "" })} choose={(choice) => set({ ...kpi, property: choice?.name ?? "" })}>
        {() => (
          <>
            <div class="field">
              <label for={`kpi-${place}-of`}>Figure</label>
              <select id={`kpi-${place}-of`} class="input" value={kpi.of ?? "mean"} onChange={(event) => set({ ...kpi, of: event.currentTarget.value })}>
                {Object.entries(STATISTICS).map(([name, words]) => (
                  <option key={name} value={name}>
                    {words}
                  </option>
                ))}
              </select>
            </div>
            <div class="field">
              <label for={`kpi-${place}-best`}>Good is</label>
              <select id={`kpi-${place}-best`} class="input" value={kpi.best ?? ""} onChange={(event) => set({ ...kpi, best: event.currentTarget.value })}>
                <option value="">neither</option>
                <option value="low">low</option>
                <option value="high">high</option>
              </select>
            </div>
          </>
        )}
      </What>
    </Row>
  );
}

function SweepFields({ asked, behaviours, set }: { asked: ScenarioAsked; behaviours: Behaviour[]; set: (part: Partial<ScenarioAsked>) => void }) {
  const { sweep } = asked;
  const begin = { design: "latin", count: 100, members: 8, vary: [{ twin: asked.twins[0] ?? "", from: 0, to: 1 }] };
  const change = (vary: SweepVary[]): void => set({ sweep: vary.length ? { ...(sweep ?? begin), vary } : null });
  return (
    <>
      {!sweep && <p class="soft">Many variants at once, ranked; figures that have a good end are the goals.</p>}
      {sweep?.vary.map((one, i) => (
        <Row key={i} label={`Varied ${i + 1}`} remove={() => change(sweep.vary.filter((_, k) => k !== i))}>
          <What
            id={`vary-${i}`}
            twin={one.twin ?? ""}
            name={one.property || one.parameter || ""}
            isParameter={Boolean(one.parameter)}
            behaviours={behaviours}
            setTwin={(twin) => change(sweep.vary.map((old, k) => (k === i ? { twin, from: 0, to: 1 } : old)))}
            choose={(choice) => {
              const [from, to] = [choice?.low ?? (choice?.now ?? 0) * 0.5, choice?.high ?? (choice?.now ?? 1) * 1.5];
              const own = choice?.isParameter ? { parameter: choice.name } : { property: choice?.name ?? "" };
              change(sweep.vary.map((old, k) => (k === i ? { twin: one.twin ?? "", ...own, from, to: Math.max(to, from + 1e-6) } : old)));
            }}
          >
            {(choice) => (
              <>
                <Amount id={`vary-${i}-from`} label="From" value={one.from} choice={choice} unit={choice?.unit ?? ""} change={(value) => change(sweep.vary.map((old, k) => (k === i ? { ...old, from: value ?? 0 } : old)))} />
                <Amount id={`vary-${i}-to`} label="To" value={one.to} choice={choice} unit={choice?.unit ?? ""} change={(value) => change(sweep.vary.map((old, k) => (k === i ? { ...old, to: value ?? 0 } : old)))} />
              </>
            )}
          </What>
        </Row>
      ))}
      {sweep && (
        <div class="whatif-fields">
          <Number_ id="count" label="Variants" value={sweep.count ?? 100} low={2} high={2000} change={(count) => set({ sweep: { ...sweep, count } })} />
          <Number_ id="sweep-members" label="Draws of each" value={sweep.members ?? 8} low={1} high={200} change={(members) => set({ sweep: { ...sweep, members } })} />
        </div>
      )}
      <button type="button" class="button" data-testid="add-vary" onClick={() => change([...(sweep?.vary ?? []), ...begin.vary])}>
        <Icon name="plus" small /> Vary something
      </button>
    </>
  );
}

// ---- parts ---------------------------------------------------------------------------------------

function Row({ label, remove, children }: { label: string; remove: () => void; children: ComponentChildren }) {
  return (
    <div class="whatif-row" role="group" aria-label={label}>
      {children}
      <button type="button" class="button quiet square" aria-label={`Remove: ${label}`} onClick={remove}>
        <Icon name="trash" small />
      </button>
    </div>
  );
}

interface WhatProps {
  id: string;
  twin: string;
  name: string;
  isParameter: boolean;
  behaviours: Behaviour[];
  /** Only what is simulated. */
  isRead?: boolean;
  setTwin: (twin: string) => void;
  choose: (choice: Choice | undefined) => void;
  children: (choice: Choice | undefined) => ComponentChildren;
}

/** A twin, and one thing of it: its model says which there are, with their ranges. */
function What({ id, twin, name, isParameter, behaviours, isRead = false, setTwin, choose, children }: WhatProps) {
  const isKnown = rows.value.has(twin);
  const found = useResource(isKnown ? `twin ${twin} for what-if` : null, (abort) => getTwin(twin, abort));
  const own = behaviours.filter((one) => one.of.includes(twin));
  const simulated = new Set(own.flatMap((one) => Object.keys(one.outputs)));
  const properties: Choice[] = (found.data?.properties ?? [])
    .filter((one) => typeof one.value === "number" || NUMBERS.has(one.schema))
    .filter((one) => !isRead || simulated.has(one.path))
    .map((one) => ({ name: one.path, isParameter: false, words: one.displayName || one.path, unit: one.unit ?? "", now: typeof one.value === "number" ? one.value : null, low: one.minimum, high: one.maximum, isWritable: one.writable }));
  const parameters: Choice[] = isRead ? [] : own.flatMap((one) => Object.entries(one.parameters).map(([key, amount]) => ({ name: key, isParameter: true, words: amount.about ? `${key}: ${amount.about}` : key, unit: amount.unit, now: ownValue(one, twin, key) ?? amount.value, low: amount.low, high: amount.high, isWritable: true })));
  const all = [...properties, ...parameters];
  const chosen = all.find((one) => one.name === name && one.isParameter === isParameter);
  const key = (one: Choice): string => `${one.isParameter ? "parameter" : "property"} ${one.name}`;
  const group = (label: string, some: Choice[]) =>
    some.length > 0 && (
      <optgroup label={label}>
        {some.map((one) => (
          <option key={key(one)} value={key(one)}>
            {one.words}
          </option>
        ))}
      </optgroup>
    );
  return (
    <>
      <div class="field">
        <label for={`${id}-twin`}>Twin</label>
        <input id={`${id}-twin`} class="input" list="whatif-every-twin" autocomplete="off" spellcheck={false} value={twin} aria-invalid={twin && !isKnown ? "true" : undefined} onInput={(event) => setTwin(event.currentTarget.value.trim())} />
      </div>
      <div class="field">
        <label for={`${id}-what`}>What</label>
        <select id={`${id}-what`} class="input" value={chosen ? key(chosen) : ""} onChange={(event) => choose(all.find((one) => key(one) === event.currentTarget.value))}>
          <option value="">{isKnown ? "choose" : "name a twin first"}</option>
          {group("Set points", properties.filter((one) => one.isWritable))}
          {group(isRead ? "Simulated" : "Readings", properties.filter((one) => !one.isWritable))}
          {group("Parameters of its model", parameters)}
        </select>
      </div>
      {children(chosen)}
    </>
  );
}

const NUMBERS = new Set(["double", "float", "integer", "long", "decimal"]);

function ownValue(one: Behaviour, twin: string, key: string): number | undefined {
  const found = one.twins[twin]?.[key];
  return typeof found === "object" ? found.value : found;
}

interface AmountProps {
  id: string;
  label?: string;
  value: number | null;
  choice: Choice | undefined;
  unit: string;
  kind?: Kind;
  change: (value: number | null) => void;
}

/** A number in the unit that it is read in, with its range in words, and a slider where both ends are known. */
function Amount({ id, label = "Value", value, choice, unit, kind = "value", change }: AmountProps) {
  const read = (one: number | null | undefined): number | null => (one == null ? null : enteredAsRead(one, unit, kind));
  const back = (one: number | null): void => change(one === null ? null : enteredFromRead(one, unit, kind));
  const [low, high] = [read(choice?.low), read(choice?.high)];
  const isRanged = low !== null && high !== null && high - low < 1e6;
  return (
    <div class="field whatif-amount">
      <label for={id}>{label}</label>
      <Entry key={system.value} id={id} value={read(value)} low={low} high={high} change={back} describedBy={`${id}-help`} />
      {isRanged && <input type="range" aria-label={`${label}, as a slider`} min={low} max={high} step={(high - low) / 200} value={read(value) ?? low} onInput={(event) => back(Number(Number(event.currentTarget.value).toPrecision(4)))} />}
      <span id={`${id}-help`} class="meta">
        {rangeWords(choice, unit)}
      </span>
    </div>
  );
}

function rangeWords(choice: Choice | undefined, unit: string): string {
  const symbol = unitAsRead(unit);
  if (!choice) return symbol;
  const { now, low, high } = choice;
  const plain = (value: number): string => plainAsRead(value, unit);
  return [now === null ? "" : `now ${plain(now)}`, low !== null && high !== null ? `${plain(low)} to ${plain(high)}` : "", symbol].filter(Boolean).join(", ");
}

function Entry({ id, value, low, high, change, describedBy }: { id: string; value: number | null; low: number | null; high: number | null; change: (value: number | null) => void; describedBy?: string }) {
  const [text, setText] = useState<string | null>(null);
  const shown = text ?? (value === null ? "" : String(value));
  const isWrong = shown !== "" && (!Number.isFinite(Number(shown)) || (low !== null && Number(shown) < low) || (high !== null && Number(shown) > high));
  return (
    <input
      id={id}
      class="input"
      inputMode="decimal"
      autocomplete="off"
      value={shown}
      aria-invalid={isWrong ? "true" : undefined}
      aria-describedby={describedBy}
      onInput={(event) => {
        const now = event.currentTarget.value.replace(",", ".");
        setText(now);
        if (now.trim() !== "" && Number.isFinite(Number(now))) change(Number(now));
      }}
      onBlur={() => setText(null)}
    />
  );
}

function Text({ id, label, value, change, list, help }: { id: string; label: string; value: string; change: (text: string) => void; list?: string; help?: string }) {
  const [text, setText] = useState<string | null>(null);
  return (
    <div class="field">
      <label for={`whatif-${id}`}>{label}</label>
      <input
        id={`whatif-${id}`}
        class="input"
        autocomplete="off"
        list={list}
        value={text ?? value}
        aria-describedby={help ? `whatif-${id}-help` : undefined}
        onInput={(event) => {
          setText(event.currentTarget.value);
          change(event.currentTarget.value);
        }}
        onBlur={() => setText(null)}
      />
      {help && (
        <span id={`whatif-${id}-help`} class="meta">
          {help}
        </span>
      )}
    </div>
  );
}

function Number_({ id, label, value, low, high, change }: { id: string; label: string; value: number; low: number; high: number; change: (value: number) => void }) {
  return (
    <div class="field">
      <label for={`whatif-${id}`}>{label}</label>
      <Entry id={`whatif-${id}`} value={value} low={low} high={high} change={(next) => change(next ?? value)} />
    </div>
  );
}
