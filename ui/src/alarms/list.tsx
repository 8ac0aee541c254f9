/** The rows of alarms that are on screen: a flood of ten thousand scrolls as ten do. */

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { useVirtual } from "@/shell/virtual.ts";
import type { Row } from "./fold.ts";
import { AlarmLine } from "./line.tsx";

const HEIGHT = 54;

interface Props {
  rows: Row[];
  label: string;
  id: string;
  selected: ReadonlySet<string>;
  opened: ReadonlySet<string>;
  onFold: (group: string) => void;
  query: Record<string, string>;
}

export function AlarmList({ rows, label, id, selected, opened, onFold, query }: Props) {
  const list = useRef<HTMLUListElement>(null);
  const box = useMemo(() => ({ get current(): HTMLElement | null { return list.current?.closest<HTMLElement>(matchMedia("(max-width: 1023px)").matches ? ".with-panel" : ".alarm-main") ?? null; } }), []); // what scrolls
  const [above, setAbove] = useState(0);
  useLayoutEffect(() => {
    if (list.current && box.current) setAbove(list.current.getBoundingClientRect().top - box.current.getBoundingClientRect().top + box.current.scrollTop);
  });
  const { items, size, scrollTo, measure } = useVirtual(rows.length, HEIGHT, box, above, (index) => rows[index]?.alarm.id ?? String(index));
  const chosen = rows.findIndex((row) => row.alarm.id === id);
  useEffect(() => {
    const row = list.current?.querySelector(`[data-alarm-id="${CSS.escape(id)}"]`);
    if (row) row.scrollIntoView({ block: "nearest" });
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
              at={{ index: item.index, of: rows.length, top: item.start - above, measure }}
            />
          )
        );
      })}
    </ul>
  );
}
