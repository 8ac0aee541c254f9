/** Twins that have a geometry but no place in the scene stand in a row of their own beside the plant. */

import type { Scene, SceneObject, TwinRow } from "@/core/types.ts";

const GAP = 6;
const PER_ROW = 8;

export function placeMissing(scene: Scene, rows: TwinRow[]): Scene {
  const objects = scene.objects ?? [];
  const placed = new Set([...objects.map((one) => one.twin), ...(scene.zones ?? []).map((one) => one.twin), ...(scene.pipes ?? []).map((one) => one.twin)]);
  const missing = rows.filter((row) => row.geometry && !placed.has(row.id));
  if (missing.length === 0) return { ...scene, objects };
  const { left, bottom } = extent(objects);
  const added: SceneObject[] = missing.map((row, i) => ({
    kind: row.geometry!,
    twin: row.id,
    at: [left + (i % PER_ROW) * GAP, 0, bottom + GAP * 1.5 + Math.floor(i / PER_ROW) * GAP],
  }));
  const columns = Math.min(PER_ROW, missing.length);
  const lines = Math.ceil(missing.length / PER_ROW);
  const zone = {
    id: "unplaced",
    label: "Without a place",
    at: [left + ((columns - 1) * GAP) / 2, bottom + GAP * 1.5 + ((lines - 1) * GAP) / 2],
    size: [columns * GAP, lines * GAP],
  };
  return { ...scene, objects: [...objects, ...added], zones: [...(scene.zones ?? []), zone] };
}

function extent(objects: SceneObject[]): { left: number; bottom: number } {
  let [left, bottom] = [Infinity, -Infinity];
  for (const { at } of objects) {
    left = Math.min(left, at[0] ?? 0);
    bottom = Math.max(bottom, (at.length > 2 ? at[2] : at[1]) ?? 0);
  }
  return Number.isFinite(left) ? { left, bottom } : { left: 0, bottom: 0 };
}
