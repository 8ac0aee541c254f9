/** What the server answers (services): made by scripts/page_types.py, never changed by hand. */

import type { Json } from "./json.ts";
import type { ServiceRun } from "./scenarios.ts";

export interface RunArray {
  name: string;
  type: string;
  shape: number[];
}

export interface RunArrayValues {
  name: string;
  values: Json[];
}

/** What a run came to; what `result` holds is the kind's own. */
export interface RunResult {
  result: Record<string, Json>;
  arrays: RunArray[];
  series: RunSeries[];
}

export interface RunSeries {
  twin: string;
  path: string;
  provenance: string;
  values: number;
}

export interface ServiceCost {
  microsecondsAReading: number;
  bytesASignal: number;
}

/** A kind of services: what it declares. */
export interface ServiceKind {
  kind: string;
  title: string;
  about: string;
  fidelity: number;
  isLive: boolean;
  needsTwins: boolean;
  outputs: ServiceOutput[];
  cost: ServiceCost;
  parameters: Record<string, Json>;
  runs: ServiceKindRun[];
}

export interface ServiceKindRun {
  run: string;
  about: string;
  parameters: Record<string, Json>;
  memoryMb: number;
  seconds: number;
}

export interface ServiceOutput {
  name: string;
  about: string;
  unit: string;
  provenance: string;
  hasInterval: boolean;
}

export interface ServiceProposals {
  made: number;
  problem: string;
}

/** How one service fares, what it has learnt, and its latest runs. */
export interface ServiceStatus {
  id: string;
  isRunning: boolean;
  problem: string;
  twins: number;
  signals: number;
  updates: number;
  readings: number;
  outputs: number;
  microsecondsAReading: number | null;
  newest: string | null;
  knows: Record<string, Json>;
  proposals: ServiceProposals;
  /** The one in use. */
  version: number | null;
  /** The newest first. */
  versions: ServiceVersion[];
  runs: ServiceRun[];
}

export interface ServiceVersion {
  version: number;
  run: string;
  who: string;
  made: string;
  gemel: string;
  from: string | null;
  to: string | null;
  scores: Record<string, Json>;
  passed: boolean;
}

/** What a service has learnt. */
export interface ServiceVersions {
  current: number | null;
  versions: ServiceVersion[];
}

export interface ServiceView {
  id: string;
  kind: string;
  title: string;
  model: string | null;
  twins: string[] | null;
  as?: string;
  parameters: Record<string, Json>;
  schedule: Record<string, Json>;
  autonomy: "observe" | "advise" | "approve" | "act";
  enabled: boolean;
  version: number;
  isRunning: boolean;
  problem: string;
}
