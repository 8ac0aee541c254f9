/** What the worker and the page say to each other. */

import type { Alarm, AlarmGroup, Command, Json, Status } from "@/core/types.ts";
import type { Rows } from "./frames.ts";

export type ServerMessage =
  | { type: "hello"; version: string; time: string }
  | { type: "series"; series: [number, string, string][]; text?: [number, string, string, string, number][] }
  | { type: "text"; values: [number, string, number][] }
  | { type: "alarm"; alarm: Alarm }
  | { type: "alarmGroup"; group: AlarmGroup }
  | { type: "command"; command: Command }
  | { type: "work" }
  | { type: "twin"; id: string; status: string }
  | { type: "graph" }
  | { type: "status"; status: Status }
  | { type: "pong"; id: number }
  | { type: "error"; error?: { [key: string]: Json } };

export type ToWorker =
  | { type: "open"; url: string }
  | { type: "subscribe"; twins: string[] }
  | { type: "flush" }
  | { type: "retry" }
  | { type: "close" };

export type FromWorker =
  | { type: "state"; state: "connecting" | "online" | "offline"; since: number }
  | { type: "dirty" }
  | { type: "rows"; rows: Rows }
  | { type: "messages"; messages: ServerMessage[] };
