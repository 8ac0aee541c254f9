/** The faceplate of the chosen twin as lines on a sheet: what is wrong with it, then its values with their age. */

import { getTwin } from "@/core/api.ts";
import { rankedAlarms } from "@/core/alarms.ts";
import { tick } from "@/core/clock.ts";
import { nameOf, rows } from "@/core/plant.ts";
import type { Property, Twin } from "@/core/types.ts";
import { asRead, unitAsRead } from "@/core/units.ts";
import { formatAge, formatNumber } from "@/core/words.ts";
import { peek } from "@/live/client.ts";
import type { Line } from "./paper.ts";

const MOST = 6;

export class Card {
  twin = "";
  #found: Twin | null = null;
  #problem = "";

  choose(twin: string): void {
    if (twin === this.twin) return;
    this.twin = twin;
    this.#found = null;
    this.#problem = "";
    if (!twin) return;
    getTwin(twin).then(
      (found) => twin === this.twin && (this.#found = found),
      (error: unknown) => twin === this.twin && (this.#problem = error instanceof Error ? error.message : String(error)),
    );
  }

  title(): string {
    return nameOf(this.twin);
  }

  lines(): Line[] {
    const status = rows.value.get(this.twin)?.status ?? "never";
    const found: Line[] = [{ words: this.#found?.modelName ?? "", value: status, ...(status === "live" ? {} : { color: "fg3" }) }];
    for (const alarm of rankedAlarms.value.filter((one) => one.twin === this.twin).slice(0, 2)) found.push({ words: `${alarm.priority}  ${alarm.title}`, color: `p${alarm.priority}` });
    if (this.#problem) return [...found, { words: this.#problem, color: "fg3" }];
    if (!this.#found) return [...found, { words: "Asking the server…", color: "fg3" }];
    const shown = this.#found.properties.filter((one) => one.kind === "telemetry").slice(0, MOST);
    return [...found, ...shown.map((one) => lineOf(this.twin, one, status === "live"))];
  }
}

function lineOf(twin: string, property: Property, isLive: boolean): Line {
  const reading = peek(twin, property.path);
  const value = reading?.value ?? property.value;
  const words = property.displayName || property.name;
  if (value === null || value === undefined) return { words, value: "—", color: "fg3" };
  const text = typeof value === "number" ? formatNumber(asRead(value, property.unit)) : String(value);
  const age = reading ? (tick.peek() - reading.time) / 1000 : 0;
  const old = age > 10 ? `, ${formatAge(age)} old` : "";
  return { words, value: `${text} ${unitAsRead(property.unit) ?? ""}${old}`, ...(isLive && (reading?.quality ?? 0) < 128 ? {} : { color: "fg3" }) };
}
