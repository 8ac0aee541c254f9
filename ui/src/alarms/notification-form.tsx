/** One notification: which alarms, and the steps in which people are told of them. */

import { useState } from "preact/hooks";
import { put } from "@/core/api.ts";
import { attempt } from "@/settings/act.ts";
import { Text } from "@/settings/connectors.tsx";
import type { Notification, NotificationStep } from "@/core/types.ts";

const LISTS = [
  ["priorities", "Priorities (empty: all)", "1 2"],
  ["rules", "Rules (empty: all)", "motor-hot"],
  ["classes", "Classes (empty: all)", "safety"],
] as const;

const words = (text: FormDataEntryValue | null): string[] => String(text ?? "").split(/[\s,]+/).filter(Boolean);

export function NotificationForm({ one, receivers, done }: { one: Notification | undefined; receivers: string[]; done: () => void }) {
  const [steps, setSteps] = useState<NotificationStep[]>(one?.steps ?? [{ after: 0, to: [] }]);
  const [problem, setProblem] = useState("");
  const change = (index: number, step: Partial<NotificationStep>): void => setSteps((old) => old.map((each, i) => (i === index ? { ...each, ...step } : each)));
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const given = new FormData(event.currentTarget as HTMLFormElement);
    const id = one?.id ?? String(given.get("notification-id") ?? "").trim();
    const body: Record<string, unknown> = { steps };
    for (const [name] of LISTS) {
      const list = words(given.get(name));
      if (list.length) body[name] = name === "priorities" ? list.map(Number) : list;
    }
    const subtree = String(given.get("subtree") ?? "").trim();
    if (subtree) body["subtree"] = subtree;
    if (given.get("members")) body["members"] = true;
    setProblem(await attempt(() => put(`/notifications/${encodeURIComponent(id)}`, body), `${id} counts from now on`, done));
  };
  return (
    <form class="stack rule-editor" data-testid="notification-form" onSubmit={(event) => void submit(event)}>
      <h3>{one ? `Notification ${one.id}` : "A new notification"}</h3>
      {!one && <Text name="notification-id" words="Name" placeholder="urgent" isNeeded />}
      {LISTS.map(([name, label, example]) => (
        <Text key={name} name={name} words={label} placeholder={example} value={one?.[name]?.join(" ") ?? ""} />
      ))}
      <Text name="subtree" words="Only this twin and what it contains" placeholder="hall-1" value={one?.subtree ?? ""} />
      <label>
        <input type="checkbox" name="members" defaultChecked={one?.members ?? false} /> Every alarm of a group, not only its cause and its first
      </label>
      {steps.map((step, index) => (
        <fieldset key={index} class="durations" data-testid="step">
          <legend>{index ? `Step ${index + 1}, while nobody has acknowledged` : "First"}</legend>
          <div class="field">
            <label for={`step-after-${index}`}>After seconds</label>
            <input id={`step-after-${index}`} class="input" type="number" min={0} value={step.after ?? 0} onInput={(event) => change(index, { after: Number(event.currentTarget.value) })} />
          </div>
          {receivers.map((name) => (
            <label key={name}>
              <input type="checkbox" checked={step.to.includes(name)} onChange={(event) => change(index, { to: event.currentTarget.checked ? [...step.to, name] : step.to.filter((other) => other !== name) })} /> {name}
            </label>
          ))}
        </fieldset>
      ))}
      <p class="problem" role="alert">
        {problem}
      </p>
      <div class="row">
        <button class="button" type="button" data-testid="step-add" onClick={() => setSteps((old) => [...old, { after: (old[old.length - 1]?.after ?? 0) + 600, to: [] }])}>
          Escalate further
        </button>
        {steps.length > 1 && (
          <button class="button" type="button" onClick={() => setSteps((old) => old.slice(0, -1))}>
            One step fewer
          </button>
        )}
        <button class="button primary" type="submit" data-testid="notification-save">
          Save the notification
        </button>
        <button class="button quiet" type="button" onClick={done}>
          Cancel
        </button>
      </div>
    </form>
  );
}
