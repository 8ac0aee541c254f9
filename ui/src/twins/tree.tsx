/** The plant as it contains itself. One tab stop; arrows move, open and close. */

import { signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { priorityOfTwin } from "@/core/alarms.ts";
import { children, loadTwins, nameOf, rows, rowsError, rowsLoaded, rowsMissing } from "@/core/plant.ts";
import { go, href } from "@/core/router.ts";
import { Badge } from "@/shell/badge.tsx";
import { Icon } from "@/shell/icon.tsx";
import { Failed, SkeletonRows } from "@/shell/notices.tsx";

const closed = signal<ReadonlySet<string>>(new Set());
const MOST = 1500;

interface Line {
  id: string;
  depth: number;
  hasChildren: boolean;
}

function linesOf(parent: string, depth: number, out: Line[], seen: Set<string>): void {
  for (const id of children.value.get(parent) ?? []) {
    if (seen.has(id) || out.length >= MOST) continue;
    seen.add(id);
    const hasChildren = children.value.has(id);
    out.push({ id, depth, hasChildren });
    if (hasChildren && !closed.value.has(id)) linesOf(id, depth + 1, out, seen);
  }
}

/** The most urgent priority of a twin or of anything inside it. */
function rolledUp(): Map<string, number> {
  const found = new Map(priorityOfTwin.value);
  for (const [twin, priority] of priorityOfTwin.value) {
    let at = rows.value.get(twin)?.parent;
    for (let steps = 0; at && steps < 20; steps++) {
      found.set(at, Math.min(found.get(at) ?? 9, priority));
      at = rows.value.get(at)?.parent;
    }
  }
  return found;
}

function toggle(id: string, isOpen: boolean): void {
  const next = new Set(closed.value);
  if (isOpen) next.delete(id);
  else next.add(id);
  closed.value = next;
}

export function Tree({ selected, isOpen, toggle: toggleTree }: { selected: string; isOpen: boolean; toggle: () => void }) {
  const lines = useMemo(() => {
    const out: Line[] = [];
    linesOf("", 0, out, new Set());
    return out;
  }, [children.value, closed.value]);
  const worst = useMemo(rolledUp, [priorityOfTwin.value, rows.value]);
  const current = lines.some((line) => line.id === selected) ? selected : (lines[0]?.id ?? "");
  useEffect(() => {
    document.getElementById(`tree-${selected}`)?.scrollIntoView({ block: "nearest" });
  }, [selected, lines.length > 0]);
  const onKey = (event: KeyboardEvent): void => {
    const id = (document.activeElement as HTMLElement | null)?.dataset["treeId"];
    const at = lines.findIndex((line) => line.id === id);
    const line = lines[at];
    if (!line) return;
    const isClosed = closed.value.has(line.id);
    const focus = (to: number): void => document.getElementById(`tree-${lines[to]?.id}`)?.focus();
    if (event.key === "ArrowDown") focus(at + 1);
    else if (event.key === "ArrowUp") focus(at - 1);
    else if (event.key === "Home") focus(0);
    else if (event.key === "End") focus(lines.length - 1);
    else if (event.key === "ArrowRight" && line.hasChildren) isClosed ? toggle(line.id, true) : focus(at + 1);
    else if (event.key === "ArrowLeft") line.hasChildren && !isClosed ? toggle(line.id, false) : focus(lines.findLastIndex((one, i) => i < at && one.depth < line.depth));
    else if (event.key === "Enter" || event.key === " ") go(href("twins", line.id));
    else return;
    event.preventDefault();
  };
  return (
    <section class="tree" aria-label="Plant tree">
      <div class="tree-head">
        <button class="button quiet tree-toggle" aria-expanded={isOpen} onClick={toggleTree}>
          <Icon name="list" small /> Plant tree
        </button>
        <h2>Plant</h2>
        <a class={`button quiet${selected ? "" : " on"}`} href={href("twins")}>
          All twins
        </a>
      </div>
      {rowsError.value && !rowsLoaded.value && <Failed error={rowsError.value} what="The tree" retry={() => void loadTwins()} />}
      {!rowsLoaded.value && !rowsError.value && <SkeletonRows count={8} height={28} />}
      <div class="tree-box" role="tree" aria-label="Twins by what contains them" onKeyDown={onKey}>
        {lines.map((line) => (
          <div
            key={line.id}
            id={`tree-${line.id}`}
            data-tree-id={line.id}
            class="tree-row"
            role="treeitem"
            aria-level={line.depth + 1}
            aria-expanded={line.hasChildren ? !closed.value.has(line.id) : undefined}
            aria-selected={line.id === selected}
            tabIndex={line.id === current ? 0 : -1}
            style={{ paddingLeft: `${8 + line.depth * 14}px` }}
            onClick={() => go(href("twins", line.id))}
          >
            <span class={`twist${line.hasChildren ? "" : " none"}${closed.value.has(line.id) ? "" : " open"}`} onClick={(event) => line.hasChildren && (event.stopPropagation(), toggle(line.id, closed.value.has(line.id)))}>
              <Icon name="chevron" small />
            </span>
            <span class="grow ellipsis">{nameOf(line.id)}</span>
            {worst.has(line.id) && <Badge priority={worst.get(line.id)!} outline={!priorityOfTwin.value.has(line.id)} />}
          </div>
        ))}
      </div>
      {(rowsMissing.value > 0 || lines.length >= MOST) && <p class="meta tree-note">Not all twins are in the tree; the table finds every one.</p>}
    </section>
  );
}
