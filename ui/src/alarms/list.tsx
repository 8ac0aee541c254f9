/** The rows of alarms that are on screen: a flood of ten thousand scrolls as ten do. */

import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { openAlarms } from "@/core/alarms.ts";
import { bringIntoView } from "@/core/in-view.ts";
import { useVirtual } from "@/shell/virtual.ts";
import type { Row } from "./fold.ts";
import { AlarmLine } from "./line.tsx";

const HEIGHT = 54;
/** Here every row but those of groups is as high. */
const WIDE = "(min-width: 1024px) and (pointer: fine)";

interface Props {
  rows: Row[];
  label: string;
  id: string;
  selected: ReadonlySet<string>;
  opened: ReadonlySet<string>;
  onFold: (group: string) => void;
  query: Record<string, string>;
  /** Only some of what is fetched is shown: the rest is wanted at once. */
  isFiltered: boolean;
  /** Fetches what is behind the last row. */
  more?: (() => void) | undefined;
}

/** So many rows before the end, what follows is asked for. */
const AHEAD = 60;

/** A row that stands for a group is higher than the same alarm alone. */
const rowKey = (row: Row | undefined, index: number): string => (row ? `${row.alarm.id}${row.group ? " and more" : ""}` : String(index));

export function AlarmList({ rows, label, id, selected, opened, onFold, query, isFiltered, more }: Props) {
  const list = useRef<HTMLUListElement>(null);
  const box = useMemo(() => ({ get current(): HTMLElement | null { return list.current?.closest<HTMLElement>(matchMedia("(max-width: 1023px)").matches ? ".with-panel" : ".alarm-main") ?? null; } }), []); // what scrolls
  const isEven = useMemo(() => matchMedia(WIDE).matches, [rows]);
  const [above, setAbove] = useState(0);
  useLayoutEffect(() => {
    if (list.current && box.current) setAbove(list.current.getBoundingClientRect().top - box.current.getBoundingClientRect().top + box.current.scrollTop);
  }, [rows, label, selected.size > 0]); // not while scrolling: it makes the browser lay out anew
  const key = useCallback((index: number) => rowKey(rows[index], index), [rows]);
  const { items, size, scrollTo, measure } = useVirtual(rows.length, HEIGHT, box, above, key);
  const isNearEnd = isFiltered || (items[items.length - 1]?.index ?? 0) >= rows.length - AHEAD;
  useEffect(() => {
    if (isNearEnd) more?.();
  }, [isNearEnd, openAlarms.value, more !== undefined]); // what came may all be hidden by a filter
  const chosen = id ? rows.findIndex((row) => row.alarm.id === id) : -1;
  useEffect(() => {
    const row = list.current?.querySelector(`[data-alarm-id="${CSS.escape(id)}"]`);
    if (row) bringIntoView(row);
    else if (chosen >= 0) scrollTo(chosen);
  }, [id]);
  return (
    <ul class="alarm-list" aria-label={label} ref={list} style={{ height: `${size}px`, position: "relative" }}>
      {items.map((item) => {
        const row = rows[item.index];
        return (
          row && (
            <AlarmLine
              key={row.alarm.id}
              alarm={row.alarm}
              row={row}
              isChosen={row.alarm.id === id}
              isSelected={selected.has(row.alarm.id)}
              isOpened={row.group ? opened.has(row.group.id) : false}
              onFold={() => row.group && onFold(row.group.id)}
              query={query}
              at={{ index: item.index, of: rows.length, top: item.start - above, measure: isEven && !row.group ? undefined : measure }}
            />
          )
        );
      })}
    </ul>
  );
}
