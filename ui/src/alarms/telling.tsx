/** Who is told of which alarms, how and when: receivers, notifications with escalation, the outbox. */

import { useState } from "preact/hooks";
import { get, may, me, post, put, remove } from "@/core/api.ts";
import { wall } from "@/core/clock.ts";
import { useResource } from "@/core/resource.ts";
import { href } from "@/core/router.ts";
import type { Notice, Notification, Page, Receiver } from "@/core/types.ts";
import { formatMoment } from "@/core/words.ts";
import { blockedFrom } from "@/core/writing.ts";
import { attempt } from "@/settings/act.ts";
import { Text } from "@/settings/connectors.tsx";
import { ActionButton, Failed } from "@/shell/notices.tsx";
import "@/style/settings.css";
import { NotificationForm } from "./notification-form.tsx";

export function Telling() {
  const [version, setVersion] = useState(0);
  return (
    <div class="figures telling" data-testid="alarm-telling">
      {may("rules:write") ? <Told version={version} changed={() => setVersion((old) => old + 1)} /> : <p class="soft">Who is told, and how, is shown to those who may make rules; your role ({me.value?.role ?? "none"}) may not. What was told is below.</p>}
      <Outbox version={version} />
    </div>
  );
}

/** Receivers and notifications. */
function Told({ version, changed }: { version: number; changed: () => void }) {
  const receivers = useResource("receivers", (abort) => get<Page<Receiver>>("/receivers", abort), version);
  const notifications = useResource("notifications", (abort) => get<Page<Notification>>("/notifications", abort), version);
  const [edited, setEdited] = useState<Receiver | Notification | "receiver" | "notification" | null>(null);
  const done = (): void => {
    setEdited(null);
    changed();
  };
  const blocked = blockedFrom("rules:write");
  const isReceiver = edited === "receiver" || (typeof edited === "object" && edited !== null && "kind" in edited);
  const known = receivers.data?.value ?? [];
  return (
    <>
      <h2>Receivers</h2>
      {receivers.error && !receivers.data && <Failed error={receivers.error} what="The receivers" retry={receivers.retry} />}
      {receivers.data && known.length === 0 && <p class="soft">Nobody is told by mail, webhook or MQTT yet.</p>}
      <ul class="stack">
        {known.map((one) => (
          <ReceiverLine key={one.id} one={one} blocked={blocked} edit={() => setEdited(one)} done={done} />
        ))}
      </ul>
      <ActionButton testId="receiver-new" blocked={blocked} onAct={() => setEdited("receiver")}>
        A new receiver
      </ActionButton>
      {isReceiver && <ReceiverForm key={typeof edited === "string" ? "new" : edited!.id} one={edited === "receiver" ? undefined : (edited as Receiver)} done={done} />}
      <h2>Notifications</h2>
      <ul class="stack">
        {notifications.data?.value.map((one) => (
          <NotificationLine key={one.id} one={one} blocked={blocked} edit={() => setEdited(one)} done={done} />
        ))}
      </ul>
      <ActionButton testId="notification-new" blocked={blocked || (known.length === 0 ? "Make a receiver first" : "")} onAct={() => setEdited("notification")}>
        A new notification
      </ActionButton>
      {edited && !isReceiver && <NotificationForm key={typeof edited === "string" ? "new" : edited.id} one={edited === "notification" ? undefined : (edited as Notification)} receivers={known.map((one) => one.id)} done={done} />}
    </>
  );
}

function where(one: Receiver): string {
  return (one.to && [one.to].flat().join(", ")) ?? one.url ?? one.topic ?? "";
}

function ReceiverLine({ one, blocked, edit, done }: { one: Receiver; blocked: string; edit: () => void; done: () => void }) {
  const [said, setSaid] = useState("");
  const path = `/receivers/${encodeURIComponent(one.id)}`;
  const test = async (): Promise<void> => setSaid(await attempt(() => post(`${path}/test`), `${one.id} has taken a test message`, done));
  const end = async (): Promise<void> => setSaid(await attempt(() => remove(path), `${one.id} is deleted`, done));
  return (
    <li class="settings-row" data-testid="receiver" data-receiver={one.id}>
      <div class="grow stack" style={{ gap: "2px" }}>
        <strong>
          {one.id} <span class="tag">{one.kind}</span>
        </strong>
        <span class="meta">
          {where(one)}
          {one.hasSecret ? ", signed" : ""}
          {one.quiet ? `; priorities ${(one.quiet.priorities ?? [3, 4]).join(", ")} wait from ${one.quiet.from} to ${one.quiet.to} ${one.quiet.timeZone ?? "UTC"}` : ""}
        </span>
        <span class="problem" role="alert">
          {said}
        </span>
      </div>
      <ActionButton testId="receiver-test" label={`Send ${one.id} a test message`} blocked={blocked} onAct={() => void test()}>
        Test
      </ActionButton>
      <ActionButton testId="receiver-edit" label={`Change ${one.id}`} blocked={blocked} onAct={edit}>
        Change
      </ActionButton>
      <ActionButton testId="receiver-delete" label={`Delete ${one.id}`} blocked={blocked} onAct={() => void end()}>
        Delete
      </ActionButton>
    </li>
  );
}

const KINDS: Record<Receiver["kind"], [field: string, label: string, example: string]> = {
  email: ["to", "Addresses", "ops@example.com, shift@example.com"],
  webhook: ["url", "Address", "https://desk.example.com/alarms"],
  mqtt: ["topic", "Topic", "notices/control-room"],
};

function quietOf(given: FormData): Receiver["quiet"] | null {
  const from = String(given.get("quiet-from") ?? "");
  const to = String(given.get("quiet-to") ?? "");
  if (!from && !to) return null;
  const priorities = String(given.get("quiet-priorities") ?? "").split(/[\s,]+/).filter(Boolean).map(Number);
  const timeZone = String(given.get("quiet-zone") ?? "").trim();
  return { from, to, ...(timeZone && { timeZone }), ...(priorities.length && { priorities }) };
}

function ReceiverForm({ one, done }: { one: Receiver | undefined; done: () => void }) {
  const [kind, setKind] = useState<Receiver["kind"]>(one?.kind ?? "email");
  const [problem, setProblem] = useState("");
  const [field, label, example] = KINDS[kind];
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const given = new FormData(event.currentTarget as HTMLFormElement);
    const id = one?.id ?? String(given.get("receiver-id") ?? "").trim();
    const target = String(given.get("target") ?? "").trim();
    const body: Record<string, unknown> = { kind, [field]: field === "to" ? target.split(/[\s,]+/).filter(Boolean) : target };
    if (kind === "webhook" && given.get("secret")) body["secret"] = String(given.get("secret"));
    const quiet = quietOf(given);
    if (quiet) body["quiet"] = quiet;
    setProblem(await attempt(() => put(`/receivers/${encodeURIComponent(id)}`, body), `${id} can be told`, done));
  };
  const quiet = one?.quiet;
  return (
    <form class="stack rule-editor" data-testid="receiver-form" onSubmit={(event) => void submit(event)}>
      <h3>{one ? `Receiver ${one.id}` : "A new receiver"}</h3>
      {!one && <Text name="receiver-id" words="Name" placeholder="ops" isNeeded />}
      <div class="field">
        <label for="receiver-kind">Told by</label>
        <select id="receiver-kind" class="input" data-testid="receiver-kind" value={kind} onChange={(event) => setKind(event.currentTarget.value as Receiver["kind"])}>
          {Object.keys(KINDS).map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </div>
      <Text key={kind} name="target" words={label} placeholder={example} value={one?.kind === kind ? where(one) : ""} isNeeded />
      {kind === "webhook" && <Text name="secret" words={one?.hasSecret ? "Secret that signs (empty: as it is)" : "Secret that signs"} type="password" />}
      <fieldset class="durations">
        <legend>Quiet hours: what may wait waits until they end</legend>
        <Text name="quiet-from" words="From" placeholder="22:00" value={quiet?.from ?? ""} />
        <Text name="quiet-to" words="To" placeholder="06:00" value={quiet?.to ?? ""} />
        <Text name="quiet-zone" words="Time zone" placeholder="Europe/Berlin" value={quiet?.timeZone ?? ""} />
        <Text name="quiet-priorities" words="Priorities that wait" placeholder="3 4" value={quiet?.priorities?.join(" ") ?? ""} />
      </fieldset>
      <p class="problem" role="alert" data-testid="receiver-problem">
        {problem}
      </p>
      <div class="row">
        <button class="button primary" type="submit" data-testid="receiver-save">
          Save the receiver
        </button>
        <button class="button quiet" type="button" onClick={done}>
          Cancel
        </button>
      </div>
    </form>
  );
}

function whichOf(one: Notification): string {
  const parts = [one.priorities && `priority ${one.priorities.join(", ")}`, one.rules && `rules ${one.rules.join(", ")}`, one.classes && `classes ${one.classes.join(", ")}`, one.subtree && `${one.subtree} and below`];
  return parts.filter(Boolean).join("; ") || "every alarm";
}

function NotificationLine({ one, blocked, edit, done }: { one: Notification; blocked: string; edit: () => void; done: () => void }) {
  const [said, setSaid] = useState("");
  const end = async (): Promise<void> => setSaid(await attempt(() => remove(`/notifications/${encodeURIComponent(one.id)}`), `${one.id} is deleted`, done));
  return (
    <li class="settings-row" data-testid="notification" data-notification={one.id}>
      <div class="grow stack" style={{ gap: "2px" }}>
        <strong>{one.id}</strong>
        <span class="meta">{whichOf(one)}</span>
        <ol class="steps">
          {one.steps.map((step, index) => (
            <li key={index}>
              {step.after ? `After ${step.after} s, while nobody has acknowledged: ` : "At once: "}
              {step.to.join(", ")}
            </li>
          ))}
        </ol>
        <span class="problem" role="alert">
          {said}
        </span>
      </div>
      <ActionButton testId="notification-edit" label={`Change ${one.id}`} blocked={blocked} onAct={edit}>
        Change
      </ActionButton>
      <ActionButton testId="notification-delete" label={`Delete ${one.id}`} blocked={blocked} onAct={() => void end()}>
        Delete
      </ActionButton>
    </li>
  );
}

const STATES = ["", "waiting", "sent", "failed", "skipped"] as const;

function Outbox({ version }: { version: number }) {
  const [state, setState] = useState<(typeof STATES)[number]>("");
  const [asked, setAsked] = useState(0);
  const { data, error, retry } = useResource(`notices ${state}`, (abort) => get<Page<Notice>>(`/notices?limit=100${state ? `&state=${state}` : ""}`, abort), version + asked);
  return (
    <section class="stack" aria-label="Outbox">
      <h2>Outbox</h2>
      <div class="row">
        <div class="segments" role="group" aria-label="Which notices">
          {STATES.map((one) => (
            <button key={one} aria-pressed={state === one} onClick={() => setState(one)}>
              {one || "all"}
            </button>
          ))}
        </div>
        <button class="button" onClick={() => setAsked((old) => old + 1)}>
          Look again
        </button>
      </div>
      {error && !data && <Failed error={error} what="The outbox" retry={retry} />}
      {data?.value.length === 0 && <p class="soft">Nothing of the kind.</p>}
      {data && data.value.length > 0 && (
        <table class="plain" data-testid="outbox">
          <tbody>
            {data.value.map((one) => (
              <tr key={one.id} data-testid="notice" data-state={one.state}>
                <th scope="row">{one.receiver}</th>
                <td>
                  <a href={href("alarms", one.alarm, { show: "all" })}>{one.alarm}</a>
                </td>
                <td class="meta">
                  {one.notification}, step {one.step + 1}
                </td>
                <td>
                  <span class="tag">{one.state}</span>
                </td>
                <td class="meta">{formatMoment(Date.parse(one.sent ?? one.due), wall.value)}</td>
                <td class="problem">{one.state === "sent" ? "" : one.error}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
