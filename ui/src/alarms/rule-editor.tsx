/** One rule: checked and tried on the history before it goes live. */

import { useEffect, useState } from "preact/hooks";
import { get, post, put, remove } from "@/core/api.ts";
import { useResource } from "@/core/resource.ts";
import type { Backtest, Models, Rule, RuleChecked } from "@/core/types.ts";
import { PRIORITY_WORDS } from "@/core/words.ts";
import { blockedFrom } from "@/core/writing.ts";
import { attempt } from "@/settings/act.ts";
import { ActionButton } from "@/shell/notices.tsx";
import { Outcomes } from "./backtest.tsx";

const WORDS: [name: "class" | "cause" | "consequence" | "response", label: string][] = [
  ["class", "Class"],
  ["cause", "Cause"],
  ["consequence", "Consequence if nobody acts"],
  ["response", "What the operator does"],
];
const SPANS: [string, string][] = [
  ["-1h", "the last hour"],
  ["-8h", "the last 8 hours"],
  ["-24h", "the last day"],
  ["-7d", "the last 7 days"],
  ["-30d", "the last 30 days"],
];
const VIEW = new Set(["isRunning", "problem", "lateReadings", "version"]);

/** `from, to, twin` a line. */
function labelsOf(text: string): Record<string, string>[] {
  const lines = text.split("\n").map((line) => line.split(",").map((part) => part.trim()));
  return lines.filter((parts) => parts[0]).map(([from = "", to = "", twin]) => ({ from, to, ...(twin && { twin }) }));
}

export function RuleEditor({ rule, done }: { rule: Rule; done: (id: string | null) => void }) {
  const [draft, setDraft] = useState(rule);
  const [span, setSpan] = useState("-24h");
  const [labels, setLabels] = useState("");
  const [problem, setProblem] = useState("");
  const [said, setSaid] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState<Backtest | null>(null);
  const models = useResource("model ids", (abort) => get<Models>("/models", abort));
  useEffect(() => document.getElementById(rule.id ? "rule-when" : "rule-id")?.focus(), []);
  const blocked = isBusy ? "The answer is awaited" : blockedFrom("rules:write");
  const set = (name: string, value: unknown): void => setDraft((old) => ({ ...old, [name]: value }));
  const body = (): Record<string, unknown> => Object.fromEntries(Object.entries(draft).filter(([name, value]) => !VIEW.has(name) && value !== ""));
  const run = async (what: () => Promise<void>): Promise<void> => {
    setBusy(true);
    setProblem("");
    setSaid("");
    try {
      await what();
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };
  const check = (): Promise<void> =>
    run(async () => {
      const found = await post<RuleChecked>("/rules/check", body());
      setSaid(`It watches ${found.twins} twins, reads ${found.reads.join(", ")}, and waits ${found.lateness} s for late readings.`);
    });
  const backtest = (): Promise<void> =>
    run(async () => setOutcome(await post<Backtest>("/rules/backtest", { rule: body(), from: span, to: "now", ...(labels.trim() && { labels: labelsOf(labels) }) })));
  const live = async (): Promise<void> => setProblem(await attempt(() => put(`/rules/${encodeURIComponent(draft.id)}`, body()), `${draft.id} is live`, () => done(draft.id)));
  const end = async (): Promise<void> => setProblem(await attempt(() => remove(`/rules/${encodeURIComponent(rule.id)}`), `${rule.id} is deleted`, () => done(null)));
  return (
    <form class="rule-editor stack" data-testid="rule-editor" aria-label={rule.id ? `Rule ${rule.id}` : "A new rule"} onSubmit={(event) => (event.preventDefault(), void (blocked || backtest()))}>
      <div class="row wrap">
        <div class="field">
          <label for="rule-id">Id</label>
          <input id="rule-id" class="input" data-testid="rule-id" value={draft.id} disabled={Boolean(rule.id)} onInput={(event) => set("id", event.currentTarget.value)} />
        </div>
        <div class="field">
          <label for="rule-model">For every twin of</label>
          <input id="rule-model" class="input wide" list="rule-models" data-testid="rule-model" value={draft.model} onInput={(event) => set("model", event.currentTarget.value)} />
          <datalist id="rule-models">{models.data?.value.map((one) => <option key={one.id} value={one.id} />)}</datalist>
        </div>
        <div class="field">
          <label for="rule-priority">Priority</label>
          <select id="rule-priority" class="input" value={String(draft.priority)} onChange={(event) => set("priority", Number(event.currentTarget.value))}>
            {[1, 2, 3, 4].map((one) => (
              <option key={one} value={one}>
                {one}, {PRIORITY_WORDS[one]}
              </option>
            ))}
          </select>
        </div>
      </div>
      <div class="field">
        <label for="rule-when">When</label>
        <textarea id="rule-when" class="input code" rows={2} data-testid="rule-when" spellcheck={false} placeholder="temperature > 80 °C for 5 minutes" value={draft.when} aria-describedby="rule-problem" onInput={(event) => set("when", event.currentTarget.value)} />
        <pre id="rule-problem" class="problem" role="alert" data-testid="rule-problem">
          {problem}
        </pre>
      </div>
      <div class="field">
        <label for="rule-title">What the alarm says</label>
        <input id="rule-title" class="input" data-testid="rule-title" value={draft.title} onInput={(event) => set("title", event.currentTarget.value)} />
      </div>
      <div class="grid-2">
        {WORDS.map(([name, label]) => (
          <div class="field" key={name}>
            <label for={`rule-${name}`}>{label}</label>
            <textarea id={`rule-${name}`} class="input" rows={name === "class" ? 1 : 2} data-testid={`rule-${name}`} value={draft[name] ?? ""} onInput={(event) => set(name, event.currentTarget.value)} />
          </div>
        ))}
      </div>
      <div class="row wrap">
        <ActionButton testId="rule-check" blocked={blocked} onAct={() => void check()}>
          Check
        </ActionButton>
        <div class="field">
          <label for="rule-span">On the history of</label>
          <select id="rule-span" class="input" data-testid="rule-span" value={span} onChange={(event) => setSpan(event.currentTarget.value)}>
            {SPANS.map(([value, words]) => (
              <option key={value} value={value}>
                {words}
              </option>
            ))}
          </select>
        </div>
        <button type="submit" class="button" data-testid="rule-backtest" aria-disabled={blocked ? "true" : undefined} title={blocked || undefined}>
          Back-test
        </button>
        <ActionButton class="primary" testId="rule-live" blocked={blocked} onAct={() => void live()}>
          Put it live
        </ActionButton>
        {rule.id && (
          <ActionButton testId="rule-delete" blocked={blocked} onAct={() => void end()}>
            Delete
          </ActionButton>
        )}
        <button type="button" class="button quiet" onClick={() => done(null)}>
          Close
        </button>
      </div>
      <details>
        <summary>Known events, to hold the alarms against</summary>
        <div class="field">
          <label for="rule-labels">From, to and maybe the twin, a line each</label>
          <textarea id="rule-labels" class="input code" rows={3} placeholder="2026-11-20T08:00:00Z, 2026-11-20T09:30:00Z, pump-1" value={labels} onInput={(event) => setLabels(event.currentTarget.value)} />
        </div>
      </details>
      <p role="status" data-testid="rule-said">
        {isBusy ? "…" : said}
      </p>
      {outcome && <Outcomes found={outcome} />}
    </form>
  );
}
