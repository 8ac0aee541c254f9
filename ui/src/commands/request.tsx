/** Asking for a command: twin, command, arguments; a dry run with what every guard answers; then send. */

import { useMemo, useState } from "preact/hooks";
import { getTwin } from "@/core/api.ts";
import { dryRun, freshId, send } from "@/core/commands.ts";
import { rows } from "@/core/plant.ts";
import { useResource } from "@/core/resource.ts";
import { go, href } from "@/core/router.ts";
import { toast } from "@/core/toasts.ts";
import type { CommandModel, DryRun, Json, Twin } from "@/core/types.ts";
import { blockedFrom } from "@/core/writing.ts";
import { Icon } from "@/shell/icon.tsx";
import { Failed } from "@/shell/notices.tsx";
import { Field, TypedId } from "@/twins/command.tsx";
import { argumentsOf, byUse, fieldsOf } from "@/twins/form.ts";
import { Effect } from "./effect.tsx";
import { short } from "./words.ts";

const DEADLINES = [30, 120, 600, 3600];

export function RequestForm() {
  const [twin, setTwin] = useState("");
  const known = rows.value.has(twin) ? twin : "";
  const found = useResource(known ? `twin ${known} commands` : null, (abort) => getTwin(known, abort));
  const blocked = blockedFrom("commands:send");
  return (
    <div class="request" data-testid="request">
      <div class="panel-head">
        <h2>Ask for a command</h2>
      </div>
      <section class="panel-part stack">
        <div class="field">
          <label for="request-twin">Twin</label>
          <input id="request-twin" class="input" list="request-twins" autocomplete="off" spellcheck={false} value={twin} onInput={(event) => setTwin(event.currentTarget.value.trim())} aria-describedby="request-twin-help" />
          <datalist id="request-twins">
            {[...rows.value.values()].slice(0, 1000).map((row) => (
              <option key={row.id} value={row.id}>
                {row.name}
              </option>
            ))}
          </datalist>
          <span id="request-twin-help" class="meta">
            {known ? (rows.value.get(known)?.name ?? "") : twin ? "There is no such twin" : "Its id; start typing"}
          </span>
        </div>
        {found.error && <Failed error={found.error} what="Its commands" retry={found.retry} />}
        {found.data && !found.data.commands.length && <p class="soft">Its model has no commands.</p>}
      </section>
      {found.data && found.data.commands.length > 0 && <Choose key={known} twin={found.data} blocked={blocked} />}
    </div>
  );
}

function Choose({ twin, blocked }: { twin: Twin; blocked: string }) {
  const models = byUse(twin.commands);
  const [name, setName] = useState(models[0]!.name);
  const model = models.find((one) => one.name === name) ?? models[0]!;
  return (
    <section class="panel-part stack">
      <div class="field">
        <label for="request-command">Command</label>
        <select id="request-command" class="input" value={model.name} onChange={(event) => setName(event.currentTarget.value)}>
          {models.map((one) => (
            <option key={one.name} value={one.name}>
              {one.displayName || one.name}
            </option>
          ))}
        </select>
      </div>
      <Arguments key={model.name} twin={twin} model={model} blocked={blocked} />
    </section>
  );
}

function Arguments({ twin, model, blocked }: { twin: Twin; model: CommandModel; blocked: string }) {
  const fields = fieldsOf(model.request);
  const [values, setValues] = useState<Record<string, string>>(() => Object.fromEntries(fields.map((field) => [field.path, field.kind === "boolean" ? "true" : (field.choices[0]?.value ?? "")])));
  const [deadline, setDeadline] = useState(120);
  const [isTried, setTried] = useState(false);
  const [problem, setProblem] = useState("");
  const [checked, setChecked] = useState<{ run: DryRun; of: string } | null>(null);
  const [typed, setTyped] = useState("");
  const { value, problems } = argumentsOf(fields, values);
  const now = JSON.stringify(value);
  const id = useMemo(freshId, [now]); // what was simulated under it is what is asked for
  const isChecked = checked !== null && checked.of === now;
  const isPassed = isChecked && checked.run.wouldBe !== "refused" && !blocked;
  const isConfirmed = typed.trim() === twin.id;

  const check = async (): Promise<void> => {
    setTried(true);
    setProblem("");
    if (Object.keys(problems).length) return;
    try {
      setChecked({ run: await dryRun(twin.id, model.name, value, deadline), of: now });
    } catch (error) {
      setChecked(null);
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  const ask = async (): Promise<void> => {
    if (!isConfirmed) return setProblem(`Type ${twin.id} exactly as it is written`);
    try {
      const sent = await send(twin.id, model.name, value as Json, deadline, id);
      toast(sent.state === "awaiting" ? "Asked: another person must approve" : "Asked");
      go(href("commands", sent.id));
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <form
      class="stack"
      data-testid="request-form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void (isPassed ? ask() : check());
      }}
    >
      {fields.map((field) => (
        <Field key={field.path} field={field} text={values[field.path] ?? ""} problem={isTried ? (problems[field.path] ?? "") : ""} change={(text) => setValues({ ...values, [field.path]: text })} />
      ))}
      <div class="field">
        <label for="request-deadline">Give up after</label>
        <select id="request-deadline" class="input" value={String(deadline)} onChange={(event) => setDeadline(Number(event.currentTarget.value))}>
          {DEADLINES.map((seconds) => (
            <option key={seconds} value={String(seconds)}>
              {seconds < 60 ? `${seconds} s` : seconds < 3600 ? `${seconds / 60} min` : `${seconds / 3600} h`}
            </option>
          ))}
        </select>
      </div>
      {isChecked && <Answers run={checked.run} />}
      {isPassed && <Effect id={id} twin={twin} command={model.name} value={value as Json} />}
      {isPassed && <TypedId id={twin.id} typed={typed} change={setTyped} />}
      <p id="command-problem" class="problem" role="alert">
        {problem}
      </p>
      <div class="row end">
        <button type="button" class="button" data-testid="check" onClick={() => void check()}>
          Check
        </button>
        <button type="submit" class="button primary" data-testid="ask" aria-disabled={isPassed && isConfirmed ? undefined : "true"} title={blocked || (isChecked ? undefined : "Check first: the guards are asked, nothing is sent")}>
          {isChecked && checked.run.wouldBe === "awaiting" ? "Ask for approval" : "Send"}
        </button>
      </div>
    </form>
  );
}

const ANSWERS: Record<string, [string, string]> = { pass: ["check", "passes"], refuse: ["strike", "refuses"], wait: ["user", "waits"] };

/** What every guard answers. */
function Answers({ run }: { run: DryRun }) {
  return (
    <div data-testid="guards" role="status">
      <h3>{run.wouldBe === "refused" ? "It would be refused" : run.wouldBe === "awaiting" ? "It would wait for another person" : "Every guard lets it through"}</h3>
      <ul class="guards">
        {run.guards.map((guard, i) => (
          <li key={i} class={guard.answer} data-guard={guard.guard} data-answer={guard.answer}>
            <Icon name={ANSWERS[guard.answer]?.[0] ?? "info"} small />
            <span class="grow">
              <strong>{guard.guard}</strong> {ANSWERS[guard.answer]?.[1]}
              <span class="soft"> {guard.said}</span>
              {guard.answer === "refuse" && guard.hint && <span class="hint">{guard.hint}</span>}
            </span>
          </li>
        ))}
      </ul>
      <p class="meta">
        To be sent: {run.topic.split("/").slice(0, 4).join("/")} {short(run.arguments)}
        {!run.deviceIsThere && " · the device is away: it would wait"}
      </p>
    </div>
  );
}
