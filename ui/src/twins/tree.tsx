/** The plant as it contains itself. One tab stop; arrows move, open and close. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { openAlarms, priorityOfTwin } from "@/core/alarms.ts";
import { bringIntoView } from "@/core/in-view.ts";
import { loadTwins, rowsError, rowsLoaded, rowsMissing } from "@/core/plant.ts";
import { go, href } from "@/core/router.ts";
import { refetches } from "@/live/client.ts";
import { Badge } from "@/shell/badge.tsx";
import { Icon } from "@/shell/icon.tsx";
import { Failed, SkeletonRows } from "@/shell/notices.tsx";
import { useSoon } from "@/shell/soon.ts";
import { useVirtual } from "@/shell/virtual.ts";
import { branchError, hasBranch, isOpenBranch, lineAt, lineCount, lineOf, lookAt, renew, reveal, setOpen, worstOf, type Line } from "./branches.ts";

/** So many lines are drawn whether they are on the screen or not. */
const ALL = 300;
const RENEW_MS = 3000;

interface Props {
  selected: string;
  /** What a click or Enter does. */
  choose?: (id: string) => void;
  /** Its head, with the button that folds it where there is little room; none within another panel. */
  fold?: { isOpen: boolean; toggle: () => void };
}

const openTwin = (id: string): void => go(href("twins", id));

export function Tree({ selected, choose = openTwin, fold }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const count = lineCount.value;
  const height = matchMedia("(max-width: 719px)").matches ? 40 : 28;
  const { items, size, scrollTo } = useVirtual(count > ALL ? count : 0, height, box);
  const shown = count > ALL ? items.map(({ index, start }) => ({ index, start })) : Array.from({ length: count }, (_all, index) => ({ index, start: index * height }));
  const [first, last] = [shown[0]?.index ?? 0, shown[shown.length - 1]?.index ?? 0];
  useEffect(() => lookAt(first, last), [first, last, count, rowsMissing.value]);
  useRenewal();
  const [active, setActive] = useState("");
  const [wanted, setWanted] = useState(-1);
  const unseen = useRef("");
  useEffect(() => {
    unseen.current = selected;
    void reveal(selected);
  }, [selected, rowsLoaded.value, rowsMissing.value]);
  useEffect(() => {
    const at = unseen.current ? lineOf(unseen.current) : -1;
    if (at < 0 || count !== lineCount.peek()) return;
    unseen.current = "";
    if (count > ALL) scrollTo(at);
    else bringIntoView(document.getElementById(`tree-${selected}`));
  });
  useLayoutEffect(() => {
    const id = wanted < 0 ? undefined : lineAt(wanted)?.row?.id;
    const element = id === undefined ? null : document.getElementById(`tree-${id}`);
    if (!element) return;
    element.focus();
    setWanted(-1);
  });
  const focus = (to: number): void => {
    if (to < 0 || to >= count) return;
    if (count > ALL) scrollTo(to);
    setWanted(to);
  };
  const onKey = (event: KeyboardEvent): void => {
    const id = (document.activeElement as HTMLElement | null)?.dataset["treeId"];
    const at = id === undefined ? -1 : lineOf(id);
    const line = lineAt(at);
    if (!line?.row) return;
    const isBranch = hasBranch(line.row);
    const isClosed = !isOpenBranch(line.row.id);
    if (event.key === "ArrowDown") focus(at + 1);
    else if (event.key === "ArrowUp") focus(at - 1);
    else if (event.key === "Home") focus(0);
    else if (event.key === "End") focus(count - 1);
    else if (event.key === "ArrowRight" && isBranch) isClosed ? setOpen(line.row.id, true) : focus(at + 1);
    else if (event.key === "ArrowLeft") isBranch && !isClosed ? setOpen(line.row.id, false) : focus(lineOf(line.parent));
    else if (event.key === "Enter" || event.key === " ") choose(line.row.id);
    else return;
    event.preventDefault();
  };
  const lines = shown.map((one) => ({ ...one, line: lineAt(one.index) }));
  const known = new Set(lines.map((one) => one.line?.row?.id));
  const current = [active, selected, lines[0]?.line?.row?.id ?? ""].find((id) => id && known.has(id)) ?? "";
  return (
    <section class="tree" aria-label="Plant tree">
      {fold && (
        <div class="tree-head">
          <button class="button quiet tree-toggle" aria-expanded={fold.isOpen} onClick={fold.toggle}>
            <Icon name="list" small /> Plant tree
          </button>
          <h2>Plant</h2>
          <a class={`button quiet${selected ? "" : " on"}`} href={href("twins")}>
            All twins
          </a>
        </div>
      )}
      {rowsError.value && !rowsLoaded.value && <Failed error={rowsError.value} what="The tree" retry={() => void loadTwins()} />}
      {branchError.value && <Failed error={branchError.value} what="A part of the tree" retry={() => lookAt(first, last)} />}
      {!rowsLoaded.value && !rowsError.value && count === 0 && <SkeletonRows count={8} height={28} />}
      <div class="tree-box" ref={box} role="tree" aria-label="Twins by what contains them" onKeyDown={onKey} onFocusIn={(event) => setActive((event.target as HTMLElement).dataset["treeId"] ?? "")}>
        <div role="presentation" style={{ height: `${count > ALL ? size : count * height}px`, position: "relative" }}>
          {lines.map(({ index, start, line }) => (
            <TreeLine key={line?.row?.id ?? `line ${index}`} line={line} top={start} height={height} selected={selected} current={current} choose={choose} />
          ))}
        </div>
      </div>
    </section>
  );
}

interface LineProps {
  line: Line | null;
  top: number;
  height: number;
  selected: string;
  current: string;
  choose: (id: string) => void;
}

function TreeLine({ line, top, height, selected, current, choose }: LineProps) {
  const place = { transform: `translateY(${top}px)`, height: `${height}px`, paddingLeft: `${8 + (line?.depth ?? 0) * 14}px` };
  const row = line?.row;
  if (!line || !row) return <div class="tree-row waiting" role="presentation" style={place} />;
  const isBranch = hasBranch(row);
  const isOpen = isOpenBranch(row.id);
  const worst = worstOf.value(row);
  return (
    <div id={`tree-${row.id}`} data-tree-id={row.id} class="tree-row" role="treeitem" aria-level={line.depth + 1} aria-setsize={line.setSize} aria-posinset={line.index + 1} aria-expanded={isBranch ? isOpen : undefined} aria-selected={row.id === selected} tabIndex={row.id === current ? 0 : -1} style={place} onClick={() => choose(row.id)}>
      <span
        class={`twist${isBranch ? "" : " none"}${isOpen ? " open" : ""}`}
        onClick={(event) => {
          if (!isBranch) return;
          event.stopPropagation();
          setOpen(row.id, !isOpen);
        }}
      >
        <Icon name="chevron" small />
      </span>
      <span class="grow ellipsis">{row.name || row.id}</span>
      {isBranch && rowsMissing.value > 0 && <span class="meta">{row.contains}</span>}
      {worst !== null && <Badge priority={worst} outline={!priorityOfTwin.value.has(row.id)} />}
    </div>
  );
}

/** Alarms and edits elsewhere reach the badges of branches that the server rolls up. */
function useRenewal(): void {
  useSoon(openAlarms.value, RENEW_MS, renew);
  useSoon(refetches.value, RENEW_MS, renew);
}
