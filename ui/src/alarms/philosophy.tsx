/** The alarm philosophy: what this plant means by a flood, a common cause, stale, an operator. */

import { useState } from "preact/hooks";
import { get, put } from "@/core/api.ts";
import { useResource } from "@/core/resource.ts";
import type { Philosophy } from "@/core/types.ts";
import { blockedFrom } from "@/core/writing.ts";
import { attempt } from "@/settings/act.ts";
import { Failed, SkeletonRows } from "@/shell/notices.tsx";

const NUMBERS: [name: Exclude<keyof Philosophy, "relationships" | "direction" | "shifts" | "timeZone">, label: string, note: string][] = [
  ["operators", "Operators at a time", "key figures are per operator"],
  ["flood", "Alarms in 10 minutes that begin a flood", "per operator; ISA-18.2: 10"],
  ["floodEnd", "Fewer in 10 minutes end it", "per operator; ISA-18.2: 5"],
  ["stale", "Seconds of standing until stale", "ISA-18.2: 86,400, a day"],
  ["window", "Seconds between alarms of one cause", "at the most"],
  ["least", "Alarms that make a group", "where the cause has no alarm itself"],
  ["hops", "Twins between cause and effect", "at the most"],
];

export function PhilosophySheet() {
  const [version, setVersion] = useState(0);
  const [problem, setProblem] = useState("");
  const { data, error, retry } = useResource("philosophy", (abort) => get<Philosophy>("/alarms/philosophy", abort), version);
  const blocked = blockedFrom("rules:write");
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (blocked) return;
    const given = new FormData(event.currentTarget as HTMLFormElement);
    const body: Record<string, unknown> = { ...data, ...Object.fromEntries(NUMBERS.map(([name]) => [name, Number(given.get(name))])) };
    body["relationships"] = String(given.get("relationships") ?? "").split(/[\s,]+/).filter(Boolean);
    body["direction"] = String(given.get("direction"));
    setProblem(await attempt(() => put("/alarms/philosophy", body), "The alarm philosophy counts from now on", () => setVersion((old) => old + 1)));
  };
  return (
    <div class="figures" data-testid="alarm-philosophy">
      {error && !data && <Failed error={error} what="The alarm philosophy" retry={retry} />}
      {!data && !error && <SkeletonRows count={4} />}
      {data && (
        <form class="stack rule-editor" key={JSON.stringify(data)} onSubmit={(event) => void submit(event)}>
          <div class="grid-2">
            {NUMBERS.map(([name, label, note]) => (
              <div class="field" key={name}>
                <label for={`philosophy-${name}`}>{label}</label>
                <input id={`philosophy-${name}`} name={name} class="input" type="number" required step="any" defaultValue={String(data[name])} aria-describedby={`philosophy-${name}-note`} />
                <span class="meta" id={`philosophy-${name}-note`}>
                  {note}
                </span>
              </div>
            ))}
            <div class="field">
              <label for="philosophy-relationships">Relationships along which a cause reaches others</label>
              <input id="philosophy-relationships" name="relationships" class="input" defaultValue={data.relationships.join(" ")} />
            </div>
            <div class="field">
              <label for="philosophy-direction">In their direction, or against it</label>
              <select id="philosophy-direction" name="direction" class="input" defaultValue={data.direction}>
                <option value="out">from source to target</option>
                <option value="in">from target to source</option>
              </select>
            </div>
          </div>
          <p class="problem" role="alert">
            {problem}
          </p>
          <div>
            <button class="button primary" type="submit" data-testid="philosophy-save" aria-disabled={blocked ? "true" : undefined} title={blocked || undefined}>
              Save
            </button>
          </div>
        </form>
      )}
    </div>
  );
}
