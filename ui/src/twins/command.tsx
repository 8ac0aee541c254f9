/** Sending a command: a form made from the model, a confirmation that is typed, then its life step by step. */

import { useState } from "preact/hooks";
import { commands, send, STEP_WORDS } from "@/core/commands.ts";
import { tick } from "@/core/clock.ts";
import type { Command, CommandModel, Json, Twin } from "@/core/types.ts";
import { formatClock, formatMoment, parseTime } from "@/core/words.ts";
import { blockedFrom } from "@/core/writing.ts";
import { Dialog } from "@/shell/dialog.tsx";
import { Icon } from "@/shell/icon.tsx";
import { ActionButton } from "@/shell/notices.tsx";
import { argumentsOf, fieldsOf, rangeOf, type FormField } from "./form.ts";

const DEADLINES = [10, 30, 120, 600];

export function CommandButton({ twin, command, isPrimary }: { twin: Twin; command: CommandModel; isPrimary?: boolean }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <ActionButton class={isPrimary ? "primary" : ""} testId="command-button" data={{ "data-command": command.name }} label={command.displayName || command.name} blocked={blockedFrom("commands:send")} onAct={() => setOpen(true)}>
        <span class="ellipsis">{command.displayName || command.name}…</span>
      </ActionButton>
      {isOpen && <CommandDialog twin={twin} command={command} close={() => setOpen(false)} />}
    </>
  );
}

export function CommandDialog({ twin, command, close }: { twin: Twin; command: CommandModel; close: () => void }) {
  const fields = fieldsOf(command.request);
  const [values, setValues] = useState<Record<string, string>>(Object.fromEntries(fields.map((field) => [field.path, initial(field)])));
  const [step, setStep] = useState<"form" | "confirm" | "life">(fields.length ? "form" : "confirm");
  const [isTried, setTried] = useState(false);
  const [typed, setTyped] = useState("");
  const [deadline, setDeadline] = useState(30);
  const [problem, setProblem] = useState("");
  const [sent, setSent] = useState<Command | null>(null);
  const { value, problems } = argumentsOf(fields, values);
  const name = command.displayName || command.name;
  const isConfirmed = typed.trim() === twin.id;

  const confirm = async (): Promise<void> => {
    if (!isConfirmed) {
      setProblem(`Type ${twin.id} exactly as it is written`);
      return;
    }
    setProblem("");
    try {
      setSent(await send(twin.id, command.name, value, deadline));
      setStep("life");
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  const submit = (event: Event): void => {
    event.preventDefault();
    setTried(true);
    if (step === "form" && Object.keys(problems).length === 0) setStep("confirm");
    else if (step === "confirm") void confirm();
  };

  if (step === "life" && sent) {
    return (
      <Dialog title={`${name}: ${twin.name || twin.id}`} close={close} testId="command-life" foot={<button class="button primary" onClick={close}>Close</button>}>
        <Life command={commands.value.get(sent.id) ?? sent} />
      </Dialog>
    );
  }
  return (
    <Dialog title={`${name}: ${twin.name || twin.id}`} close={close} testId="command-dialog">
      <form class="stack" style={{ gap: "14px" }} onSubmit={submit} data-testid="command-form" noValidate>
        {command.description && <p class="soft">{command.description}</p>}
        {step === "form" && fields.map((field) => <Field key={field.path} field={field} text={values[field.path] ?? ""} problem={isTried ? (problems[field.path] ?? "") : ""} change={(text) => setValues({ ...values, [field.path]: text })} />)}
        {step === "form" && (
          <div class="field">
            <label for="command-deadline">Give up after</label>
            <select id="command-deadline" class="input" value={String(deadline)} onChange={(event) => setDeadline(Number(event.currentTarget.value))}>
              {DEADLINES.map((seconds) => (
                <option key={seconds} value={String(seconds)}>
                  {seconds < 60 ? `${seconds} s` : `${seconds / 60} min`}
                </option>
              ))}
            </select>
          </div>
        )}
        {step === "confirm" && (
          <>
            <p>
              <strong>{name}</strong>
              {fields.length > 0 && (
                <>
                  {" "}
                  with <strong>{describe(fields, value)}</strong>
                </>
              )}{" "}
              goes to the device of <strong>{twin.name || twin.id}</strong> now.
            </p>
            <TypedId id={twin.id} typed={typed} change={setTyped} isFirst />
          </>
        )}
        <p id="command-problem" class="problem" role="alert">
          {problem}
        </p>
        <div class="row" style={{ justifyContent: "flex-end" }}>
          {step === "confirm" && fields.length > 0 && (
            <button type="button" class="button" onClick={() => setStep("form")}>
              Back
            </button>
          )}
          <button type="button" class="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" class="button primary" data-testid={step === "form" ? "command-next" : "command-send"} aria-disabled={step === "confirm" && !isConfirmed ? "true" : undefined}>
            {step === "form" ? "Continue" : "Send"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** Nothing goes to a device before its id was typed. */
export function TypedId({ id, typed, change, isFirst = false }: { id: string; typed: string; change: (text: string) => void; isFirst?: boolean }) {
  return (
    <div class="field">
      <label for="command-confirm">
        Type <strong>{id}</strong> to confirm
      </label>
      <input id="command-confirm" key="confirm" class="input" data-testid="confirm-input" autocomplete="off" spellcheck={false} value={typed} ref={isFirst ? focusFirst : undefined} onInput={(event) => change(event.currentTarget.value)} aria-describedby="command-problem" />
    </div>
  );
}

/** The confirmation takes the focus when it replaces the form. */
function focusFirst(element: HTMLInputElement | null): void {
  element?.focus();
}

function initial(field: FormField): string {
  if (field.kind === "boolean") return "true";
  return field.kind === "choice" ? (field.choices[0]?.value ?? "") : "";
}

function describe(fields: FormField[], value: Json): string {
  const words = (field: FormField, one: Json): string => {
    const label = field.choices.find((choice) => choice.value === String(one))?.label ?? (typeof one === "string" ? one : JSON.stringify(one));
    return `${field.label} ${label}${field.unit ? ` ${field.unit}` : ""}`;
  };
  return fields.map((field) => words(field, field.path === "" ? value : ((value as Record<string, Json>)[field.path] ?? null))).join(", ");
}

export function Field({ field, text, problem, change }: { field: FormField; text: string; problem: string; change: (text: string) => void }) {
  const id = `field-${field.path || "value"}`;
  const common = { id, class: "input", value: text, "aria-invalid": problem ? ("true" as const) : undefined, "aria-describedby": `${id}-help` };
  const isRanged = field.kind === "number" && field.minimum !== null && field.maximum !== null;
  return (
    <div class="field">
      <label for={id}>
        {field.label}
        {field.unit ? ` (${field.unit})` : ""}
      </label>
      {field.kind === "boolean" || field.kind === "choice" ? (
        <select {...common} onChange={(event) => change(event.currentTarget.value)}>
          {(field.kind === "boolean" ? [{ value: "true", label: "Yes" }, { value: "false", label: "No" }] : field.choices).map((choice) => (
            <option key={choice.value} value={choice.value}>
              {choice.label}
            </option>
          ))}
        </select>
      ) : field.kind === "json" ? (
        <textarea {...common} onInput={(event) => change(event.currentTarget.value)} />
      ) : (
        <div class="row">
          <input {...common} inputMode={field.kind === "text" ? "text" : "decimal"} autocomplete="off" onInput={(event) => change(event.currentTarget.value)} />
          {isRanged && <input class="grow range" type="range" aria-label={`${field.label}, slider`} min={field.minimum!} max={field.maximum!} step={(field.maximum! - field.minimum!) / 100} value={text || String(field.minimum)} onInput={(event) => change(event.currentTarget.value)} />}
        </div>
      )}
      <span id={`${id}-help`} class={problem ? "problem" : "meta"}>
        {problem || rangeOf(field)}
      </span>
    </div>
  );
}

const STRUCK = new Set(["failed", "expired", "refused", "cancelled", "unconfirmed"]);
const WAITING: Record<string, string> = { proposed: "Waiting for a person", awaiting: "Waiting for another person", succeeded: "Waiting for a reading that agrees" };

/** Steps that were taken, each with its time; the last one says whether it goes on. */
export function Life({ command }: { command: Command }) {
  const isOver = command.isOver;
  const deadline = parseTime(command.deadline);
  const left = deadline === null ? 0 : Math.max(0, Math.round((deadline - tick.value) / 1000));
  return (
    <div class="stack" data-testid="command-state" data-command-id={command.id} data-state={command.state} aria-live="polite">
      <ol class="life">
        {command.steps.map((step, i) => (
          <li key={i} class={i === command.steps.length - 1 && !isOver ? "now" : ""}>
            <Icon name={STRUCK.has(step.state) ? "strike" : step.state === "unknown" ? "help" : "check"} small />
            <span class="grow">
              {STEP_WORDS[step.state] ?? step.state}
              {step.note ? <span class="muted"> {step.note}</span> : null}
            </span>
            <time class="meta" dateTime={step.time}>
              {formatClock(Date.parse(step.time))}
            </time>
          </li>
        ))}
        {!isOver && (
          <li class="waiting">
            <Icon name="clock" small />
            <span class="grow">{WAITING[command.state] ?? "Waiting for the device"}</span>
            {deadline !== null && command.state !== "succeeded" && <span class="meta">{left} s left</span>}
          </li>
        )}
      </ol>
      {command.message && <p class="soft">{command.message}</p>}
      {command.result !== null && command.result !== undefined && <pre class="raw small">{JSON.stringify(command.result, null, 2)}</pre>}
      <p class="meta">
        {command.id} · {command.who} · {formatMoment(Date.parse(command.requested), tick.value)}
      </p>
    </div>
  );
}
