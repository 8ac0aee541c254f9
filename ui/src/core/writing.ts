/** Whether the page may write now, and if not, the sentence that says why. */

import { may, me } from "./api.ts";
import { moment } from "./clock.ts";
import { link } from "@/live/client.ts";

const WORDS: Record<string, string> = {
  "alarms:write": "acknowledge or comment alarms",
  "commands:send": "send commands",
  "twins:write": "change twins",
  "models:write": "add models",
  "rules:write": "make rules",
  "tokens:write": "make or end tokens",
  "system:write": "change connectors and exports",
  "plant:write": "change the plant",
  "runs:start": "run services and scenarios",
  "services:write": "change services or keep scenarios in the history",
};
/** The first role of docs/reference/roles.md that may; else an engineer. */
const LEAST: Record<string, string> = { "alarms:write": "an operator", "commands:send": "an operator", "runs:start": "an operator", "tokens:write": "an admin", "system:write": "an admin" };

export function blockedFrom(...permissions: string[]): string {
  if (link.value.state === "offline") return "Offline: nothing can be written until the connection is back";
  if (moment.value !== null && !permissions.includes("plant:write")) return "Another moment is shown: go back to live first";
  const missing = permissions.find((permission) => !may(permission));
  if (missing) return `Your role (${me.value?.role ?? "none"}) may not ${WORDS[missing] ?? missing}; it takes ${LEAST[missing] ?? "an engineer"}`;
  return "";
}
