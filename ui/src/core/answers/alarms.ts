/** What the server answers (alarms): made by scripts/page_types.py, never changed by hand. */

import type { Json } from "./json.ts";

export interface Acknowledging {
  count: number;
  medianSeconds: number | null;
  p90Seconds: number | null;
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
  /** How many more there were of each: 100 are kept. */
  leftOut: LeftOut;
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

/** What the next shift must know. */
export interface AlarmHandover {
  from: string;
  to: string;
  standing: Alarm[];
  shelved: Alarm[];
  suppressed: Alarm[];
  outOfService: Alarm[];
  /** By people, the oldest first. */
  done: AlarmsDone[];
  groups: AlarmGroup[];
  figures: AlarmFigures;
  /** What readings that came late changed. */
  corrections: AlarmCorrection[];
}

export interface AlarmStep {
  time: string;
  who: string;
  what: string;
  state: "unacknowledged" | "acknowledged" | "returned" | "normal" | "shelved" | "suppressed" | "out-of-service";
  comment: string;
}

/** What a person did, and to which alarm. */
export interface AlarmsDone {
  time: string;
  who: string;
  what: string;
  state: "unacknowledged" | "acknowledged" | "returned" | "normal" | "shelved" | "suppressed" | "out-of-service";
  comment: string;
  alarm: string;
  twinName: string;
  title: string;
  priority: number;
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

export interface Checked {
  item: string;
  done: string | null;
  by: string;
}

export interface Comment {
  time: string;
  who: string;
  text: string;
}

export interface Episode {
  twin: string;
  raised: string;
  cleared: string | null;
  seconds: number;
  value: number | null;
}

export interface Flood {
  from: string;
  to: string | null;
  count: number;
  peak: number;
}

export interface LeftOut {
  told: number;
  actual: number;
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
  direction: "in" | "out";
  hops: number;
  window: number;
  least: number;
  operators: number;
  flood: number;
  floodEnd: number;
  stale: number;
  /** In their order over the day; each until the next. */
  shifts: ShiftOfDay[];
  timeZone: string;
}

/** A limit that a prediction is about to break. */
export interface Risk {
  twin: string;
  twinName: string;
  rule: string;
  title: string;
  priority: number;
  property: string;
  unit: string | null;
  limit: number;
  /** The limit is broken from below. */
  isAbove: boolean;
  /** The moment that is predicted. */
  time: string;
  /** Of the value beyond the limit at that moment. */
  chance: number;
  /** The chance times 8, 4, 2 or 1 for priority 1 to 4. */
  score: number;
}

/** What a running rule holds a twin's property against. */
export interface RuleLimit {
  rule: string;
  title: string;
  when: string;
  priority: number;
  property: string;
  provenance: string;
  limit: number | boolean;
  unit: string | null;
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

export interface ShiftOfDay {
  name: string;
  /** Time of day in the time zone, as 06:00. */
  start: string;
}

export interface Suppression {
  since: string;
  twin?: string;
  rule?: string;
  alarm?: string;
  property?: string;
  is?: Json;
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
