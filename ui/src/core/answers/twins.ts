/** What the server answers (twins): made by scripts/page_types.py, never changed by hand. */

import type { Alarm, AlarmCounts } from "./alarms.ts";
import type { Json } from "./json.ts";

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

/** The units that one property has over all models of twins. */
export interface PathUnits {
  path: string;
  /** Symbols; "" where a model gives it none. */
  units: string[];
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
  /** Why its source did not take what is desired, if it is known. */
  desiredProblem: string;
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

/** The plant as of a moment. */
export interface State {
  at: string;
  provenance: string;
  twins: Record<string, TwinState>;
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
  values: Record<string, [Json, number, number]>;
  status: "live" | "stale" | "offline" | "never";
}
