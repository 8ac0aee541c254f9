/** What the server answers: made by scripts/page_types.py, never changed by hand. */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface Acknowledging {
  count: number;
  medianSeconds: number | null;
  p90Seconds: number | null;
}

export interface Addresses {
  http: string;
  mqtt: string;
  mqttTls: string;
}

export interface Alarm {
  class: string;
  cause: string;
  consequence: string;
  response: string;
  id: string;
  rule: string;
  ruleVersion: number;
  twin: string;
  twinName: string;
  priority: number;
  title: string;
  state: "unacknowledged" | "acknowledged" | "returned" | "normal" | "shelved" | "suppressed" | "out-of-service";
  isActive: boolean;
  /** The condition holds, whether people are told or not. */
  stands: boolean;
  condition: string;
  property: string | null;
  value: number | boolean | string | null;
  unit: string | null;
  limit: number | boolean | string | null;
  raised: string;
  lastRaised: string;
  latest: string;
  /** The latest transitions, for chattering. */
  recent: string[];
  /** When it was last the third transition within a minute. */
  chattered: string | null;
  cleared: string | null;
  acknowledged: string | null;
  acknowledgedBy: string | null;
  shelved: Shelf | null;
  /** What holds it back by design. */
  suppressedBy: Suppression | null;
  outOfService: OutOfService | null;
  group: string | null;
  details: Record<string, Json>;
  occurrences: number;
  comments: Comment[];
}

/** What one act of many did, or why not. */
export interface AlarmActed {
  id: string;
  state?: "unacknowledged" | "acknowledged" | "returned" | "normal" | "shelved" | "suppressed" | "out-of-service";
  code?: string;
  message?: string;
}

/** What readings that came too late would have changed. */
export interface AlarmCorrection {
  from: string;
  to: string;
  id: string;
  recorded: string;
  rule: string;
  ruleVersion: number;
  title: string;
  priority: number;
  twin: string;
  twinName: string;
  readings: number;
  /** Alarms that stood only without the late readings. */
  told: Episode[];
  /** Alarms that stand only with them. */
  actual: Episode[];
}

export interface AlarmCounts {
  /** Of the most urgent active one. */
  priority: number | null;
  active: number;
  unacknowledged: number;
}

export interface AlarmFigures {
  from: string;
  to: string;
  operators: number;
  annunciated: number;
  perOperatorPer10Minutes: number;
  peakPer10Minutes: number;
  floods: Flood[];
  floodPercent: number;
  byPriority: Record<string, Share>;
  topTen: TopAlarm[];
  acknowledge: Acknowledging;
  standing: number;
  stale: string[];
  chattering: string[];
  heldBack: Record<string, number>;
}

/** Alarms of one cause. */
export interface AlarmGroup {
  id: string;
  cause: string;
  causeName: string;
  causeAlarm: string | null;
  firstOut: string;
  firstOutTwin: string;
  firstOutName: string;
  raised: string;
  latest: string;
  count: number;
  priority: number;
  /** The group that this one has become part of. */
  into: string | null;
}

export interface AlarmGroupWhole {
  id: string;
  cause: string;
  causeName: string;
  causeAlarm: string | null;
  firstOut: string;
  firstOutTwin: string;
  firstOutName: string;
  raised: string;
  latest: string;
  count: number;
  priority: number;
  /** The group that this one has become part of. */
  into: string | null;
  alarms: Alarm[];
}

export interface AlarmStep {
  time: string;
  who: string;
  what: string;
  state: "unacknowledged" | "acknowledged" | "returned" | "normal" | "shelved" | "suppressed" | "out-of-service";
  comment: string;
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

export interface Approval {
  needed: number;
  role: string;
  until: string;
  by: string[];
  takenBy: string;
}

export interface Attachment {
  id: string;
  twin: string;
  order: string;
  type: string;
  bytes: number;
  sha256: string;
  caption: string;
  text: string | null;
  time: string;
  who: string;
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

export interface Checked {
  item: string;
  done: string | null;
  by: string;
}

export interface Command {
  id: string;
  twin: string;
  command: string;
  arguments: Json;
  state: string;
  who: string;
  requested: string;
  deadline: string | null;
  number: number;
  result: Json;
  message: string;
  /** The rule or service that asked by itself. */
  service: string;
  hash: string;
  isOver: boolean;
  approval: Approval | null;
  confirm: Confirmation | null;
  steps: CommandStep[];
}

export interface CommandField {
  name: string;
  displayName: string;
  schema: string;
  unit: string | null;
  minimum: number | null;
  maximum: number | null;
  /** Names of an enumeration's values. */
  values: Record<string, string> | null;
  /** Fields of an object. */
  fields: ObjectField[] | null;
}

export interface CommandModel {
  name: string;
  displayName: string;
  description: string;
  request: CommandField | null;
  guards: Record<string, Json>;
}

export interface CommandStep {
  state: string;
  time: string;
  who: string;
  note: string;
}

export interface Comment {
  time: string;
  who: string;
  text: string;
}

export interface Confirmation {
  property: string;
  asked: Json;
  tolerance: number;
  /** Seconds after the device said that it succeeded. */
  within: number;
  until: string | null;
  seen: Json;
  seenTime: string | null;
}

/** A broker that is listened to. */
export interface Connector {
  name: string;
  source: "file" | "people";
  broker: string;
  topics: string[];
  username: string;
  hasPassword: boolean;
  tls: boolean;
  clientId: string;
  state: string;
  problem: string;
  since: string;
  accepted: number;
  refused: number;
}

/** A device without a twin. */
export interface Discovered {
  id: string;
  source: string;
  firstSeen: string;
  lastSeen: string;
  messages: number;
  sample: Json;
  /** The DTDL interface that adopting would make. */
  model: Record<string, Json>;
}

/** What every guard answers to a command that is not asked for yet. */
export interface DryRun {
  dryRun: boolean;
  twin: string;
  command: string;
  arguments: Json;
  wouldBe: string;
  guards: Verdict[];
  topic: string;
  payload: string;
  deadline: string;
  confirm: Confirmation | null;
  deviceIsThere: boolean;
}

export interface Episode {
  twin: string;
  raised: string;
  cleared: string | null;
  seconds: number;
  value: number | null;
}

export interface Error {
  error?: { code: string; message: string; hint?: string; details?: Record<string, Json>[]; };
}

/** Everything about one twin. */
export interface Faceplate {
  id: string;
  name: string;
  model: string;
  modelName: string;
  scope: string | null;
  geometry: string | null;
  parent: string | null;
  status: "live" | "stale" | "offline" | "never";
  lastSeen: string | null;
  /** Seconds. */
  age: number | null;
  /** How many twins it contains itself. */
  contains: number;
  /** The most urgent active alarm of it and of all inside it. */
  worst: number | null;
  properties: Property[];
  commands: CommandModel[];
  relationships: Relationship[];
  alarms: Alarm[];
  rejects: number;
  staleAfter: number;
}

export interface Flood {
  from: string;
  to: string | null;
  count: number;
  peak: number;
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

export interface KillSwitch {
  engaged: boolean;
  who: string;
  since: string | null;
  reason: string;
}

export interface Kpi {
  id: string;
  label: string;
  unit: string | null;
  twin: string | null;
  property: string | null;
  value: number | null;
  time: string | null;
  age: number | null;
  staleAfter: number;
  target: number | null;
  targetLabel: string | null;
  digits: number | null;
  order: number;
}

export interface Me {
  name: string;
  role: string;
  permissions: string[];
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

export interface ObjectField {
  name: string;
  schema: string;
  values: Record<string, string> | null;
}

/** A derived, predicted or simulated value beside the measured one. */
export interface Other {
  provenance: string;
  value: Json;
  time: string;
  received: string;
  quality: string;
  /** By level, such as 0.05. */
  quantiles: Record<string, number>;
}

export interface OutOfService {
  since: string;
  by: string;
  reason: string;
}

export interface Part {
  name: string;
  number: string;
  count: number;
}

export interface Philosophy {
  relationships: string[];
  direction: string;
  hops: number;
  window: number;
  least: number;
  operators: number;
  flood: number;
  floodEnd: number;
  stale: number;
}

export interface Priorities {
  "1": number;
  "2": number;
  "3": number;
  "4": number;
}

export interface Property {
  name: string;
  path: string;
  /** telemetry or property */
  kind: string;
  schema: string;
  unit: string | null;
  displayName: string;
  value: Json;
  time: string | null;
  received: string | null;
  age: number | null;
  quality: "good" | "uncertain" | "bad";
  cause: string;
  isStale: boolean;
  /** Seconds without a value; 0: it never is stale. */
  staleAfter: number;
  writable: boolean;
  desired: Json;
  minimum: number | null;
  maximum: number | null;
  /** Names of an enumeration's values. */
  values: Record<string, string> | null;
  series: number | null;
  provenance: string;
  /** The newest values that were not measured. */
  others: Other[];
}

export interface Reject {
  time: string;
  received: string;
  twin: string;
  field: string;
  raw: string;
  reason: string;
  explanation: string;
  source: string;
}

export interface Rejects {
  total: number;
  byReason: Record<string, number>;
  value: Reject[];
}

export interface Relationship {
  id: string;
  name: string;
  direction: "in" | "out";
  twin: string;
  twinName: string;
}

export interface Role {
  role: string;
  permissions: string[];
}

/** What a running rule holds a twin's property against. */
export interface RuleLimit {
  rule: string;
  title: string;
  when: string;
  priority: number;
  property: string;
  provenance: string;
  limit: number;
  unit: string | null;
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

export interface Share {
  count: number;
  percent: number;
}

export interface Shelf {
  since: string;
  until: string;
  by: string;
  reason: string;
}

/** The plant as of a moment. */
export interface State {
  at: string;
  provenance: string;
  twins: Record<string, TwinState>;
}

/** The installation at a glance. */
export interface Status {
  version: string;
  time: string;
  fastPath: string;
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
  /** Seconds: the age of the oldest reading that is not durable. */
  behind: number;
  lost: number;
  freshness: number | null;
  duplicates: number;
  rejects: number;
  discovered: number;
  mqtt: Record<string, Json>;
}

export interface Storage {
  folder: string;
  free: number;
  bytes: Record<string, number>;
}

export interface Suppression {
  twin: string;
  since: string;
  rule?: string;
  alarm?: string;
  property?: string;
  is?: Json;
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

export interface TopAlarm {
  rule: string;
  twin: string;
  twinName: string;
  title: string;
  priority: number;
  count: number;
  percent: number;
}

/** A line of the table of twins. */
export interface TwinRow {
  id: string;
  name: string;
  model: string;
  modelName: string;
  scope: string | null;
  geometry: string | null;
  parent: string | null;
  status: "live" | "stale" | "offline" | "never";
  lastSeen: string | null;
  /** Seconds. */
  age: number | null;
  /** How many twins it contains itself. */
  contains: number;
  /** The most urgent active alarm of it and of all inside it. */
  worst: number | null;
  alarms: AlarmCounts;
  /** Of the property that was asked to be shown. */
  value?: Json;
  unit?: string | null;
}

export interface TwinState {
  /** By path: value, time in ms since 1970, quality. */
  values: Record<string, Json[]>;
  status: "live" | "stale" | "offline" | "never";
}

export interface Verdict {
  guard: string;
  answer: "pass" | "refuse" | "wait";
  said: string;
  hint: string;
}

export interface WorkOrder {
  id: string;
  twin: string;
  title: string;
  description: string;
  priority: number;
  state: "proposed" | "open" | "planned" | "in progress" | "done" | "cancelled";
  assignee: string;
  due: string | null;
  alarms: string[];
  occurrence: number;
  parts: Part[];
  checklist?: Checked[];
  created: string;
  createdBy: string;
  finished: string | null;
  steps: WorkStep[];
}

export interface WorkStep {
  time: string;
  who: string;
  what: string;
  state: "proposed" | "open" | "planned" | "in progress" | "done" | "cancelled";
  note: string;
}

/** By method and path. */
export interface Answers {
  "GET /alarms": { value: Alarm[]; total: number; cursor: string | null; };
  "POST /alarms/acts": { value: AlarmActed[]; };
  "GET /alarms/corrections": { value: AlarmCorrection[]; };
  "GET /alarms/groups": { value: AlarmGroup[]; };
  "GET /alarms/groups/{id}": AlarmGroupWhole;
  "GET /alarms/kpis": AlarmFigures;
  "POST /alarms/out-of-service": Alarm;
  "GET /alarms/philosophy": Philosophy;
  "PUT /alarms/philosophy": Philosophy;
  "GET /alarms/{id}": Alarm;
  "POST /alarms/{id}/acknowledge": Alarm;
  "POST /alarms/{id}/clear": Alarm;
  "POST /alarms/{id}/comment": Alarm;
  "GET /alarms/{id}/history": { value: AlarmStep[]; };
  "POST /alarms/{id}/out-of-service": Alarm;
  "POST /alarms/{id}/return-to-service": Alarm;
  "POST /alarms/{id}/shelve": Alarm;
  "POST /alarms/{id}/unacknowledge": Alarm;
  "POST /alarms/{id}/unshelve": Alarm;
  "GET /attachments": { value: Attachment[]; };
  "PUT /attachments/{id}": Attachment;
  "GET /audit": Audit;
  "GET /commands": { value: Command[]; };
  "POST /commands": Command | DryRun;
  "GET /commands/{id}": Command;
  "POST /commands/{id}/approve": Command;
  "POST /commands/{id}/cancel": Command;
  "POST /commands/{id}/refuse": Command;
  "GET /connections": { value: Connector[]; };
  "PUT /connections/{name}": Connector;
  "GET /discovered": { value: Discovered[]; };
  "POST /discovered/{device}/adopt": Faceplate;
  "GET /geometries": { value: Geometry[]; };
  "POST /geometries": Geometry;
  "GET /geometries/{hash}": Geometry;
  "GET /health": Health;
  "GET /installation": Installation;
  "GET /killswitch": KillSwitch;
  "POST /killswitch/resume": KillSwitch;
  "POST /killswitch/stop": KillSwitch;
  "GET /kpis": { value: Kpi[]; };
  "GET /me": Me;
  "GET /rejects": Rejects;
  "GET /roles": { value: Role[]; };
  "POST /session": Session;
  "GET /state": State;
  "GET /status": Status;
  "GET /tokens": { value: Token[]; };
  "POST /tokens": NewToken;
  "GET /twins": { value: TwinRow[]; total: number; offset: number; cursor: string | null; };
  "GET /twins/{twin}": Faceplate;
  "GET /twins/{twin}/limits": { value: RuleLimit[]; };
  "GET /views": { value: SavedView[]; };
  "PUT /views/{id}": SavedView;
  "GET /work-orders": { value: WorkOrder[]; };
  "POST /work-orders": WorkOrder;
  "GET /work-orders/{id}": WorkOrder;
  "PATCH /work-orders/{id}": WorkOrder;
  "POST /work-orders/{id}/acts": WorkOrder;
}
