/** The scene as a list: everything that can be seen in 3D can be read and chosen here. */

import { useMemo } from "preact/hooks";
import { priorityOfTwin } from "@/core/alarms.ts";
import { children, nameOf, rows } from "@/core/plant.ts";
import type { Scene } from "@/core/types.ts";
import { Badge } from "@/shell/badge.tsx";
import { select } from "./page.tsx";

interface Line {
  id: string;
  depth: number;
}

export function Outline({ scene, selected }: { scene: Scene; selected: string }) {
  const inScene = useMemo(() => new Set(scene.objects.map((object) => object.twin).filter(Boolean)), [scene]);
  const lines = useMemo(() => linesOf("", 0, inScene as Set<string>, new Set()), [scene, children.value, priorityOfTwin.value]);
  const known = lines.length ? lines : [...inScene].map((id) => ({ id: id!, depth: 0 }));
  const chosen = known.some((line) => line.id === selected) ? selected : known[0]?.id;
  const move = (event: KeyboardEvent): void => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (!step) return;
    event.preventDefault();
    const items = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>("[role=treeitem]")];
    items[Math.max(0, Math.min(items.length - 1, items.indexOf(document.activeElement as HTMLElement) + step))]?.focus();
  };
  return (
    <div class="plant-outline" role="tree" aria-label="Things in the plant" data-testid="outline" onKeyDown={move}>
      {known.map((line) => (
        <div key={line.id} class="outline-row" role="treeitem" aria-level={line.depth + 1} aria-selected={line.id === selected} tabIndex={line.id === chosen ? 0 : -1} style={{ paddingLeft: `${12 + line.depth * 14}px` }} onClick={() => select(line.id)} onKeyDown={(event) => (event.key === "Enter" || event.key === " ") && (event.preventDefault(), select(line.id))}>
          <span class="grow ellipsis">{nameOf(line.id)}</span>
          {rows.value.get(line.id)?.status !== "live" && <span class="meta">{rows.value.get(line.id)?.status}</span>}
          {priorityOfTwin.value.has(line.id) && <Badge priority={priorityOfTwin.value.get(line.id)!} />}
        </div>
      ))}
    </div>
  );
}

/** Twins that stand in the scene or contain such twins, in the order of the plant. */
function linesOf(parent: string, depth: number, inScene: Set<string>, seen: Set<string>): Line[] {
  const found: Line[] = [];
  for (const id of children.value.get(parent) ?? []) {
    if (seen.has(id)) continue;
    seen.add(id);
    const inner = linesOf(id, depth + 1, inScene, seen);
    if (inScene.has(id) || inner.length || priorityOfTwin.value.has(id)) found.push({ id, depth }, ...inner);
  }
  return found;
}
