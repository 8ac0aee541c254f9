/** What the server answers (commands): made by scripts/page_types.py, never changed by hand. */

import type { Json } from "./json.ts";

export interface Approval {
  needed: number;
  role: string;
  until: string;
  by: string[];
  takenBy: string;
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

export interface CommandStep {
  state: string;
  time: string;
  who: string;
  note: string;
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

export interface KillSwitch {
  engaged: boolean;
  who: string;
  since: string | null;
  reason: string;
}

export interface Verdict {
  guard: string;
  answer: "pass" | "refuse" | "wait";
  said: string;
  hint: string;
}
