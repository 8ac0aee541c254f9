/** What a command's state means to a person, and which of them ask for somebody. */

import type { Command, Json } from "@/core/types.ts";

export const STATE_ICONS: Record<string, string> = {
  proposed: "info",
  awaiting: "user",
  queued: "clock",
  sent: "send",
  delivered: "send",
  succeeded: "check",
  confirmed: "check",
  failed: "strike",
  unconfirmed: "strike",
  refused: "lock",
  cancelled: "close",
  expired: "strike",
  unknown: "help",
};

/** Ends that a person must look at: what was asked is not what is. */
export const BAD = new Set(["failed", "unconfirmed", "unknown"]);
export const WAITS = new Set(["proposed", "awaiting"]);
export const UNSENT = new Set(["proposed", "awaiting", "queued"]);

export function asked(command: Command): string {
  if (command.arguments === null || command.arguments === undefined) return "";
  return short(command.arguments);
}

export function short(value: Json): string {
  if (value === null || value === undefined) return "nothing";
  if (typeof value === "number") return String(Math.round(value * 1e6) / 1e6);
  if (typeof value !== "object") return String(value);
  return Object.entries(value as Record<string, Json>)
    .map(([name, one]) => `${name} ${typeof one === "object" ? JSON.stringify(one) : String(one)}`)
    .join(", ");
}

/** Whose word it waits for, in a sentence; "" if nobody's. */
export function waitsFor(command: Command): string {
  const approval = command.approval;
  if (command.state === "proposed") return "Suggested: a person decides";
  if (command.state !== "awaiting" || !approval) return "";
  const left = approval.needed - approval.by.length;
  return `${left === 1 ? "Another person" : `${left} more people`} must approve (${approval.role} or above)`;
}

/** Why this person cannot approve it; "" if they can. The server has the last word. */
export function cannotApprove(command: Command, name: string): string {
  if (!WAITS.has(command.state)) return "It waits for nobody";
  if (command.state === "proposed") return "";
  if (command.who === name || command.approval?.takenBy === name) return "You asked for it: another person must approve";
  if (command.approval?.by.includes(name)) return "You have approved it already";
  return "";
}
