/** A small plant made of sines, which answers like the server: for `npm run dev`, previews and tests. */

import type { Alarm, Command, Json, Kpi, Property, Scene, TwinRow } from "../../src/core/types.ts";
import { writeColumns } from "./bytes.ts";

export const T0 = Date.UTC(2026, 10, 22, 9, 0, 0);

interface Signal {
  path: string;
  name: string;
  unit: string;
  middle: number;
  swing: number;
  low: number;
  high: number;
}

const s = (path: string, name: string, unit: string, middle: number, swing: number, low: number, high: number): Signal => ({ path, name, unit, middle, swing, low, high });
const MOTOR = [s("speed", "Speed", "rpm", 1480, 8, 0, 3000), s("temperature", "Winding temperature", "°C", 71, 3, 0, 155), s("current", "Motor current", "A", 38.2, 1.5, 0, 60), s("vibration", "Vibration", "mm/s", 2.2, 0.5, 0, 20)];
const PUMP = [s("flow", "Flow", "m³/h", 41.8, 2, 0, 80), s("pressure", "Discharge pressure", "bar", 4.2, 0.2, 0, 10), s("speed", "Speed", "rpm", 1470, 6, 0, 3000)];
const TANK = [s("level", "Level", "%", 62, 25, 0, 100)];
const TURBINE = [s("power", "Power", "kW", 1860, 160, -50, 2300), s("windSpeed", "Wind speed", "m/s", 9.4, 1.6, 0, 40), s("rotorSpeed", "Rotor speed", "rpm", 14.2, 0.7, 0, 20)];

interface Kind {
  id: string;
  name: string;
  geometry: string;
  signals: Signal[];
}

const KINDS: Record<string, Kind> = {
  Site: { id: "dtmi:fake:Site;1", name: "Site", geometry: "", signals: [] },
  Motor: { id: "dtmi:fake:Motor;1", name: "Motor", geometry: "motor", signals: MOTOR },
  Pump: { id: "dtmi:fake:Pump;1", name: "Pump", geometry: "pump", signals: PUMP },
  Tank: { id: "dtmi:fake:Tank;1", name: "Tank", geometry: "tank", signals: TANK },
  Turbine: { id: "dtmi:fake:Turbine;1", name: "Wind turbine", geometry: "wind-turbine", signals: TURBINE },
};

interface FakeTwin {
  id: string;
  name: string;
  kind: string;
  parent: string | null;
  status: TwinRow["status"];
}

export const HOSTILE = `<img src=x onerror="window.hacked=1"><b>"quoted"</b>`;

const TWINS: FakeTwin[] = [
  { id: "site", name: "North plant", kind: "Site", parent: null, status: "live" },
  { id: "station", name: "Pump station", kind: "Site", parent: "site", status: "live" },
  ...[1, 2, 3].flatMap((i): FakeTwin[] => [
    { id: `tank-${i}`, name: `Tank ${i}`, kind: "Tank", parent: "station", status: "live" },
    { id: `pump-${i}`, name: `Feed pump ${i}`, kind: "Pump", parent: "station", status: i === 3 ? "stale" : "live" },
    { id: `motor-${i}`, name: `Motor ${i}`, kind: "Motor", parent: `pump-${i}`, status: "live" },
  ]),
  { id: "turbine-1", name: "Wind turbine 1", kind: "Turbine", parent: "site", status: "live" },
  { id: "odd", name: HOSTILE, kind: "Tank", parent: "site", status: "never" },
];

export const SCENE: Scene = {
  version: 1,
  name: "North plant",
  zones: [{ id: "station", label: "Pump station", at: [0, -3], size: [24, 16], twin: "station" }],
  objects: [
    ...[1, 2, 3].flatMap((i) => [
      { kind: "tank", twin: `tank-${i}`, at: [i * 6 - 12, 0, -8], level: { property: "level" } },
      { kind: "pump", twin: `pump-${i}`, at: [i * 6 - 12, 0, -2], turn: 270, motion: { property: "speed", rated: 1470 } },
      { kind: "motor", twin: `motor-${i}`, at: [i * 6 - 12, 0, 1], turn: 270, motion: { property: "speed", rated: 1470 } },
    ]),
    { kind: "wind-turbine", twin: "turbine-1", at: [16, 0, -12], parameters: { hubHeight: 18, rotorDiameter: 16 }, motion: { property: "rotorSpeed", rated: 15 } },
  ],
  pipes: [{ points: [[-6, 0.6, -6], [-6, 0.6, -4.4], [6, 0.6, -4.4]], diameter: 0.3 }],
};

export class FakePlant {
  alarms: Alarm[];
  commands: Command[] = [];
  discovered = [{ id: "sensor-77", firstSeen: iso(T0), lastSeen: iso(T0), messages: 12, source: "devices/sensor-77/telemetry", model: { contents: [{ name: "humidity", schema: "double" }] } as Record<string, Json>, sample: { humidity: 41.2 } as Json }];
  /** [number, twin, path] of every series. */
  series: [number, string, string][] = [];
  say: (message: object) => void = () => undefined;

  constructor(readonly now: () => number) {
    for (const twin of TWINS) for (const signal of KINDS[twin.kind]!.signals) this.series.push([this.series.length + 1, twin.id, signal.path]);
    this.alarms = [this.#alarm("a-1", "motor-2", 1, "vibration", "Vibration high-high", 9.8, 9, "mm/s", 14), this.#alarm("a-2", "pump-3", 2, "pressure", "Discharge pressure low", 1.2, 1.5, "bar", 38), { ...this.#alarm("a-3", "tank-2", 3, "level", "Level high", 91, 90, "%", 70), state: "acknowledged", acknowledged: iso(now()), acknowledgedBy: "fake" }];
  }

  #alarm(id: string, twin: string, priority: number, property: string, title: string, value: number, limit: number, unit: string, minutes: number): Alarm {
    return { id, rule: `rule-${property}`, ruleVersion: 1, twin, twinName: nameOf(twin), priority, title, state: "unacknowledged", isActive: true, condition: `${property} > ${limit} ${unit} for 1 minute`, property, value, unit, limit, raised: iso(this.now() - minutes * 60_000), stands: true, class: "", cause: "", consequence: "", response: "", lastRaised: iso(this.now() - minutes * 60_000), latest: iso(this.now() - minutes * 60_000), recent: [], details: {}, occurrences: 1, chattered: null, shelved: null, suppressedBy: null, outOfService: null, group: null, cleared: null, acknowledged: null, acknowledgedBy: null, comments: [] };
  }

  value(twin: string, path: string, at: number): number {
    const fake = TWINS.find((one) => one.id === twin);
    const signal = fake && KINDS[fake.kind]!.signals.find((one) => one.path === path);
    if (!signal) return 0;
    const seed = [...(twin + path)].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 9973, 7);
    const t = at / 1000;
    const wave = Math.sin(t / 301 + seed) * 0.6 + Math.sin(t / 41 + seed * 2) * 0.3 + Math.sin(t / 7 + seed * 3) * 0.1;
    const extra = twin === "motor-2" && path === "vibration" ? Math.max(0, 7 - (this.now() - at) / 300_000) : 0;
    return signal.middle + signal.swing * wave + extra;
  }

  row(twin: FakeTwin): TwinRow {
    const open = this.alarms.filter((one) => one.twin === twin.id && one.isActive);
    const age = twin.status === "never" ? null : twin.status === "stale" ? 400 : 0.6;
    const kind = KINDS[twin.kind]!;
    return { id: twin.id, name: twin.name, model: kind.id, modelName: kind.name, scope: "asset", geometry: kind.geometry, parent: twin.parent, status: twin.status, lastSeen: age === null ? null : iso(this.now() - age * 1000), age, alarms: { priority: open.length ? Math.min(...open.map((one) => one.priority)) : null, active: open.length, unacknowledged: open.filter((one) => one.state === "unacknowledged").length }, contains: TWINS.filter((one) => one.parent === twin.id).length, worst: open.length ? Math.min(...open.map((one) => one.priority)) : null };
  }

  twin(id: string): object | null {
    const fake = TWINS.find((one) => one.id === id);
    if (!fake) return null;
    const properties: Property[] = KINDS[fake.kind]!.signals.map((signal) => {
      const time = this.now() - (fake.status === "stale" ? 400_000 : 600);
      return { name: signal.path, path: signal.path, kind: "telemetry", schema: "double", unit: signal.unit, displayName: signal.name, value: fake.status === "never" ? null : this.value(id, signal.path, time), time: fake.status === "never" ? null : iso(time), received: iso(time), age: 0.6, quality: "good", cause: "", isStale: fake.status === "stale", staleAfter: 30, writable: signal.path === "speed", desired: signal.path === "speed" ? 1480 : null, desiredProblem: "", minimum: signal.low, maximum: signal.high, series: this.series.find((one) => one[1] === id && one[2] === signal.path)?.[0] ?? null, values: null, provenance: "measured", others: [] };
    });
    const relationships = TWINS.filter((one) => one.parent === id).map((one) => ({ id: `c-${one.id}`, name: "contains", direction: "out", twin: one.id, twinName: one.name }));
    if (fake.parent) relationships.push({ id: `c-${id}`, name: "contains", direction: "in", twin: fake.parent, twinName: nameOf(fake.parent) });
    const commands = fake.kind === "Pump" ? [{ name: "setSpeed", displayName: "Set speed", request: { name: "speed", schema: "double", unit: "%", minimum: 0, maximum: 100 } }, { name: "stop", displayName: "Stop", request: null }] : [];
    return { ...this.row(fake), properties, commands, relationships, alarms: this.alarms.filter((one) => one.twin === id), rejects: 0, staleAfter: 30 };
  }

  status(): object {
    const open = this.alarms.filter((one) => one.state !== "normal");
    return { version: "0.0.0", time: iso(this.now()), plant: "North plant", valuesPerSecond: 9840, readings: 123_456, twins: TWINS.length, live: TWINS.length - 2, stale: 1, abnormal: open.length, alarms: { "1": 1, "2": 1, "3": 1, "4": 0, unacknowledged: open.filter((one) => one.state === "unacknowledged").length, returned: { "1": 0, "2": 0, "3": 0, "4": 0 } }, behind: 0, freshness: 0.8, rejects: 3, discovered: this.discovered.length, mqtt: { connections: 19 } };
  }

  kpis(): Kpi[] {
    const kpi = (id: string, label: string, unit: string, twin: string, property: string, target: number | null, targetLabel: string, digits: number): Kpi => ({ id, label, unit, twin, property, value: this.value(twin, property, this.now()), time: iso(this.now()), age: 0.5, staleAfter: 60, target, targetLabel, digits, order: 0 });
    return [kpi("flow", "Flow, pump 1", "m³/h", "pump-1", "flow", 42, "target", 1), kpi("power", "Wind power", "kW", "turbine-1", "power", 1800, "plan", 0), kpi("level", "Tank 1", "%", "tank-1", "level", null, "", 0), kpi("wind", "Wind", "m/s", "turbine-1", "windSpeed", null, "", 1)];
  }

  history(search: URLSearchParams): ArrayBuffer {
    const [from, to] = [moment(search.get("from"), this.now()), moment(search.get("to"), this.now())];
    const count = Math.min(800, Number(search.get("px") ?? 400));
    const series: Parameters<typeof writeColumns>[0] = [];
    for (const twin of (search.get("twin") ?? "").split(",")) {
      for (const property of (search.get("property") ?? "").split(",")) {
        if (!this.series.some((one) => one[1] === twin && one[2] === property)) continue;
        const time = Array.from({ length: count }, (_all, i) => from + ((to - from) * i) / (count - 1));
        series.push({ twin, property, provenance: "measured", unit: null, source: "m4", time, value: time.map((at) => this.value(twin, property, at)) });
      }
    }
    return writeColumns(series);
  }

  rows(search: URLSearchParams): object {
    const text = (search.get("search") ?? "").toLowerCase();
    const found = TWINS.map((one) => this.row(one)).filter((row) => (!text || `${row.id} ${row.name}`.toLowerCase().includes(text)) && (!search.get("model") || row.model === search.get("model")) && (!search.get("status") || row.status === search.get("status")) && (!search.get("abnormal") || row.alarms.active > 0 || row.status === "stale"));
    const start = Number(search.get("offset") ?? search.get("cursor") ?? 0);
    const limit = Number(search.get("limit") ?? 100);
    return { value: found.slice(start, start + limit), total: found.length, offset: start, cursor: start + limit < found.length ? String(start + limit) : null };
  }

  /** Answers a request: [status, body]. */
  answer(method: string, path: string, search: URLSearchParams, body: Record<string, Json>): [number, unknown] {
    const [, first = "", id = "", verb = ""] = path.split("/").map(decodeURIComponent);
    if (method === "GET") return this.#get(first, id, verb, search);
    if (first === "session") return [204, null];
    if (first === "alarms") return this.#alarmAct(id, verb, String(body["comment"] ?? ""));
    if (first === "commands") return [202, this.#send(body)];
    if (first === "discovered") return (this.discovered = this.discovered.filter((one) => one.id !== id)), [200, {}];
    if (first === "twins") return [200, {}];
    return [404, { error: { code: "NotFound", message: `no ${path}` } }];
  }

  #get(first: string, id: string, verb: string, search: URLSearchParams): [number, unknown] {
    if (first === "me") return [200, { name: "fake", role: "admin", permissions: ["alarms:write", "commands:send", "twins:write", "models:write", "plant:write"] }];
    if (first === "status") return [200, this.status()];
    if (first === "kpis") return [200, { value: this.kpis() }];
    if (first === "scene") return [200, SCENE];
    if (first === "history") return [200, this.history(search)];
    if (first === "alarms") return [200, { cursor: null, value: search.get("state") === "held-back" ? [] : this.alarms.filter((one) => search.get("state") === "all" || one.state !== "normal").filter((one) => !search.get("twin") || one.twin === search.get("twin")) }];
    if (first === "commands") return [200, { value: this.commands }];
    if (first === "discovered") return [200, { value: this.discovered }];
    if (first === "twins" && !id) return [200, this.rows(search)];
    if (first === "twins" && verb === "changes") return [200, { value: [{ seq: 2, time: iso(this.now()), who: "fake", why: "moved", doc: { place: "hall 2" } }, { seq: 1, time: iso(T0), who: "fake", why: "", doc: { place: "hall 1" } }] }];
    const twin = first === "twins" || first === "digitaltwins" ? this.twin(id) : null;
    return twin ? [200, twin] : [404, { error: { code: "NotFound", message: `there is no ${first} '${id}'` } }];
  }

  #alarmAct(id: string, verb: string, text: string): [number, unknown] {
    const alarm = this.alarms.find((one) => one.id === id);
    if (!alarm) return [404, { error: { code: "NotFound", message: `there is no alarm '${id}'` } }];
    if (text) alarm.comments = [...alarm.comments, { time: iso(this.now()), who: "fake", text }];
    if (verb === "acknowledge") Object.assign(alarm, { state: alarm.isActive ? "acknowledged" : "normal", acknowledged: iso(this.now()), acknowledgedBy: "fake" });
    if (verb === "clear") Object.assign(alarm, { state: "normal", isActive: false, cleared: iso(this.now()) });
    this.say({ type: "alarm", alarm });
    return [200, alarm];
  }

  #send(body: Record<string, Json>): Command {
    const step = (state: string): Command["steps"][number] => ({ state, time: iso(this.now()), who: "fake", note: "" });
    const command: Command = { id: String(body["id"]), twin: String(body["twin"]), command: String(body["command"]), arguments: body["arguments"] ?? null, state: "sent", who: "fake", requested: iso(this.now()), deadline: iso(this.now() + 30_000), number: this.commands.length, result: null, message: "", service: "", hash: "0", isOver: false, approval: null, confirm: null, steps: [step("queued"), step("sent")] };
    this.commands.unshift(command);
    for (const [i, state] of ["delivered", "succeeded"].entries()) {
      setTimeout(() => {
        Object.assign(command, { state, isOver: state === "succeeded", steps: [...command.steps, step(state)] });
        this.say({ type: "command", command });
      }, 700 * (i + 1));
    }
    return structuredClone(command);
  }

  /** One binary frame with the values of these twins now. */
  frame(twins: Set<string>): ArrayBuffer {
    const stale = new Set(TWINS.filter((one) => one.status !== "live").map((one) => one.id));
    return encode(this.series.filter((one) => twins.has(one[1]) && !stale.has(one[1])).map(([number, twin, path]) => [number, this.now(), 0, this.value(twin, path, this.now())]));
  }
}

/** Rows of [series, ms, quality, value] as the server frames them. */
export function encode(rows: [number, number, number, number][]): ArrayBuffer {
  const base = rows.length ? Math.min(...rows.map((row) => row[1])) : 0;
  const view = new DataView(new ArrayBuffer(12 + rows.length * 16));
  view.setBigUint64(0, BigInt(Math.floor(base)), true);
  view.setUint16(8, rows.length, true);
  rows.forEach(([series, time, quality, value], i) => {
    view.setUint32(12 + i * 16, series, true);
    view.setUint16(16 + i * 16, Math.floor(time - base), true);
    view.setUint16(18 + i * 16, quality, true);
    view.setFloat64(20 + i * 16, value, true);
  });
  return view.buffer;
}

const iso = (ms: number): string => new Date(ms).toISOString();
const nameOf = (id: string): string => TWINS.find((one) => one.id === id)?.name ?? id;

function moment(text: string | null, now: number): number {
  if (!text || text === "now") return now;
  const relative = /^-(\d+)([smhd])$/.exec(text);
  if (relative) return now - Number(relative[1]) * { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[relative[2] as "s"]!;
  return Number(text);
}
