/** What the server answers (graph): made by scripts/page_types.py, never changed by hand. */

import type { Json } from "./json.ts";

/** Where readings come from. */
export interface DeviceOf {
  topics: DeviceTopic[];
  isConnected: boolean;
  lastSeen: string | null;
  rejects: number;
}

export interface DeviceTopic {
  binding: string | null;
  topic: string;
}

export interface Differences {
  from: string;
  to: string;
  value: DocumentChange[];
  edited: number;
  isComplete: boolean;
}

export interface DocumentChange {
  kind: string;
  key: string;
  source?: string;
  act: "added" | "removed" | "changed";
  changes: FieldChange[];
  edits: DocumentEdit[];
}

export interface DocumentEdit {
  seq: number;
  time: string;
  who: string;
  why: string;
}

/** Why a twin is shown as it is. */
export interface Explained {
  twin: string;
  name: string;
  priority: number | null;
  status: Liveness;
  alarms: Reason[];
  device: DeviceOf;
}

export interface ExportForm {
  name: string;
  about: string;
  mediaType: string;
  ending: string;
  imports: boolean;
}

export interface FieldChange {
  path: string;
  before: Json;
  after: Json;
  act: "added" | "removed" | "changed";
}

/** Twins around some, placed. */
export interface GraphDrawn {
  nodes: GraphNode[];
  edges: GraphEdge[];
  isComplete: boolean;
}

export interface GraphEdge {
  id: string;
  source: string;
  target: string;
  name: string;
}

export interface GraphNode {
  id: string;
  name: string;
  modelName: string;
  status: "live" | "stale" | "offline" | "never";
  priority: number | null;
  hops: number;
  /** Neighbours that are not shown. */
  hidden: number;
  x: number;
  y: number;
}

export interface GraphWay {
  nodes: GraphNode[];
  edges: GraphEdge[];
  isComplete: boolean;
  path: string[];
}

export interface LinkChange {
  "$relationshipId": string;
  "$relationshipName": string;
  "$sourceId": string;
  "$targetId": string;
  act: "added" | "removed" | "changed";
  changes: FieldChange[];
  [more: string]: unknown;
}

/** A relationship that only one of two twins has. */
export interface LinkOfOne {
  name: string;
  direction: "in" | "out";
  twin: string;
  act: "added" | "removed" | "changed";
}

export interface Liveness {
  is: "live" | "stale" | "offline" | "never";
  because: string;
  lastSeen: string | null;
}

export interface Model {
  id: string;
  displayName: Record<string, string>;
  description: Record<string, string>;
  uploadTime: string;
  decommissioned: boolean;
  /** The DTDL document. */
  model?: Record<string, Json>;
}

export interface Models {
  value: Model[];
  nextLink: string | null;
}

export interface Reason {
  alarm: ReasonAlarm;
  rule: ReasonRule;
  model: ReasonModel | null;
  samples: ReasonSample[];
}

export interface ReasonAlarm {
  id: string;
  title: string;
  priority: number;
  state: "unacknowledged" | "acknowledged" | "returned" | "normal" | "shelved" | "suppressed" | "out-of-service";
  value: number | boolean | string | null;
  unit: string | null;
  limit: number | boolean | string | null;
  raised: string;
}

export interface ReasonModel {
  id: string;
  title: string;
  property: string;
  displayName: string;
  unit: string | null;
  schema: string | null;
  definedIn: string;
}

export interface ReasonRule {
  id: string;
  version: number;
  when: string;
  model: string | null;
  isRunning: boolean;
}

export interface ReasonSample {
  time: string;
  value: Json;
  received: string;
  cause: string;
  isTurn: boolean;
}

/** What is different of a twin between two moments. */
export interface TwinDifference {
  from: string;
  to: string;
  twin: string;
  act: "added" | "removed" | "changed" | "same";
  changes: FieldChange[];
  values: ValueChange[];
  relationships: LinkChange[];
}

export interface TwinEdit {
  seq: number;
  time: string;
  who: string;
  why: string;
  kind: "twin" | "relationship";
  key: string;
  act: "added" | "removed" | "changed";
  changes: FieldChange[];
  doc: Record<string, Json> | null;
}

/** Who changed a twin, when and why; the newest first. */
export interface TwinEdits {
  value: TwinEdit[];
  cursor: number | null;
}

export interface TwinPair {
  twin: string;
  with: string;
  act: "added" | "removed" | "changed" | "same";
  changes: FieldChange[];
  values: ValueChange[];
  relationships: LinkOfOne[];
}

export interface ValueChange {
  path: string;
  before: ValueThen | null;
  after: ValueThen | null;
}

export interface ValueThen {
  value: Json;
  time: string;
}
