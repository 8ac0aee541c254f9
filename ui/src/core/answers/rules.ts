/** What the server answers (rules): made by scripts/page_types.py, never changed by hand. */

import type { Episode } from "./alarms.ts";
import type { Json } from "./json.ts";

/** The command that a rule asks for by itself. */
export interface Action {
  command: string;
  arguments?: Json;
  /** How far the rule may go by itself. */
  autonomy?: Json;
}

/** Alarms held against the times at which something was wrong. */
export interface AgainstLabels {
  events: number;
  caught: number;
  recall: number;
  precision: number | null;
  falseAlarms: number;
  falseShare: number | null;
  medianDelaySeconds: number | null;
}

/** What a rule would have done over a span of history. */
export interface Backtest {
  alarms: number;
  alarmsPerDay: number;
  activeSeconds: number;
  medianSeconds: number | null;
  longestSeconds: number | null;
  byTwin: Record<string, number>;
  episodes: Episode[];
  labels?: AgainstLabels;
  from: string;
  to: string;
  rule: string;
  twins: number;
  readings: number;
  /** The rule of this id as it runs. */
  live?: BacktestLive;
}

export interface BacktestLive {
  alarms: number;
  alarmsPerDay: number;
  activeSeconds: number;
  medianSeconds: number | null;
  longestSeconds: number | null;
  byTwin: Record<string, number>;
  episodes: Episode[];
  labels?: AgainstLabels;
  version: number;
  when: string;
}

export interface BacktestUnderWay {
  id: string;
  rule: string;
  done: number;
  of: number;
  readings: number;
}

export interface LateReadings {
  count: number;
  newest: string;
}

export interface Rule {
  class?: string | null;
  cause?: string | null;
  consequence?: string | null;
  response?: string | null;
  id: string;
  model: string;
  when: string;
  priority: number;
  title: string;
  version: number;
  then?: Action | null;
  parameters?: Record<string, number | string>;
  /** Seconds that readings may come late. */
  lateness?: number;
  timeZone?: string;
  repeats?: "fold" | "each";
  suppressedBy?: Suppressor[];
  isRunning: boolean;
  /** Why it does not run. */
  problem: string;
  lateReadings?: LateReadings;
}

/** A rule that would be taken. */
export interface RuleChecked {
  id: string;
  when: string;
  /** Of how many it would run. */
  twins: number;
  reads: string[];
  computes: string[];
  lateness: number;
}

export interface Suppressor {
  rule?: string;
  property?: string;
  is?: Json;
  over?: string | string[];
  direction?: "in" | "out";
  hops?: number;
}
