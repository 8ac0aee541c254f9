/** The sources that Gemel goes to, MQTT brokers, OPC UA servers and Modbus devices: each with its state, made and changed while the server runs. */

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
      <p class="soft">Devices connect to Gemel itself. An MQTT broker or an OPC UA server that is there already is subscribed to here, and Modbus devices are read.</p>
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

const KINDS = { mqtt: "MQTT broker", opcua: "OPC UA server", modbus: "Modbus devices" };

/** Where it is and what is read there. */
function told(one: Connector): string {
  if (one.kind === "mqtt") return [one.broker, one.topics?.join(", "), ...(one.tls ? ["TLS"] : [])].join(" · ");
  if (one.kind === "modbus") return [one.modbus, `${plural(one.variables ?? 0, "register")} in ${plural(one.requests ?? 0, "request")}`].join(" · ");
  return [one.opcua, one.nodes?.join(", "), ...(one.security === "none" ? [] : [one.security]), plural(one.variables ?? 0, "variable")].join(" · ");
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
          {KINDS[one.kind]} at {told(one)} · {plural(one.accepted, one.kind === "mqtt" ? "message" : "value")} since the start · {one.state} since {formatMoment(Date.parse(one.since), wall.value)}
        </span>
        {one.problem && <span class="meta">{one.problem}</span>}
        {one.problems?.map((what) => (
          <span key={what} class="meta">
            {what}
          </span>
        ))}
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

const IS_LINE = /^\//;

function Form({ of, done }: { of: Connector | null; done: () => void }) {
  const [problem, setProblem] = useState("");
  const [kind, setKind] = useState<Connector["kind"]>(of?.kind ?? "mqtt");
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const given = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string): string => String(given.get(name) ?? "").trim();
    const list = (name: string, between: RegExp): string[] => text(name).split(between).map((one) => one.trim()).filter(Boolean);
    const number = (name: string): number => Number(text(name));
    const bodies: Record<Connector["kind"], () => Record<string, unknown>> = {
      mqtt: () => ({ broker: text("broker"), topics: list("topics", /[\s,]+/), tls: given.get("tls") === "on", sparkplug: given.get("sparkplug") === "on", username: text("username") }),
      opcua: () => ({ opcua: text("opcua"), nodes: list("nodes", /\n/), security: text("security"), mode: text("mode"), trust: text("trust"), publishing: number("publishing"), sampling: number("sampling"), queue: number("queue"), timestamps: text("timestamps"), username: text("username") }),
      modbus: () => {
        const numbers = ["unitId", "every", "timeout", "pause", "largest", "gap", "atOnce"];
        return { modbus: text("modbus"), registers: text("registers").replaceAll("\t", ";").split("\n"), order: text("order"), framing: text("framing"), line: text("line"), ...Object.fromEntries(numbers.map((name) => [name, number(name)])) };
      },
    };
    const body = bodies[kind]();
    if (of?.clientId) body["clientId"] = of.clientId;
    if (given.get("password")) body["password"] = String(given.get("password"));
    const name = of?.name ?? text("name");
    setProblem(await attempt(() => put(`/connections/${encodeURIComponent(name)}`, body), `${name} is kept`, done));
  };
  return (
    <form class="stack settings-part" onSubmit={(event) => void submit(event)} data-testid="connector-form">
      <h3>{of ? `Connector ${of.name}` : "A new connector"}</h3>
      {!of && <Text name="name" words="Name" placeholder="site" isNeeded />}
      {!of && <Choice name="kind" words="What it is" among={Object.entries(KINDS)} value={kind} onPick={(one) => setKind(one as Connector["kind"])} />}
      {kind === "mqtt" && <Broker of={of} />}
      {kind === "opcua" && <OpcUa of={of} />}
      {kind === "modbus" && <Modbus of={of} />}
      {kind !== "modbus" && <Text name="username" words="User" value={of?.username ?? ""} />}
      {kind !== "modbus" && <Text name="password" words={of?.hasPassword ? "Password (empty: as it is)" : "Password"} type="password" />}
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

function Broker({ of }: { of: Connector | null }) {
  return (
    <>
      <Text name="broker" words="Broker, as HOST:PORT" value={of?.broker ?? ""} placeholder="broker.plant.example:1883" isNeeded />
      <Text name="topics" words="Topics" value={of?.topics?.join(" ") ?? "#"} isNeeded />
      <label class="row">
        <input type="checkbox" name="tls" checked={of?.tls ?? false} />
        TLS
      </label>
      <label class="row">
        <input type="checkbox" name="sparkplug" checked={of?.sparkplug ?? false} />
        Sparkplug host: commands and births are asked for there
      </label>
    </>
  );
}

const SECURITY = ["none", "Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"];
const CLOCKS: [string, string][] = [
  ["source", "of the source"],
  ["server", "of the server"],
  ["received", "of their receipt here"],
];

function OpcUa({ of }: { of: Connector | null }) {
  const [security, setSecurity] = useState(of?.security ?? "none");
  const isSecure = security !== "none";
  return (
    <>
      <Text name="opcua" words="Server" value={of?.opcua ?? ""} placeholder="opc.tcp://press.plant.example:4840" isNeeded />
      <div class="field">
        <label for="settings-nodes">Nodes, one a line: all below an object, or a variable</label>
        <textarea id="settings-nodes" class="input" name="nodes" rows={3} defaultValue={of?.nodes?.join("\n") ?? "/"} spellcheck={false} required />
      </div>
      <Choice name="security" words="Security" among={SECURITY.map((one) => [one, one])} value={security} onPick={setSecurity} />
      {isSecure && <Choice name="mode" words="Messages are" among={[["sign-and-encrypt", "signed and encrypted"], ["sign", "signed"]]} value={of?.mode ?? "sign-and-encrypt"} />}
      {isSecure && <Text name="trust" words="SHA-256 of the server's certificate (shown as the problem until it is given)" value={of?.trust ?? ""} />}
      {!isSecure && <input type="hidden" name="mode" value={of?.mode ?? "sign-and-encrypt"} />}
      {!isSecure && <input type="hidden" name="trust" value={of?.trust ?? ""} />}
      <Text name="publishing" words="Seconds between publications" value={String(of?.publishing ?? 1)} isNeeded />
      <Text name="sampling" words="Seconds between samples (0: as often as the server can)" value={String(of?.sampling ?? 1)} isNeeded />
      <Text name="queue" words="Values of a node kept by the server meanwhile" value={String(of?.queue ?? 100)} isNeeded />
      <Choice name="timestamps" words="Times are those" among={CLOCKS} value={of?.timestamps ?? "source"} />
    </>
  );
}

const ORDERS: [string, string][] = [
  ["ABCD", "ABCD: the highest first"],
  ["CDAB", "CDAB: words the other way round"],
  ["BADC", "BADC: the bytes of each word"],
  ["DCBA", "DCBA: the lowest first"],
];
const FRAMINGS: [string, string][] = [
  ["tcp", "Modbus/TCP"],
  ["rtu", "RTU, through a gateway that passes it on"],
];
const MAP = "name; table; address; type; scale; unit\nflow; holding; 0; f32; ; L/s\nlevel; input; 10; u16; 0.1; %";

function Modbus({ of }: { of: Connector | null }) {
  const [place, setPlace] = useState(of?.modbus ?? "");
  const isLine = IS_LINE.test(place);
  return (
    <>
      <div class="field">
        <label for="settings-modbus">Devices, as HOST:PORT, or the file of a serial line</label>
        <input id="settings-modbus" class="input" name="modbus" value={place} onInput={(event) => setPlace(event.currentTarget.value.trim())} placeholder="meter.plant.example:502" required autocomplete="off" spellcheck={false} />
      </div>
      <div class="field">
        <label for="settings-registers">Registers, one a line, below the names of the columns</label>
        <textarea id="settings-registers" class="input" name="registers" rows={8} wrap="off" defaultValue={of?.registers?.join("\n") ?? ""} placeholder={MAP} spellcheck={false} required />
      </div>
      <Text name="unitId" words="Unit id, where a register does not say it" value={String(of?.unitId ?? 1)} isNeeded />
      <Text name="every" words="Seconds between two reads, where a register does not say it" value={String(of?.every ?? 1)} isNeeded />
      <Choice name="order" words="Order of bytes, where a register does not say it" among={ORDERS} value={of?.order ?? "ABCD"} />
      {!isLine && <Choice name="framing" words="Messages are" among={FRAMINGS} value={of?.framing ?? "tcp"} />}
      {isLine && <input type="hidden" name="framing" value={of?.framing ?? "tcp"} />}
      {isLine && <Text name="line" words="Baud, data bits, parity, stop bits" value={of?.line ?? "19200 8E1"} isNeeded />}
      {!isLine && <input type="hidden" name="line" value={of?.line ?? "19200 8E1"} />}
      <Text name="timeout" words="Seconds that an answer may take" value={String(of?.timeout ?? 3)} isNeeded />
      <Text name="pause" words="Seconds between an answer and the next request" value={String(of?.pause ?? 0)} isNeeded />
      <Text name="largest" words="Registers of one request, at most" value={String(of?.largest ?? 125)} isNeeded />
      <Text name="gap" words="Unused registers that one request may span" value={String(of?.gap ?? 10)} isNeeded />
      {!isLine && <Text name="atOnce" words="Requests on their way at a time" value={String(of?.atOnce ?? 1)} isNeeded />}
      {isLine && <input type="hidden" name="atOnce" value="1" />}
    </>
  );
}

export function Choice({ name, words, among, value, onPick }: { name: string; words: string; among: [string, string][]; value: string; onPick?: (one: string) => void }) {
  return (
    <div class="field">
      <label for={`settings-${name}`}>{words}</label>
      <select id={`settings-${name}`} class="input" name={name} onChange={(event) => onPick?.(event.currentTarget.value)}>
        {among.map(([one, said]) => (
          <option key={one} value={one} selected={one === value}>
            {said}
          </option>
        ))}
      </select>
    </div>
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
