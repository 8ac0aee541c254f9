/** From 'no devices' to the first live twin: connect, adopt, place, watch; each step is done when the server says so. */

import { useEffect, useState } from "preact/hooks";
import { get, getTwin, post, put } from "@/core/api.ts";
import { rows } from "@/core/plant.ts";
import { useResource } from "@/core/resource.ts";
import { href, place, setSearch } from "@/core/router.ts";
import type { Discovered as Device, Installation, NewToken, Rule, Scene, Twin } from "@/core/types.ts";
import { formatNumber } from "@/core/words.ts";
import { blockedFrom } from "@/core/writing.ts";
import { status, useTwins } from "@/live/client.ts";
import { Copied } from "@/shell/copied.tsx";
import { Icon } from "@/shell/icon.tsx";
import { ActionButton } from "@/shell/notices.tsx";
import { Value } from "@/shell/value.tsx";
import { DeviceCard } from "@/twins/discovered.tsx";
import "@/style/onboarding.css";

const STEPS = ["Connect a device", "Make it a twin", "Place it in the plant", "Let it be watched"];

export function OnboardingPage() {
  const id = place.value.search.get("setup") ?? "";
  const twin = rows.value.has(id) ? id : "";
  const [version, setVersion] = useState(0);
  const renew = (): void => setVersion((old) => old + 1);
  const scene = useResource(twin ? `placed ${twin}` : null, (abort) => get<Scene>("/scene", abort), version);
  const rules = useResource(twin ? `watched ${twin}` : null, (abort) => get<{ value: Rule[] }>("/rules", abort), version);
  const model = rows.value.get(twin)?.model;
  const isPlaced = scene.data?.objects.some((one) => one.twin === twin) ?? false;
  const isWatched = rules.data?.value.some((one) => one.model === model) ?? false;
  const discovered = status.value?.discovered ?? 0;
  const done = [Boolean(twin) || discovered > 0, Boolean(twin), isPlaced, isWatched];
  const [skipped, setSkipped] = useState(0);
  const at = Math.max(done.findIndex((one) => !one) < 0 ? STEPS.length : done.findIndex((one) => !one), skipped);
  return (
    <div class="onboarding" data-testid="onboarding" data-step={at}>
      <h1>{twin && at === STEPS.length ? `${rows.value.get(twin)?.name || twin} is live` : "The first twin"}</h1>
      <ol>
        {STEPS.map((words, i) => (
          <li key={words} class={i < at ? "done" : ""} aria-current={i === at ? "step" : undefined}>
            <h2>
              <span class="step">{i < at ? <Icon name="check" small /> : i + 1}</span> {words}
              {i < at && <span class="visually-hidden"> (done)</span>}
            </h2>
            {i === at && i === 0 && <Connect />}
            {i === at && i === 1 && <Adopt />}
            {i === at && i === 2 && <Placing twin={twin} done={renew} skip={() => setSkipped(3)} />}
            {i === at && i === 3 && <Watching twin={twin} done={renew} skip={() => setSkipped(4)} />}
          </li>
        ))}
      </ol>
      {twin && at === STEPS.length && <Live id={twin} />}
    </div>
  );
}

/** The host that a device reaches the server at: the one it listens on, or that of this page. */
function reachable(address: string): { host: string; port: string; isOnlyHere: boolean } {
  const cut = address.lastIndexOf(":");
  const [host, port] = [address.slice(0, cut), address.slice(cut + 1)];
  const isAll = host === "0.0.0.0" || host === "[::]";
  const isOnlyHere = host === "127.0.0.1" || host === "localhost" || host === "[::1]";
  return { host: isAll ? location.hostname : host, port, isOnlyHere };
}

const isName = (text: string): boolean => /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text);

function Connect() {
  const [name, setName] = useState("device-1");
  const [token, setToken] = useState("");
  const [problem, setProblem] = useState("");
  const { data } = useResource("installation", (abort) => get<Installation>("/installation", abort));
  const mqtt = data ? reachable(data.addresses.mqtt) : null;
  const blocked = blockedFrom("tokens:write");
  const make = async (): Promise<void> => {
    if (blocked) return;
    if (!isName(name)) return setProblem("Letters, figures, '.', '_' and '-', at most 64.");
    try {
      setToken((await post<NewToken>("/tokens", { role: "device", name, twins: [name] })).token);
      setProblem("");
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  const secret = token || "TOKEN";
  const values = '{"temperature": 21.5}';
  return (
    <div class="stack">
      <p class="soft">
        A device sends JSON by MQTT to <code>devices/&lt;name&gt;/telemetry</code>, or by HTTP. It shows up here by itself.
      </p>
      <form class="row wrap" onSubmit={(event) => (event.preventDefault(), void make())}>
        <label for="device-name">Name of the device</label>
        <input id="device-name" class="input short" value={name} aria-invalid={problem ? "true" : undefined} aria-describedby="device-problem" onInput={(event) => (setName(event.currentTarget.value), setToken(""))} />
        <ActionButton class="primary" testId="setup-token" blocked={blocked} onAct={() => undefined}>
          Make its token
        </ActionButton>
      </form>
      <p id="device-problem" class="problem" role="alert">
        {problem}
      </p>
      {blocked && <p class="meta">{blocked}. An admin makes tokens: gemel token create --role device --twin {name}</p>}
      {token && mqtt && (
        <>
          <Copied testId="setup-mqtt" words="Try it from a terminal, with MQTT (the token is shown this once)" text={`mosquitto_pub -h ${mqtt.host} -p ${mqtt.port} -u ${name} -P ${secret} -q 1 -t devices/${name}/telemetry -m '${values}'`} />
          <Copied testId="setup-http" words="Or with HTTP" text={`curl -H 'Authorization: Bearer ${secret}' -H 'Content-Type: application/json' -d '${values}' ${location.origin}/ingest/${name}`} />
          {mqtt.isOnlyHere && (
            <p class="meta">
              MQTT listens on this machine alone. For devices elsewhere start it with <code>--mqtt 0.0.0.0:{mqtt.port}</code>, better with <code>--mqtt-tls</code>.
            </p>
          )}
        </>
      )}
      <p role="status" class="waiting">
        <span class="live-dot" /> Waiting for the first message…
      </p>
    </div>
  );
}

function Adopt() {
  const { data } = useResource("discovered", (abort) => get<{ value: Device[] }>("/discovered", abort), status.value?.discovered ?? 0);
  return (
    <div class="stack">
      <p class="soft">This is what it sends, and the model that follows from it. Adopting makes a twin of it; what it sent before stays.</p>
      <ul class="devices">
        {data?.value.slice(0, 8).map((device) => (
          <DeviceCard key={device.id} device={device} done={() => undefined} adopted={() => setSearch({ setup: device.id })} />
        ))}
      </ul>
    </div>
  );
}

const KINDS = ["box", "pump", "motor", "tank", "silo", "valve", "fan", "compressor", "heat-exchanger", "conveyor", "robot", "cnc", "press", "furnace", "agv", "rack", "cabinet"];

function guess(id: string): string {
  const text = id.toLowerCase();
  return KINDS.find((kind) => text.includes(kind)) ?? "box";
}

function Placing({ twin, done, skip }: { twin: string; done: () => void; skip: () => void }) {
  const [kind, setKind] = useState(guess(twin));
  const [problem, setProblem] = useState("");
  const act = async (): Promise<void> => {
    try {
      await put(`/scene/objects/${encodeURIComponent(twin)}`, { kind });
      done();
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <div class="stack">
      <p class="soft">It gets the next free place on the floor; the scene is a file that can be changed later.</p>
      <div class="row wrap">
        <label for="place-kind">It looks like</label>
        <select id="place-kind" class="input short" data-testid="setup-kind" value={kind} onChange={(event) => setKind(event.currentTarget.value)}>
          {KINDS.map((one) => (
            <option key={one} value={one}>
              {one}
            </option>
          ))}
        </select>
        <ActionButton class="primary" testId="setup-place" blocked={blockedFrom("plant:write")} onAct={() => void act()}>
          Place it
        </ActionButton>
        <button class="button quiet" onClick={skip}>
          Not now
        </button>
      </div>
      <p class="problem" role="alert">
        {problem}
      </p>
    </div>
  );
}

/** A third above what it is now, to two figures. */
export function proposedLimit(value: number): number {
  const raw = value === 0 ? 1 : value + Math.abs(value) / 3;
  return Number(raw.toPrecision(2));
}

function Watching({ twin, done, skip }: { twin: string; done: () => void; skip: () => void }) {
  const { data } = useResource(`twin ${twin}`, (abort) => getTwin(twin, abort));
  const numbers = data?.properties.filter((one) => typeof one.value === "number") ?? [];
  if (!data) return null;
  if (numbers.length === 0) {
    return (
      <div class="row wrap">
        <p class="soft">It has sent no number yet that a limit could be put on.</p>
        <button class="button quiet" onClick={skip}>
          Not now
        </button>
      </div>
    );
  }
  return <RuleForm twin={data} done={done} skip={skip} />;
}

function RuleForm({ twin, done, skip }: { twin: Twin; done: () => void; skip: () => void }) {
  const numbers = twin.properties.filter((one) => typeof one.value === "number");
  const [path, setPath] = useState(numbers[0]!.path);
  const chosen = numbers.find((one) => one.path === path) ?? numbers[0]!;
  const [side, setSide] = useState(">");
  const [limit, setLimit] = useState("");
  const [problem, setProblem] = useState("");
  useEffect(() => setLimit(String(proposedLimit(chosen.value as number))), [path]);
  const act = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (blockedFrom("rules:write")) return;
    const when = `${chosen.path} ${side} ${limit}${chosen.unit ? ` ${chosen.unit}` : ""}`;
    const id = `${twin.id}-${chosen.path}`.toLowerCase().replace(/[^a-z0-9]+/g, "-").slice(0, 60);
    try {
      await put(`/rules/${id}`, { model: twin.model, when, priority: 3, title: `${chosen.displayName || chosen.path} ${side === ">" ? "high" : "low"}` });
      done();
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <form class="stack" onSubmit={(event) => void act(event)}>
      <p class="soft">An alarm when a value goes past a limit. It holds for every twin of this model.</p>
      <div class="row wrap">
        <select class="input short" aria-label="Property" value={path} onChange={(event) => setPath(event.currentTarget.value)}>
          {numbers.map((one) => (
            <option key={one.path} value={one.path}>
              {one.displayName || one.path}
            </option>
          ))}
        </select>
        <select class="input short" aria-label="Side" value={side} onChange={(event) => setSide(event.currentTarget.value)}>
          <option value=">">above</option>
          <option value="<">below</option>
        </select>
        <input class="input short" aria-label="Limit" inputMode="decimal" required value={limit} onInput={(event) => setLimit(event.currentTarget.value)} />
        <span>{chosen.unit}</span>
        <span class="meta">now {formatNumber(chosen.value as number)}</span>
      </div>
      <p class="problem" role="alert">
        {problem}
      </p>
      <div class="row wrap">
        <ActionButton class="primary" testId="setup-rule" blocked={blockedFrom("rules:write")} onAct={() => undefined}>
          Make the rule
        </ActionButton>
        <button type="button" class="button quiet" onClick={skip}>
          Not now
        </button>
      </div>
    </form>
  );
}

function Live({ id }: { id: string }) {
  useTwins([id]);
  const { data } = useResource(`twin ${id}`, (abort) => getTwin(id, abort));
  return (
    <div class="stack" data-testid="setup-live">
      <dl class="facts">
        {data?.properties
          .filter((one) => one.value !== null)
          .slice(0, 6)
          .map((one) => (
            <div key={one.path}>
              <dt>{one.displayName || one.path}</dt>
              <dd>
                <Value twin={id} property={one} />
              </dd>
            </div>
          ))}
      </dl>
      <div class="row wrap">
        <a class="button primary" href={href("twins", id)}>
          Open the twin
        </a>
        <a class="button" href={href("plant", "", { twin: id })}>
          See it in the plant
        </a>
        <a class="button" href={href("overview")}>
          Go to the overview
        </a>
      </div>
    </div>
  );
}
