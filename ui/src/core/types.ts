/** What the page knows beside what the server answers, of which the types are made: answers.ts. */

import type { Spec } from "@/scene/spec/evaluate.ts";
import type { Alarm, Faceplate, TwinRow } from "./answers.ts";

export type * from "./answers.ts";

export type TwinStatus = TwinRow["status"];
export type AlarmState = Alarm["state"];

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
