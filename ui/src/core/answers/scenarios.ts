/** What the server answers (scenarios): made by scripts/page_types.py, never changed by hand. */

import type { Verdict } from "./commands.ts";
import type { Json } from "./json.ts";

/** The mean, and the span that holds 90 of 100 members. */
export interface Band {
  mean: number | null;
  low: number | null;
  high: number | null;
}

export interface BandDifference {
  mean: number | null;
  low: number | null;
  high: number | null;
  /** 90 of 100 members agree on its sign. */
  sure: boolean;
  isPaired?: boolean;
}

export interface BandLines {
  mean: (number | null)[];
  low: (number | null)[];
  high: (number | null)[];
}

/** How the twins of a model behave. */
export interface Behaviour {
  id: string;
  title: string;
  model: string;
  /** The twins. */
  of: string[];
  parameters: Record<string, BehaviourParameter>;
  /** By twin, its own parameters. */
  twins: Record<string, Record<string, number | BehaviourAmount>>;
  outputs: Record<string, Json>;
  behaviour?: string;
  service?: string;
  inputs?: Record<string, Json>;
  start?: Record<string, Json>;
  noise?: Record<string, number>;
  hidden?: Record<string, number>;
  commands?: Record<string, string>;
  order?: number;
}

export interface BehaviourAmount {
  value?: number;
  spread?: number;
  low?: number;
  high?: number;
  unit?: string;
  about?: string;
}

export interface BehaviourParameter {
  value: number;
  spread: number;
  low: number | null;
  high: number | null;
  unit: string;
  about: string;
}

/** What the plant was asked for, and what of a scenario cannot be asked for. */
export interface Promotion {
  scenario: string;
  dryRun: boolean;
  asked: PromotionAsked[];
  left: PromotionLeft[];
}

export interface PromotionAsked {
  twin: string;
  property: string;
  value: number;
  by?: "command" | "desired";
  command?: string;
  state: string;
  id?: string;
  guards?: Verdict[];
  error?: string;
  hint?: string;
}

export interface PromotionLeft {
  twin: string;
  property: string;
  why: string;
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

export interface Scenario {
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
  changes: ScenarioChange[];
  kpis: ScenarioKpiAsked[];
  sweep: SweepAsked | null;
  id: string;
  made: string;
  by: string;
  run: RunState | null;
  result: ScenarioShort | null;
  /** When it was written into the history. */
  kept?: string;
}

export interface ScenarioAlarm {
  rule: string;
  title: string;
  priority: number;
  twin: string;
  /** The baseline, the scenario. */
  variants: ScenarioAlarmSide[];
}

export interface ScenarioAlarmSide {
  /** Of the members in which it was raised. */
  share: number;
  firstHours: number | null;
  activeHours: number;
  members: number;
}

/** One thing that is different. */
export interface ScenarioChange {
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

export interface ScenarioCompared {
  id: string;
  title: string;
  at: string;
  to: string;
  members: number;
  seed: number;
  boundary: string;
  changes: string[];
  assumptions: string[];
  /** Twin, property, unit. */
  series: [string, string, string][];
  kpis: ScenarioKpiCompared[];
  alarms: ScenarioAlarm[];
  sweep: boolean;
  happened: ScenarioHappened[];
  isPast: boolean;
}

export interface ScenarioFit {
  bias: number;
  rmse: number;
  coverage: number;
}

/** What was simulated against what was measured since. */
export interface ScenarioHappened {
  twin: string;
  property: string;
  unit: string;
  moments: number;
  baseline: ScenarioFit;
  scenario: ScenarioFit;
}

export interface ScenarioKept {
  provenance: string;
  series: number;
  values: number;
}

export interface ScenarioKpi {
  id: string;
  title: string;
  twin: string;
  unit: string;
  baseline: Band;
  scenario: Band;
  difference: BandDifference;
  property: string;
  of: string;
  limit: number;
  best: string;
  tornado: TornadoBar[];
}

export interface ScenarioKpiAsked {
  id?: string;
  title?: string;
  twin: string;
  property: string;
  of?: string;
  limit?: number;
  unit?: string;
  best?: string;
}

export interface ScenarioKpiCompared {
  id: string;
  title: string;
  twin: string;
  unit: string;
  baseline: Band;
  scenario: Band;
  difference: BandDifference;
  property: string;
  of: string;
  limit: number;
  best: string;
  tornado: TornadoBar[];
  /** To the first of those compared. */
  toFirst: BandDifference | null;
}

export interface ScenarioKpiShort {
  id: string;
  title: string;
  twin: string;
  unit: string;
  baseline: Band;
  scenario: Band;
  difference: BandDifference;
}

export interface ScenarioLines {
  twin: string;
  property: string;
  unit: string;
  measured: (number | null)[];
  scenario: BandLines;
  baseline: BandLines;
}

export interface ScenarioResult {
  run: string;
  at: string;
  to: string;
  step: number;
  every: number;
  members: number;
  seed: number;
  boundary: string;
  columns: number;
  steps: number;
  changes: string[];
  kpis: ScenarioKpi[];
  sweep: Swept | null;
  alarms: ScenarioAlarm[];
  assumptions: string[];
  series: ScenarioSignal[];
}

export interface ScenarioSeries {
  scenario: string;
  /** Milliseconds since 1970. */
  time: number[];
  series: ScenarioLines[];
}

/** What the last run came to. */
export interface ScenarioShort {
  run: string;
  at: string;
  to: string;
  kpis: ScenarioKpiShort[];
}

export interface ScenarioSignal {
  twin: string;
  property: string;
  unit: string;
}

/** Every simulated value as of a moment. */
export interface ScenarioState {
  /** Milliseconds since 1970. */
  time: number;
  values: ScenarioValue[];
}

export interface ScenarioValue {
  twin: string;
  property: string;
  unit: string;
  scenario: number | null;
  baseline: number | null;
  low: number | null;
  high: number | null;
}

export interface ScenariosCompared {
  baseline: string;
  scenarios: ScenarioCompared[];
}

/** One run of a service. */
export interface ServiceRun {
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
  kind: string;
  run: string;
  service: string;
  parameters: Record<string, Json>;
  why: string;
  readings: number;
  peakMb: number | null;
  /** The version that it made. */
  fit: number | null;
}

export interface SweepAsked {
  design?: string;
  count?: number;
  members?: number;
  vary: SweepVary[];
}

export interface SweepVary {
  twin?: string;
  model?: string;
  property?: string;
  parameter?: string;
  from: number;
  to: number;
  levels?: number;
}

/** The variants of a design, the best first. */
export interface Swept {
  vary: string[];
  goals: string[];
  design: string;
  members: number;
  variants: SweptVariant[];
}

export interface SweptVariant {
  number: number;
  values: number[];
  rank: number;
  score: number | null;
  kpis: Band[];
}

export interface TornadoBar {
  name: string;
  low: number;
  high: number;
  middle: number;
}
