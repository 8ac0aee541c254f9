/** What the server answers, as docs/reference/http.md says. */

import type { Spec } from "@/scene/spec/evaluate.ts";

export interface Me {
  name: string;
  role: string;
  permissions: string[];
}

export interface Status {
  version: string;
  time: string;
  plant: string;
  valuesPerSecond: number;
  readings: number;
  twins: number;
  live: number;
  stale: number;
  abnormal: number;
  killSwitch?: KillSwitch;
  alarms: Record<"1" | "2" | "3" | "4" | "unacknowledged", number> & { returned: Record<"1" | "2" | "3" | "4", number> };
  flood?: { since: string | null; count: number };
  behind: number;
  freshness: number | null;
  rejects: number;
  discovered: number;
}

export type TwinStatus = "live" | "stale" | "offline" | "never";

export interface TwinRow {
  id: string;
  name: string;
  model: string;
  modelName: string;
  scope: string | null;
  geometry?: string | null;
  parent: string | null;
  status: TwinStatus;
  lastSeen: string | null;
  age: number | null;
  alarms: { priority: number | null; active: number; unacknowledged: number };
  /** How many twins it contains itself. */
  contains: number;
  /** The most urgent active alarm of it and of all inside it. */
  worst: number | null;
  /** Of the property that was asked to be shown. */
  value?: Json;
  unit?: string | null;
}

export interface Page<Row> {
  value: Row[];
  total: number;
  /** How many rows come before. */
  offset: number;
  cursor: string | null;
}

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface Property {
  name: string;
  path: string;
  kind: "telemetry" | "property" | string;
  schema: string;
  unit: string | null;
  displayName: string;
  value: Json;
  time: string | null;
  received: string | null;
  age: number | null;
  quality: string | number;
  cause: string;
  isStale: boolean;
  /** Seconds without a value after which this one is stale; 0: it never is. */
  staleAfter: number;
  writable: boolean;
  desired: Json;
  minimum: number | null;
  maximum: number | null;
  values?: Record<string, string> | null;
  series: number | null;
  /** The newest values that were not measured. */
  others?: Other[];
}

/** A derived, predicted or simulated value beside the measured one. */
export interface Other {
  provenance: string;
  value: Json;
  time: string;
  quality: string;
  /** By level, such as 0.05. */
  quantiles: Record<string, number>;
}

export interface CommandField {
  name: string;
  displayName?: string;
  description?: string;
  schema: string;
  unit?: string | null;
  minimum?: number | null;
  maximum?: number | null;
  /** Names of an enumeration's values. */
  values?: Record<string, string> | null;
  /** Fields of an object. */
  fields?: CommandField[] | null;
}

export interface CommandModel {
  name: string;
  displayName: string;
  description?: string;
  request: CommandField | null;
}

export interface Relationship {
  id: string;
  name: string;
  direction: "in" | "out";
  twin: string;
  twinName: string;
}

export interface Twin extends TwinRow {
  properties: Property[];
  commands: CommandModel[];
  relationships: Relationship[];
  alarmList: Alarm[];
  rejects: number;
  staleAfter: number;
}

export type AlarmState = "unacknowledged" | "acknowledged" | "returned" | "normal" | "shelved" | "suppressed" | "out-of-service";

/** What holds an alarm back by design: a rule that stands or a property, of this twin or another. */
export interface Suppression {
  twin: string;
  since: string;
  rule?: string;
  alarm?: string;
  property?: string;
  is?: Json;
}

export interface Alarm {
  id: string;
  rule: string;
  ruleVersion: number;
  twin: string;
  twinName: string;
  priority: number;
  title: string;
  state: AlarmState;
  isActive: boolean;
  /** The condition holds, whether people are told or not. */
  stands: boolean;
  condition: string;
  class: string;
  cause: string;
  consequence: string;
  response: string;
  property: string | null;
  value: number | null;
  unit: string | null;
  limit: number | null;
  raised: string;
  lastRaised: string;
  occurrences: number;
  /** When it was last the third transition within a minute. */
  chattered: string | null;
  cleared: string | null;
  acknowledged: string | null;
  acknowledgedBy: string | null;
  shelved: { since: string; until: string; by: string; reason: string } | null;
  suppressedBy: Suppression | null;
  outOfService: { since: string; by: string; reason: string } | null;
  group: string | null;
  comments: { time: string; who: string; text: string }[];
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
  parts: { name: string; number: string; count: number }[];
  created: string;
  createdBy: string;
  finished: string | null;
  checklist?: { item: string; done: string | null; by: string }[];
  steps: { time: string; who: string; what: string; state: string; note: string }[];
}

export interface AlarmStep {
  time: string;
  who: string;
  what: string;
  state: AlarmState;
  comment: string;
}

export interface AlarmCorrection {
  id: string;
  recorded: string;
  rule: string;
  ruleVersion: number;
  title: string;
  priority: number;
  twin: string;
  twinName: string;
  readings: number;
  from: string;
  to: string;
  /** Alarms that stood only without the late readings. */
  told: { raised: string; cleared: string | null }[];
  /** Alarms that stand only with them. */
  actual: { raised: string; cleared: string | null }[];
}

export interface AlarmFigures {
  from: string;
  to: string;
  operators: number;
  annunciated: number;
  perOperatorPer10Minutes: number;
  peakPer10Minutes: number;
  floods: { from: string; to: string | null; count: number; peak: number }[];
  floodPercent: number;
  byPriority: Record<string, { count: number; percent: number }>;
  topTen: { rule: string; twin: string; twinName: string; title: string; priority: number; count: number; percent: number }[];
  acknowledge: { count: number; medianSeconds: number | null; p90Seconds: number | null };
  standing: number;
  stale: string[];
  chattering: string[];
  heldBack: Record<string, number>;
}

export interface AuditRow {
  seq: number;
  time: string;
  who: string;
  why: string;
  hash: string;
}

/** What every guard answers to a command that is not asked for yet. */
export interface DryRun {
  arguments: Json;
  wouldBe: string;
  guards: { guard: string; answer: "pass" | "refuse" | "wait"; said: string; hint: string }[];
  topic: string;
  deviceIsThere: boolean;
}

export interface KillSwitch {
  engaged: boolean;
  who: string;
  since: string | null;
  reason: string;
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
  service: string;
  hash: string;
  isOver: boolean;
  approval: { needed: number; role: string; until: string; by: string[]; takenBy: string } | null;
  confirm: { property: string; asked: Json; tolerance: number; within: number; until: string | null; seen: Json; seenTime: string | null } | null;
  steps: { state: string; time: string; who: string; note: string }[];
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
  order?: number;
}

export interface Discovered {
  id: string;
  firstSeen: string;
  lastSeen: string;
  messages: number;
  source: string;
  model: { [key: string]: Json };
  sample: Json;
}

export interface SceneObject {
  id?: string;
  /** For a sensor: the property of its twin that it shows. */
  property?: string;
  kind: string;
  /** One of the scene's geometries, drawn instead of the kind. */
  geometry?: string;
  twin?: string | null;
  label?: string;
  at: number[];
  turn?: number;
  scale?: number;
  parameters?: Record<string, number>;
  motion?: { property: string; rated?: number; twin?: string };
  level?: { property: string; full?: number; twin?: string };
}

export interface Scene {
  version?: number;
  name?: string;
  /** Kinds of its own: shape specs by name. */
  kinds?: Record<string, Spec>;
  /** Users' own shapes by name: uploaded GLB files by their hash. */
  geometries?: Record<string, { glb: string; models?: string[]; scale?: number; turn?: number; at?: number[] }>;
  camera?: { position: number[]; target: number[] };
  zones?: { id: string; label: string; at: number[]; size: number[]; twin?: string }[];
  objects: SceneObject[];
  pipes?: { points: number[][]; diameter?: number; twin?: string }[];
}
