/** What the page knows beside what the server answers, of which the types are made: answers/. */

import type { Spec } from "@/scene/spec/evaluate.ts";
import type { Alarm, Faceplate, Scenario, Scene as Told, TwinRow } from "./answers/index.ts";

export type * from "./answers/index.ts";

export type TwinStatus = TwinRow["status"];
export type AlarmState = Alarm["state"];

/** What a scenario asks, without what came of it. */
export type ScenarioAsked = Omit<Scenario, "id" | "made" | "by" | "run" | "result" | "kept">;

export interface Page<Row> {
  value: Row[];
  total: number;
  /** How many rows come before. */
  offset: number;
  cursor: string | null;
}

/** A faceplate whose list of alarms and the counts of its row have names of their own. */
export interface Twin extends Omit<Faceplate, "alarms">, Pick<TwinRow, "alarms"> {
  alarmList: Alarm[];
}

/** The scene, whose own kinds are shape specs. */
export interface Scene extends Omit<Told, "kinds"> {
  kinds?: Record<string, Spec>;
}
