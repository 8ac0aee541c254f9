/** Databases of others that readings are copied to: each with its state, made and changed while the server runs. */

import { useEffect, useState } from "preact/hooks";
import { get, put, remove } from "@/core/api.ts";
import { wall } from "@/core/clock.ts";
import { useResource } from "@/core/resource.ts";
import { formatMoment, plural } from "@/core/words.ts";
import { blockedFrom } from "@/core/writing.ts";
import { ActionButton, Failed, SkeletonRows } from "@/shell/notices.tsx";
import { attempt } from "./act.ts";
import { Choice, Text } from "./connectors.tsx";
import type { Export } from "@/core/types.ts";

const EVERY = 2_000;
const KINDS = { influx: "InfluxDB", postgres: "PostgreSQL", http: "Lines of JSON by HTTP" };

export function Exports() {
  const [version, setVersion] = useState(0);
  const [edited, setEdited] = useState<Export | "new" | null>(null);
  const { data, error, retry } = useResource("exports", (abort) => get<{ value: Export[] }>("/exports", abort), version);
  useEffect(() => {
    const timer = setInterval(() => setVersion((old) => old + 1), EVERY);
    return () => clearInterval(timer);
  }, []);
  const renew = (): void => {
    setEdited(null);
    setVersion((old) => old + 1);
  };
  if (error && !data) return <Failed error={error} what="The exports" retry={retry} />;
  if (!data) return <SkeletonRows count={3} height={54} />;
  if (edited) return <Form of={edited === "new" ? null : edited} done={renew} />;
  return (
    <div class="stack settings-part">
      <p class="soft">Gemel keeps all history itself. To a database that is there already, readings are copied as they come.</p>
      {data.value.length === 0 && <p class="meta">There are no exports.</p>}
      <ul class="stack">
        {data.value.map((one) => (
          <Line key={one.name} one={one} edit={() => setEdited(one)} done={renew} />
        ))}
      </ul>
      <div>
        <ActionButton testId="export-new" blocked={blockedFrom("system:write")} onAct={() => setEdited("new")}>
          Add an export…
        </ActionButton>
      </div>
    </div>
  );
}

/** Where it goes. */
function place(one: Export): string {
  if (one.kind === "postgres") return [one.postgres, one.table].join(" · ");
  if (one.kind === "http") return one.http ?? "";
  return [one.influx, one.bucket || one.database].join(" · ");
}

/** How far it is. */
function told(one: Export): string {
  const behind = one.behind === null || one.behind === 0 ? "" : `${one.behind} s behind`;
  const refused = one.refused ? `${plural(one.refused, "reading")} refused` : "";
  const expired = one.expired ? `up to ${plural(one.expired, "reading")} too old before they went out` : "";
  return [`${plural(one.exported, "reading")} out`, behind, refused, expired].filter(Boolean).join(" · ");
}

function Line({ one, edit, done }: { one: Export; edit: () => void; done: () => void }) {
  const [problem, setProblem] = useState("");
  const [isSure, setSure] = useState(false);
  const blocked = one.source === "file" ? "It stands in gemel.toml" : blockedFrom("system:write");
  const end = async (): Promise<void> => setProblem(await attempt(() => remove(`/exports/${one.name}`), `${one.name} is ended`, done));
  return (
    <li class="settings-row" data-testid="export" data-name={one.name} data-state={one.state}>
      <div class="grow stack" style={{ gap: "2px" }}>
        <strong>
          {one.name} <span class={`tag${one.state === "failing" ? " p2" : ""}`}>{one.state}</span>
        </strong>
        <span class="meta">
          {KINDS[one.kind]} at {place(one)} · {told(one)} · {one.state} since {formatMoment(Date.parse(one.stateSince), wall.value)}
        </span>
        {one.problem && <span class="meta">{one.problem}</span>}
        {one.lastRefusal && <span class="meta">Refused: {one.lastRefusal}</span>}
        {problem && (
          <span class="problem" role="alert">
            {problem}
          </span>
        )}
      </div>
      <ActionButton blocked={blocked} label={`Change ${one.name}`} onAct={edit}>
        Change…
      </ActionButton>
      <ActionButton blocked={blocked} label={isSure ? `Really end ${one.name}` : `End ${one.name}`} testId="export-end" onAct={() => (isSure ? void end() : setSure(true))}>
        {isSure ? "Really end it" : "End"}
      </ActionButton>
    </li>
  );
}

const FIELDS: Record<Export["kind"], (keyof Export & string)[]> = {
  influx: ["influx", "database", "bucket", "org", "measurement", "username"],
  postgres: ["postgres", "table"],
  http: ["http", "username"],
};
/** What the form does not show and a change must not lose. */
const KEPT: (keyof Export & string)[] = ["retentionPolicy", "gzip", "ca", "provenances"];

function Form({ of, done }: { of: Export | null; done: () => void }) {
  const [problem, setProblem] = useState("");
  const [kind, setKind] = useState<Export["kind"]>(of?.kind ?? "influx");
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const given = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string): string => String(given.get(name) ?? "").trim();
    const body: Record<string, unknown> = { where: text("where"), properties: text("properties").split(/\s+/).filter(Boolean), since: text("since"), every: Number(text("every")) };
    for (const name of FIELDS[kind]) body[name] = text(name);
    for (const name of KEPT) if (of?.[name] !== undefined) body[name] = of[name];
    for (const secret of ["password", "token"]) if (given.get(secret)) body[secret] = String(given.get(secret));
    const name = of?.name ?? text("name");
    setProblem(await attempt(() => put(`/exports/${encodeURIComponent(name)}`, body), `${name} is kept`, done));
  };
  return (
    <form class="stack settings-part" onSubmit={(event) => void submit(event)} data-testid="export-form">
      <h3>{of ? `Export ${of.name}` : "A new export"}</h3>
      {!of && <Text name="name" words="Name" placeholder="lake" isNeeded />}
      {!of && <Choice name="kind" words="Where to" among={Object.entries(KINDS)} value={kind} onPick={(one) => setKind(one as Export["kind"])} />}
      {kind === "influx" && <Influx of={of} />}
      {kind === "postgres" && <Postgres of={of} />}
      {kind === "http" && <Http of={of} />}
      {kind !== "postgres" && <Text name="username" words="User" value={of?.username ?? ""} />}
      <Text name="password" words={of?.hasPassword ? "Password (empty: as it is)" : "Password"} type="password" />
      {kind !== "postgres" && <Text name="token" words={of?.hasToken ? "Token (empty: as it is)" : "Token"} type="password" />}
      <Text name="where" words="Twins, as a condition of a query (empty: all)" value={of?.where ?? ""} placeholder="IS_OF_MODEL('dtmi:plant:Pump;1')" />
      <Text name="properties" words="Properties (* is anything)" value={of?.properties.join(" ") ?? "*"} isNeeded />
      <Text name="since" words="From when on (empty: now; beginning; or a time)" value={of?.since ?? ""} placeholder="2026-01-01" />
      <Text name="every" words="Of a property one reading in so many seconds (0: all)" value={String(of?.every ?? 0)} isNeeded />
      <p class="problem" role="alert">
        {problem}
      </p>
      <div class="row">
        <button class="button primary" type="submit" data-testid="export-save">
          Save
        </button>
        <button class="button" type="button" onClick={done}>
          Back
        </button>
      </div>
    </form>
  );
}

function Influx({ of }: { of: Export | null }) {
  return (
    <>
      <Text name="influx" words="Server" value={of?.influx ?? ""} placeholder="http://influx.plant.example:8086" isNeeded />
      <Text name="database" words="Database (InfluxDB 1)" value={of?.database ?? ""} />
      <Text name="bucket" words="Bucket (InfluxDB 2)" value={of?.bucket ?? ""} />
      <Text name="org" words="Organization (InfluxDB 2)" value={of?.org ?? ""} />
      <Text name="measurement" words="Measurement" value={of?.measurement ?? "readings"} isNeeded />
    </>
  );
}

function Postgres({ of }: { of: Export | null }) {
  return (
    <>
      <Text name="postgres" words="Server, user and database" value={of?.postgres ?? ""} placeholder="postgresql://gemel@db.plant.example:5432/plant" isNeeded />
      <Text name="table" words="Table (made if missing)" value={of?.table ?? "readings"} isNeeded />
    </>
  );
}

function Http({ of }: { of: Export | null }) {
  return <Text name="http" words="Address" value={of?.http ?? ""} placeholder="https://lake.plant.example/readings" isNeeded />;
}
