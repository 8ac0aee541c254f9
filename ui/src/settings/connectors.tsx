/** The MQTT brokers that Gemel subscribes on: each with its state, made and changed while the server runs. */

import { useEffect, useState } from "preact/hooks";
import { get, put, remove } from "@/core/api.ts";
import { wall } from "@/core/clock.ts";
import { useResource } from "@/core/resource.ts";
import { formatMoment, plural } from "@/core/words.ts";
import { blockedFrom } from "@/core/writing.ts";
import { ActionButton, Failed, SkeletonRows } from "@/shell/notices.tsx";
import { attempt } from "./act.ts";
import type { Connector } from "@/core/types.ts";

const EVERY = 2_000;

export function Connectors() {
  const [version, setVersion] = useState(0);
  const [edited, setEdited] = useState<Connector | "new" | null>(null);
  const { data, error, retry } = useResource("connections", (abort) => get<{ value: Connector[] }>("/connections", abort), version);
  useEffect(() => {
    const timer = setInterval(() => setVersion((old) => old + 1), EVERY);
    return () => clearInterval(timer);
  }, []);
  const renew = (): void => {
    setEdited(null);
    setVersion((old) => old + 1);
  };
  if (error && !data) return <Failed error={error} what="The connectors" retry={retry} />;
  if (!data) return <SkeletonRows count={3} height={54} />;
  if (edited) return <Form of={edited === "new" ? null : edited} done={renew} />;
  return (
    <div class="stack settings-part">
      <p class="soft">Devices connect to Gemel itself. A broker that is there already is subscribed to here.</p>
      {data.value.length === 0 && <p class="meta">There are no connectors.</p>}
      <ul class="stack">
        {data.value.map((one) => (
          <Line key={one.name} one={one} edit={() => setEdited(one)} done={renew} />
        ))}
      </ul>
      <div>
        <ActionButton testId="connector-new" blocked={blockedFrom("system:write")} onAct={() => setEdited("new")}>
          Add a connector…
        </ActionButton>
      </div>
    </div>
  );
}

function Line({ one, edit, done }: { one: Connector; edit: () => void; done: () => void }) {
  const [problem, setProblem] = useState("");
  const [isSure, setSure] = useState(false);
  const blocked = one.source === "file" ? "It stands in gemel.toml" : blockedFrom("system:write");
  const end = async (): Promise<void> => setProblem(await attempt(() => remove(`/connections/${one.name}`), `${one.name} is ended`, done));
  return (
    <li class="settings-row" data-testid="connector" data-name={one.name} data-state={one.state}>
      <div class="grow stack" style={{ gap: "2px" }}>
        <strong>
          {one.name} <span class={`tag${one.state === "failing" ? " p2" : ""}`}>{one.state}</span>
        </strong>
        <span class="meta">
          {one.broker} · {one.topics.join(", ")}
          {one.tls ? " · TLS" : ""} · {plural(one.accepted, "message")} since the start · {one.state} since {formatMoment(Date.parse(one.since), wall.value)}
        </span>
        {one.problem && <span class="meta">{one.problem}</span>}
        {problem && (
          <span class="problem" role="alert">
            {problem}
          </span>
        )}
      </div>
      <ActionButton blocked={blocked} label={`Change ${one.name}`} onAct={edit}>
        Change…
      </ActionButton>
      <ActionButton blocked={blocked} label={isSure ? `Really end ${one.name}` : `End ${one.name}`} testId="connector-end" onAct={() => (isSure ? void end() : setSure(true))}>
        {isSure ? "Really end it" : "End"}
      </ActionButton>
    </li>
  );
}

function Form({ of, done }: { of: Connector | null; done: () => void }) {
  const [problem, setProblem] = useState("");
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const given = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string): string => String(given.get(name) ?? "").trim();
    const body: Record<string, unknown> = { broker: text("broker"), topics: text("topics").split(/[\s,]+/).filter(Boolean), username: text("username"), tls: given.get("tls") === "on" };
    if (of) body["clientId"] = of.clientId;
    if (given.get("password")) body["password"] = String(given.get("password"));
    const name = of?.name ?? text("name");
    setProblem(await attempt(() => put(`/connections/${encodeURIComponent(name)}`, body), `${name} is kept`, done));
  };
  return (
    <form class="stack settings-part" onSubmit={(event) => void submit(event)} data-testid="connector-form">
      <h3>{of ? `Connector ${of.name}` : "A new connector"}</h3>
      {!of && <Text name="name" words="Name" placeholder="site" isNeeded />}
      <Text name="broker" words="Broker, as HOST:PORT" value={of?.broker ?? ""} placeholder="broker.plant.example:1883" isNeeded />
      <Text name="topics" words="Topics" value={of?.topics.join(" ") ?? "#"} isNeeded />
      <Text name="username" words="User" value={of?.username ?? ""} />
      <Text name="password" words={of?.hasPassword ? "Password (empty: as it is)" : "Password"} type="password" />
      <label class="row">
        <input type="checkbox" name="tls" checked={of?.tls ?? false} />
        TLS
      </label>
      <p class="problem" role="alert">
        {problem}
      </p>
      <div class="row">
        <button class="button primary" type="submit" data-testid="connector-save">
          Save
        </button>
        <button class="button" type="button" onClick={done}>
          Back
        </button>
      </div>
    </form>
  );
}

export function Text({ name, words, value = "", type = "text", placeholder, isNeeded = false }: { name: string; words: string; value?: string; type?: "text" | "password" | "number"; placeholder?: string; isNeeded?: boolean }) {
  return (
    <div class="field">
      <label for={`settings-${name}`}>{words}</label>
      <input id={`settings-${name}`} class="input" name={name} type={type as "text"} defaultValue={value} placeholder={placeholder} required={isNeeded} autocomplete="off" spellcheck={false} />
    </div>
  );
}
