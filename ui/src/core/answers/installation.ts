/** What the server answers (installation): made by scripts/page_types.py, never changed by hand. */

import type { KillSwitch } from "./commands.ts";
import type { Json } from "./json.ts";

export interface Addresses {
  http: string;
  mqtt: string;
  mqttTls: string;
  coap: string;
}

export interface AlarmTotals {
  "1": number;
  "2": number;
  "3": number;
  "4": number;
  unacknowledged: number;
  shelved: number;
  suppressed: number;
  outOfService: number;
  returned: Priorities;
}

export interface Audit {
  value: AuditRow[];
  cursor: number | null;
}

export interface AuditRow {
  seq: number;
  time: string;
  who: string;
  kind: string;
  key: string;
  why: string;
  etag: string;
  /** Of the document; null if it was deleted. */
  digest: string | null;
  hash: string | null;
  doc?: Json;
}

/** A part of what an OPC UA server or a Modbus device has. */
export interface Browsed {
  node: string;
  path: string;
  value: OpcUaNode[];
  /** False if there are more than 1,000. */
  isWhole: boolean;
}

/** A source that Gemel goes to; what it is told, and facts, are those of its kind. */
export interface Connector {
  name: string;
  kind: "mqtt" | "opcua" | "modbus";
  source: "file" | "people";
  username?: string;
  hasPassword: boolean;
  state: string;
  problem: string;
  since: string;
  accepted: number;
  refused: number;
  broker?: string;
  topics?: string[];
  tls?: boolean;
  clientId?: string;
  sparkplug?: boolean;
  opcua?: string;
  nodes?: string[];
  security?: string;
  mode?: string;
  trust?: string;
  publishing?: number;
  sampling?: number;
  queue?: number;
  timestamps?: string;
  modbus?: string;
  registers?: string[];
  unitId?: number;
  every?: number;
  order?: string;
  framing?: string;
  line?: string;
  timeout?: number;
  pause?: number;
  largest?: number;
  gap?: number;
  atOnce?: number;
  /** Variables that are watched, registers that are read. */
  variables?: number;
  /** Nodes and registers that are not read, and why. */
  problems?: string[];
  /** That read all registers once. */
  requests?: number;
  /** Seconds that a device takes, on the average. */
  answerTime?: number;
  /** Reads that fell out since devices were slower. */
  late?: number;
  /** Unit ids that do not answer. */
  silent?: number[];
  moreProblems?: number;
  /** Seconds that the server's clock is ahead. */
  clockOffset?: number;
  /** Values by whose clock their time is of. */
  times?: Record<string, number>;
}

export interface EdgeDevice {
  /** Empty for the node itself. */
  name: string;
  twin: string;
  isAlive: boolean;
  metrics: number;
}

/** An edge node that speaks Sparkplug. */
export interface EdgeNode {
  group: string;
  node: string;
  state: "alive" | "dead" | "unknown";
  /** Whether no message was lost since its birth. */
  isSure: boolean;
  /** In whose name it sends. */
  via: string;
  seq: number;
  bdSeq: number;
  lastSeen: string | null;
  births: number;
  gaps: number;
  lateDeaths: number;
  /** For a birth, by us. */
  requests: number;
  devices: EdgeDevice[];
}

export interface EdgeNodes {
  host: string;
  online: boolean;
  value: EdgeNode[];
}

/** A database of others that readings are copied to; where it goes is said by its kind. */
export interface Export {
  name: string;
  kind: "influx" | "postgres" | "http";
  source: "file" | "people";
  /** A condition that a twin must fulfil; or nothing. */
  where: string;
  properties: string[];
  provenances: string[];
  since: string;
  /** Seconds: of a property at most one reading in so many. */
  every: number;
  hasPassword: boolean;
  hasToken: boolean;
  state: "starting" | "running" | "failing";
  problem: string;
  stateSince: string;
  /** Readings, since it was made. */
  exported: number;
  /** Readings a second, lately. */
  rate: number;
  /** Seconds; null before the first has gone out. */
  behind: number | null;
  /** Readings that the target did not take. */
  refused: number;
  lastRefusal: string;
  /** Readings removed for their age before they went out, at most. */
  expired: number;
  influx?: string;
  database?: string;
  retentionPolicy?: string;
  bucket?: string;
  org?: string;
  measurement?: string;
  postgres?: string;
  table?: string;
  http?: string;
  username?: string;
  gzip?: boolean;
  ca?: string;
}

export interface FloodNow {
  since: string | null;
  count: number;
}

/** A user's shape. */
export interface Geometry {
  sha256: string;
  name: string;
  bytes: number;
  triangles: number;
  /** Of the form with few triangles. */
  plainTriangles: number;
  vertices: number;
  nodes: number;
  materials: number;
  images: number;
  /** Metres along x, y and z. */
  size: number[];
  notes: string[];
  time: string;
  who: string;
  /** Names in the scene under which it is drawn. */
  usedAs: string[];
}

export interface Health {
  name: string;
  status: "pass" | "fail";
  message: string;
  live: boolean;
  ready: boolean;
  version: string;
  problem?: string;
}

export interface Installation {
  version: string;
  started: string;
  plant: string;
  addresses: Addresses;
  isSecure: boolean;
  authority: string | null;
  storage: Storage;
  readings: number;
  retentionDays: number;
}

/** How a person may log in beside links and tokens. */
export interface LoginOptions {
  signOn: SignOnOffer | null;
}

export interface Me {
  name: string;
  role: string;
  permissions: string[];
}

/** A model, a twin and bindings, made of an object. */
export interface Modelled {
  twin: string;
  model: string;
  plant: Json;
  report: Json;
}

export interface NewToken {
  id: string;
  name: string;
  role: string;
  twins: string[];
  use: string;
  created: string;
  expires: string | null;
  /** The secret: it is shown this once. */
  token: string;
}

/** A node or a register; a variable with its type, value, unit and ranges. */
export interface OpcUaNode {
  node: string;
  path: string;
  kind: "object" | "variable" | "method" | "other";
  type?: string;
  isArray?: boolean;
  value?: Json;
  status?: string;
  isWritable?: boolean;
  unit?: string;
  /** Common code by UN/CEFACT's recommendation 20. */
  unitCode?: string;
  /** What it normally is. */
  range?: number[];
  /** What the instrument can tell. */
  limits?: number[];
  /** Of an enumeration. */
  names?: Record<string, number>;
}

export interface Priorities {
  "1": number;
  "2": number;
  "3": number;
  "4": number;
}

export interface Role {
  role: string;
  permissions: string[];
}

export interface SavedView {
  id: string;
  name: string;
  search: Record<string, string>;
}

export interface Session {
  name: string;
  role: string;
}

export interface ShiftNow {
  name: string;
  from: string;
  to: string;
}

export interface SignOnOffer {
  /** What the button says after 'Sign in with'. */
  label: string;
}

/** The installation at a glance. */
export interface Status {
  version: string;
  time: string;
  fastPath: string;
  /** Why telemetry is decoded in Python and what mends it; or nothing. */
  slower: string;
  plant: string;
  valuesPerSecond: number;
  readings: number;
  twins: number;
  live: number;
  stale: number;
  offline: number;
  abnormal: number;
  killSwitch: KillSwitch;
  alarms: AlarmTotals;
  flood: FloodNow;
  shift: ShiftNow | null;
  /** Seconds: the age of the oldest reading that is not durable. */
  behind: number;
  lost: number;
  freshness: number | null;
  duplicates: number;
  rejects: number;
  discovered: number;
  mqtt: Record<string, Json>;
  coap: Record<string, Json>;
}

export interface Storage {
  folder: string;
  free: number;
  bytes: Record<string, number>;
}

export interface Token {
  id: string;
  name: string;
  role: string;
  twins: string[];
  use: string;
  created: string;
  expires: string | null;
}
