/** From live values to motion: how fast a part moves and how full a tank is. */

import type { Reading } from "@/live/client.ts";
import type { SceneObject } from "@/core/types.ts";

const MOVING = new Set(["running", "on", "active", "started", "run"]);

/** 0 to 1.5 of full speed; 0 for anything that is not known to move now. */
export function speedOf(drive: NonNullable<SceneObject["motion"]>, reading: Reading | undefined, now: number, staleAfter: number): number {
  if (!isCurrent(reading, now, staleAfter)) return 0;
  const { value } = reading!;
  if (typeof value === "boolean") return value ? 1 : 0;
  if (typeof value === "string") return MOVING.has(value.toLowerCase()) ? 1 : 0;
  if (typeof value !== "number" || !Number.isFinite(value)) return 0;
  const rated = drive.rated && drive.rated > 0 ? drive.rated : 1;
  const share = value / rated;
  return Math.abs(share) < 0.005 ? 0 : Math.max(-1.5, Math.min(1.5, share));
}

/** 0 to 1; -1 when not known. An old level is still shown: the tank does not vanish, its colour fades. */
export function levelOf(drive: NonNullable<SceneObject["level"]>, reading: Reading | undefined): number {
  if (!reading || typeof reading.value !== "number" || reading.quality >= 128) return -1;
  return Math.max(0, Math.min(1, reading.value / (drive.full && drive.full > 0 ? drive.full : 100)));
}

function isCurrent(reading: Reading | undefined, now: number, staleAfter: number): boolean {
  return reading !== undefined && reading.quality < 128 && (now - reading.time) / 1000 <= staleAfter;
}
