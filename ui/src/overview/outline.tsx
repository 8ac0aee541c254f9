/** The scene as a list: everything that can be seen in 3D can be read and chosen here. */

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { priorityOfTwin } from "@/core/alarms.ts";
import { bringIntoView } from "@/core/in-view.ts";
import { children, nameOf, rows, rowsMissing } from "@/core/plant.ts";
import type { Scene } from "@/core/types.ts";
import { Badge } from "@/shell/badge.tsx";
import { useVirtual } from "@/shell/virtual.ts";
import { Tree } from "@/twins/tree.tsx";
import { select } from "./page.tsx";

interface Line {
  id: string;
  depth: number;
}

/** So many lines are drawn whether they are on the screen or not. */
const ALL = 200;
/** The heights of `.outline-row` in the style sheets. */
const ROW = 28;
const TOUCH_ROW = 44;

/** Of a plant that is too large to be known whole, the tree whose branches are asked for when they are opened. */
export function Outline(props: { scene: Scene; selected: string }) {
  if (rowsMissing.value === 0) return <SceneOutline {...props} />;
  return (
    <div class="plant-outline show-tree" data-testid="outline">
      <Tree selected={props.selected} choose={select} />
    </div>
  );
}

function SceneOutline({ scene, selected }: { scene: Scene; selected: string }) {
  const box = useRef<HTMLDivElement>(null);
  const inScene = useMemo(() => new Set(scene.objects.map((object) => object.twin ?? "").filter(Boolean)), [scene]);
  const lines = useMemo(() => {
    const found = linesOf("", 0, inScene, new Set());
    return found.length ? found : [...inScene].map((id) => ({ id, depth: 0 }));
  }, [scene, children.value, priorityOfTwin.value]);
  const at = useMemo(() => new Map(lines.map((line, index) => [line.id, index])), [lines]);
  const height = matchMedia("(pointer: coarse)").matches ? TOUCH_ROW : ROW;
  const isLong = lines.length > ALL;
  const { items, size, scrollTo } = useVirtual(isLong ? lines.length : 0, height, box);
  const shown = isLong ? items.map(({ index, start }) => ({ index, start })) : lines.map((_line, index) => ({ index, start: index * height }));
  const [active, setActive] = useState("");
  const [wanted, setWanted] = useState(-1);
  const rowOf = (index: number): HTMLElement | null => box.current?.querySelector<HTMLElement>(`[aria-posinset="${index + 1}"]`) ?? null;
  const show = (index: number): void => (isLong ? scrollTo(index) : bringIntoView(rowOf(index)));
  useEffect(() => {
    const index = at.get(selected);
    if (index !== undefined && !box.current?.contains(document.activeElement)) show(index);
  }, [selected, lines.length]);
  useLayoutEffect(() => {
    const row = wanted < 0 ? null : rowOf(wanted);
    if (!row) return;
    row.focus();
    setWanted(-1);
  });
  const onKey = (event: KeyboardEvent): void => {
    const now = at.get((document.activeElement as HTMLElement | null)?.dataset["outline"] ?? "") ?? 0;
    const to = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: lines.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    if (to < 0 || to >= lines.length) return;
    show(to);
    setWanted(to);
  };
  const first = lines[shown[0]?.index ?? 0]?.id ?? "";
  const drawn = new Set(shown.map(({ index }) => lines[index]?.id));
  const current = [active, selected].find((id) => id && drawn.has(id)) ?? first;
  return (
    <div ref={box} class="plant-outline" role="tree" aria-label="Things in the plant" data-testid="outline" onKeyDown={onKey} onFocusIn={(event) => setActive((event.target as HTMLElement).dataset["outline"] ?? "")}>
      <div role="presentation" class="outline-rows" style={{ height: `${isLong ? size : lines.length * height}px` }}>
        {shown.map(({ index, start }) => {
          const { id, depth } = lines[index]!;
          const priority = priorityOfTwin.value.get(id);
          const status = rows.value.get(id)?.status;
          return (
            <div key={id} class="outline-row" data-outline={id} role="treeitem" aria-level={depth + 1} aria-setsize={lines.length} aria-posinset={index + 1} aria-selected={id === selected} tabIndex={id === current ? 0 : -1} style={{ transform: `translateY(${start}px)`, height: `${height}px`, paddingLeft: `${12 + depth * 14}px` }} onClick={() => select(id)} onKeyDown={(event) => (event.key === "Enter" || event.key === " ") && (event.preventDefault(), select(id))}>
              <span class="grow ellipsis">{nameOf(id)}</span>
              {status !== "live" && <span class="meta">{status}</span>}
              {priority !== undefined && <Badge priority={priority} />}
            </div>
          );
        })}
      </div>
    </div>
  );
}

/** Twins that stand in the scene or contain such twins, in the order of the plant; all where nothing stands in it. */
function linesOf(parent: string, depth: number, inScene: Set<string>, seen: Set<string>): Line[] {
  const found: Line[] = [];
  for (const id of children.value.get(parent) ?? []) {
    if (seen.has(id)) continue;
    seen.add(id);
    const inner = linesOf(id, depth + 1, inScene, seen);
    if (inScene.size === 0 || inScene.has(id) || inner.length || priorityOfTwin.value.has(id)) {
      found.push({ id, depth });
      for (const line of inner) found.push(line);
    }
  }
  return found;
}
