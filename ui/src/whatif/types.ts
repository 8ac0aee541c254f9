/** What the server answers about scenarios, as docs/reference/what-if.md says. */

import type { Json } from "@/core/types.ts";

export interface Band {
  mean: number | null;
  low: number | null;
  high: number | null;
}

export type Difference = Band & { sure: boolean; isPaired?: boolean };

export interface Change {
  twin?: string;
  model?: string;
  property?: string;
  parameter?: string;
  value?: number | null;
  plus?: number | null;
  times?: number | null;
  schedule?: [number, number][];
  recorded?: string;
}

export interface KpiAsked {
  id?: string;
  title?: string;
  twin: string;
  property: string;
  of?: string;
  limit?: number;
  unit?: string;
  best?: string;
}

export interface Vary {
  twin?: string;
  model?: string;
  property?: string;
  parameter?: string;
  from: number;
  to: number;
  levels?: number;
}

export interface SweepAsked {
  design: string;
  count: number;
  members: number;
  vary: Vary[];
}

/** What a scenario asks. */
export interface Asked {
  title: string;
  about: string;
  twins: string[];
  follow: string[];
  at: string;
  hours: number;
  step: number;
  members: number;
  seed: number;
  boundary: string;
  span: number;
  changes: Change[];
  kpis: KpiAsked[];
  sweep: SweepAsked | null;
}

export interface RunState {
  id: string;
  state: "queued" | "running" | "succeeded" | "failed" | "cancelled";
  progress: number;
  message: string;
  error: string;
  hint: string;
  requested: string;
  started: string | null;
  ended: string | null;
  who: string;
}

export interface Short {
  id: string;
  title: string;
  unit: string;
  baseline: Band;
  scenario: Band;
  difference: Difference;
}

export interface Scenario extends Asked {
  id: string;
  made: string;
  by: string;
  run: RunState | null;
  result: { run: string; at: string; to: string; kpis: Short[] } | null;
  kept?: string;
}

export interface Bar {
  name: string;
  low: number;
  high: number;
  middle: number;
}

export interface Kpi extends Short {
  twin: string;
  property: string;
  of: string;
  best: string;
  tornado: Bar[];
  toFirst: Difference | null;
}

export interface AlarmSide {
  share: number;
  firstHours: number | null;
  activeHours: number;
}

export interface AlarmRow {
  rule: string;
  title: string;
  priority: number;
  twin: string;
  variants: [AlarmSide, AlarmSide];
}

export interface Fit {
  bias: number;
  rmse: number;
  coverage: number;
}

export interface Happened {
  twin: string;
  property: string;
  unit: string;
  moments: number;
  baseline: Fit;
  scenario: Fit;
}

export interface ComparedScenario {
  id: string;
  title: string;
  at: string;
  to: string;
  members: number;
  seed: number;
  boundary: string;
  changes: string[];
  assumptions: string[];
  series: [string, string, string][];
  kpis: Kpi[];
  alarms: AlarmRow[];
  sweep: boolean;
  happened: Happened[];
  isPast: boolean;
}

export interface Compared {
  baseline: string;
  scenarios: ComparedScenario[];
}

export interface Lines {
  mean: (number | null)[];
  low: (number | null)[];
  high: (number | null)[];
}

export interface SeriesAnswer {
  scenario: string;
  time: number[];
  series: { twin: string; property: string; unit: string; measured: (number | null)[]; scenario: Lines; baseline: Lines }[];
}

export interface Swept {
  vary: string[];
  goals: string[];
  design: string;
  members: number;
  variants: { number: number; values: number[]; rank: number; score: number | null; kpis: Band[] }[];
}

export interface Promoted {
  dryRun: boolean;
  asked: { twin: string; property: string; value: number; by: string; command?: string; state: string; id?: string; error?: string; hint?: string; guards?: Json }[];
  left: { twin: string; property: string; why: string }[];
}

export interface Parameter {
  value: number;
  spread: number;
  low: number | null;
  high: number | null;
  unit: string;
  about: string;
}

export interface BehaviourView {
  id: string;
  title: string;
  model: string;
  of: string[];
  parameters: Record<string, Parameter>;
  twins: Record<string, Record<string, number | { value: number }>>;
  outputs: Record<string, Json>;
}
