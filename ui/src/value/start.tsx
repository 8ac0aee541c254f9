/** Starts a run with parameters of one's own: fields come from the run's schema. */

import { useState } from "preact/hooks";
import { post } from "@/core/api.ts";
import type { Json, ServiceKind, ServiceKindRun, ServiceView } from "@/core/types.ts";
import { Dialog } from "@/shell/dialog.tsx";

interface Field {
  type?: string;
  description?: string;
  default?: Json;
  unit?: string;
  enum?: Json[];
}

const SIMPLE = new Set(["number", "integer", "string", "boolean"]);
export const named = (run: string): string => run.charAt(0).toUpperCase() + run.slice(1);

function fieldsOf(run: ServiceKindRun): [string, Field][] {
  const found = (run.parameters.properties ?? {}) as unknown as Record<string, Field>;
  return Object.entries(found).filter(([, one]) => SIMPLE.has(one.type ?? ""));
}

/** What was typed, as its schema wants it. */
function read(field: Field, text: string): Json {
  if (field.type === "boolean") return text === "true";
  return field.type === "string" ? text : Number(text);
}

interface Props {
  /** Whose run it is; null: a run without a service, on twins that are named. */
  service: ServiceView | null;
  kinds: ServiceKind[];
  close: () => void;
  done: () => void;
}

export function StartDialog({ service, kinds, close, done }: Props) {
  const choices = kinds.flatMap((kind) => kind.runs.map((run) => ({ kind, run, key: `${kind.kind} ${run.run}` })));
  const [key, setKey] = useState(choices[0]?.key ?? "");
  const [given, setGiven] = useState<Record<string, string>>({});
  const [twins, setTwins] = useState("");
  const [problem, setProblem] = useState("");
  const chosen = choices.find((one) => one.key === key);
  if (!chosen) return null;
  const fields = fieldsOf(chosen.run);
  const start = async (): Promise<void> => {
    const parameters = Object.fromEntries(fields.filter(([name]) => name in given).map(([name, field]) => [name, read(field, given[name]!)]));
    const named = twins.split(",").map((one) => one.trim()).filter(Boolean);
    const subject = service ? { service: service.id } : { kind: chosen.kind.kind, ...(named.length ? { twins: named } : {}) };
    try {
      await post("/runs", { ...subject, run: chosen.run.run, parameters });
      close();
      done();
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <Dialog title={service ? `Start a run of ${service.title}` : "Start a run without a service"} close={close} testId="start-dialog">
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void start();
        }}
      >
        <div class="field">
          <label for="start-run">Run</label>
          <select
            id="start-run"
            class="input"
            value={key}
            onChange={(event) => {
              setKey(event.currentTarget.value);
              setGiven({});
            }}
          >
            {choices.map((one) => (
              <option key={one.key} value={one.key}>
                {service ? named(one.run.run) : `${one.kind.title}: ${one.run.run}`}
              </option>
            ))}
          </select>
          <span class="meta">{chosen.run.about}</span>
        </div>
        {!service && (
          <div class="field">
            <label for="start-twins">Twins, with commas between</label>
            <input id="start-twins" class="input" autocomplete="off" value={twins} onInput={(event) => setTwins(event.currentTarget.value)} />
          </div>
        )}
        <div class="start-fields">
          {fields.map(([name, field]) => (
            <div class="field" key={`${key} ${name}`}>
              <label for={`start-${name}`}>
                {name} <span class="meta">{[field.description, field.unit && `in ${field.unit}`].filter(Boolean).join(", ")}</span>
              </label>
              {field.type === "boolean" || field.enum ? (
                <select id={`start-${name}`} class="input" value={given[name] ?? String(field.default ?? "")} onChange={(event) => setGiven({ ...given, [name]: event.currentTarget.value })}>
                  {(field.enum ?? [false, true]).map((one) => (
                    <option key={String(one)} value={String(one)}>
                      {String(one)}
                    </option>
                  ))}
                </select>
              ) : (
                <input id={`start-${name}`} class="input" inputMode={field.type === "string" ? "text" : "decimal"} autocomplete="off" value={given[name] ?? String(field.default ?? "")} onInput={(event) => setGiven({ ...given, [name]: event.currentTarget.value })} />
              )}
            </div>
          ))}
        </div>
        <p class="problem" role="alert">
          {problem}
        </p>
        <div class="row end">
          <button type="button" class="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" class="button primary" data-testid="start-confirm">
            Start
          </button>
        </div>
      </form>
    </Dialog>
  );
}
