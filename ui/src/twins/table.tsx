/** All twins, searched, filtered and sorted by the server, as a virtual table that loads what is looked at. */

import { useEffect, useRef, useState } from "preact/hooks";
import { asText } from "@/core/api.ts";
import { sortedByName } from "@/core/naming.ts";
import { rows as allRows } from "@/core/plant.ts";
import { go, href, place, setSearch } from "@/core/router.ts";
import type { TwinRow } from "@/core/types.ts";
import { formatAge, formatNumber, plural } from "@/core/words.ts";
import { numericPaths, status as plantStatus } from "@/live/client.ts";
import { priorityOfTwin } from "@/core/alarms.ts";
import { asRead, system, unitAsRead } from "@/core/units.ts";
import { hasManyUnits, unitOf, useUnits } from "@/core/path-units.ts";
import { Badge } from "@/shell/badge.tsx";
import { Empty, Failed, NoTwins, SkeletonRows } from "@/shell/notices.tsx";
import { Icon } from "@/shell/icon.tsx";
import { useVirtual } from "@/shell/virtual.ts";
import { useRows, type Asked } from "./pages.ts";
import { StatusWord } from "./status-word.tsx";
import { Views } from "./views.tsx";
import { OPERATORS, readWhere, valueAsRead, valueFromRead, writeWhere } from "./where.ts";

const COLUMNS: [string, string][] = [
  ["name", "Name"],
  ["model", "Model"],
  ["status", "Status"],
  ["lastSeen", "Last value"],
  ["alarms", "Alarms"],
];

export function TwinTable() {
  const search = place.value.search;
  const where = search.get("where") ?? "";
  const show = readWhere(where)?.path ?? "";
  const sort = search.get("sort") || "name";
  const asked: Asked = { search: search.get("search"), model: search.get("model"), status: search.get("status"), abnormal: search.get("abnormal") === "true", where, show, sort: sort.endsWith("value") && !show ? "name" : sort };
  const { key, total, error, rowAt, look, retry } = useRows(asked);
  const box = useRef<HTMLDivElement>(null);
  const height = matchMedia("(pointer: coarse)").matches ? 48 : 34;
  const { items, size } = useVirtual(total ?? 0, height, box);
  const [top, last] = [items[0]?.index ?? 0, items[items.length - 1]?.index ?? 0];
  useEffect(() => look(top, last), [top, last, total]);
  const shown = useRef(key);
  useEffect(() => {
    if (total === null || shown.current === key) return;
    shown.current = key; // another question is read from its top; while the table is hidden it cannot scroll
    if (box.current) box.current.scrollTop = 0;
  }, [key, total === null]);
  const isFiltered = ["search", "model", "status", "where"].some((name) => search.get(name)) || search.get("abnormal") === "true";
  const columns = show ? [...COLUMNS, ["value", show] as [string, string]] : COLUMNS;
  return (
    <section class={`twin-table${show ? " with-value" : ""}`} aria-label="Twins">
      <div class="page-head">
        <h1>Twins</h1>
        <span class="meta" data-testid="twin-count">
          {total === null ? "" : plural(total, "twin")}
        </span>
        <Views />
      </div>
      <DiscoveredBanner />
      <Filters />
      {error && !total && <Failed error={error} what="The twins" retry={retry} />}
      {total === null && !error && <SkeletonRows count={10} />}
      {total === 0 && !error && !isFiltered && <NoTwins />}
      {total === 0 && !error && isFiltered && (
        <Empty title="No twin matches">
          <button class="button" onClick={() => go(href("twins"))}>
            Clear the filters
          </button>
        </Empty>
      )}
      <div class="table-box" ref={box} tabIndex={total ? 0 : -1} role="table" aria-label="Twins" aria-rowcount={(total ?? 0) + 1} hidden={!total} data-testid="twin-box" onKeyDown={(event) => moveRow(event)}>
        <div class="table-row head" role="row" aria-rowindex={1}>
          {columns.map(([name, words]) => (
            <Head key={name} name={name} words={words} sort={sort} />
          ))}
        </div>
        <div role="rowgroup" style={{ height: `${size}px`, position: "relative" }}>
          {items.map((item) => {
            const row = rowAt(item.index);
            return row ? <TableRow key={item.index} row={row} index={item.index} top={item.start} height={height} show={show} /> : <div key={item.index} class="table-row waiting" role="row" aria-rowindex={item.index + 2} aria-busy="true" style={{ transform: `translateY(${item.start}px)`, height: `${height}px` }} />;
          })}
        </div>
      </div>
    </section>
  );
}

/** A click sorts by it, another turns it round, a third ends it. */
function Head({ name, words, sort }: { name: string; words: string; sort: string }) {
  const isUp = sort === name;
  const isDown = sort === `-${name}`;
  return (
    <span role="columnheader" aria-sort={isUp ? "ascending" : isDown ? "descending" : undefined}>
      <button class="sort" data-testid={`sort-${name}`} onClick={() => setSearch({ sort: isUp ? `-${name}` : isDown ? null : name })}>
        <span class="ellipsis">{words}</span>
        {(isUp || isDown) && <Icon name="down" small />}
      </button>
    </span>
  );
}

function moveRow(event: KeyboardEvent): void {
  const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
  if (!step) return;
  const links = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>("a[data-row]")];
  const at = links.indexOf(document.activeElement as HTMLElement);
  links[Math.max(0, at + step)]?.focus();
  event.preventDefault();
}

function TableRow({ row, index, top, height, show }: { row: TwinRow; index: number; top: number; height: number; show: string }) {
  const priority = priorityOfTwin.value.get(row.id) ?? row.alarms.priority;
  return (
    <div class="table-row" role="row" aria-rowindex={index + 2} style={{ transform: `translateY(${top}px)`, height: `${height}px` }} data-testid="twin-row" data-twin-id={row.id} onClick={() => go(href("twins", row.id))}>
      <span role="cell" class="ellipsis">
        <a data-row href={href("twins", row.id)}>
          {row.name || row.id}
        </a>
        {row.name && row.name !== row.id && <span class="muted id"> {row.id}</span>}
      </span>
      <span role="cell" class="soft ellipsis">
        {row.modelName}
      </span>
      <span role="cell">
        <StatusWord id={row.id} status={row.status} />
      </span>
      <span role="cell" class="soft">
        {row.age === null ? "—" : `${formatAge(row.age)} ago`}
      </span>
      <span role="cell" class="row" style={{ gap: "6px" }}>
        {priority !== null && <Badge priority={priority} />}
        {row.alarms.active > 0 && <span class="soft">{row.alarms.active}</span>}
      </span>
      {show && (
        <span role="cell" class="ellipsis">
          {typeof row.value === "number" ? formatNumber(asRead(row.value, row.unit)) : asText(row.value)} {row.unit && <span class="unit">{unitAsRead(row.unit)}</span>}
        </span>
      )}
    </div>
  );
}

function Filters() {
  const search = place.value.search;
  const [text, setText] = useState(search.get("search") ?? "");
  useEffect(() => {
    const timer = setTimeout(() => {
      if (text !== (place.peek().search.get("search") ?? "")) setSearch({ search: text });
    }, 200);
    return () => clearTimeout(timer);
  }, [text]);
  const models = sortedByName(new Map([...allRows.value.values()].map((row) => [row.model, row.modelName])), ([, name]) => name);
  const isAbnormal = search.get("abnormal") === "true";
  return (
    <div class="filters" role="search">
      <label class="grow filter-search">
        <span class="visually-hidden">Search by name or id</span>
        <Icon name="search" small />
        <input class="input" type="search" placeholder="Search by name or id" data-testid="twin-search" value={text} onInput={(event) => setText(event.currentTarget.value)} />
      </label>
      <Select label="Model" value={search.get("model") ?? ""} options={[["", "All models"], ...models]} change={(model) => setSearch({ model })} />
      <Select label="Status" value={search.get("status") ?? ""} options={[["", "Any status"], ["live", "Live"], ["stale", "Stale"], ["offline", "Offline"], ["never", "No data yet"]]} change={(status) => setSearch({ status })} />
      <WhereFilter key={`${search.get("where")} ${system.value}`} where={search.get("where") ?? ""} />
      <button class="button" aria-pressed={isAbnormal} data-testid="filter-abnormal" onClick={() => setSearch({ abnormal: isAbnormal ? null : "true" })}>
        Abnormal only
      </button>
    </div>
  );
}

/** By a property first: what is typed becomes a condition; one that is written in the address by hand is shown as it is. */
function WhereFilter({ where }: { where: string }) {
  const read = readWhere(where);
  const [path, setPath] = useState(read?.path ?? "");
  const [operator, setOperator] = useState(read?.operator ?? ">");
  const [typed, setTyped] = useState<string | null>(null); // null: as the address says
  const isReady = useUnits(Boolean(path || system.value)) || !system.value;
  const unit = unitOf(path.trim());
  const value = typed ?? (read ? valueAsRead(read.value, unitOf(read.path)) : "");
  const submit = (event: Event): void => {
    event.preventDefault();
    const isAsWas = typed === null && path.trim() === read?.path;
    if (path.trim() && value.trim()) setSearch({ where: writeWhere({ path: path.trim(), operator, value: isAsWas ? read!.value : valueFromRead(value, unit) }) });
  };
  if (where && !read) {
    return (
      <button class="button" aria-label={`Leave out the condition ${where}`} title="Held against values in their models' units" data-testid="where-clear" onClick={() => setSearch({ where: null })}>
        <span class="ellipsis">{where}</span> <Icon name="close" small />
      </button>
    );
  }
  const known = [...numericPaths().keys()].sort();
  return (
    <form class="where" aria-label="By a property" onSubmit={submit}>
      <input class="input" aria-label="Property" placeholder="Property" list="where-paths" data-testid="where-path" value={path} onInput={(event) => setPath(event.currentTarget.value)} />
      <datalist id="where-paths">
        {known.map((one) => (
          <option key={one} value={one} />
        ))}
      </datalist>
      <Select label="Comparison" value={operator} options={OPERATORS} change={setOperator} />
      <input class="input" aria-label={unit ? `Value in ${unitAsRead(unit)}` : "Value"} placeholder="value" data-testid="where-value" disabled={!isReady} value={value} onInput={(event) => setTyped(event.currentTarget.value)} />
      {unit && (
        <span class="unit" data-testid="where-unit">
          {unitAsRead(unit)}
        </span>
      )}
      {hasManyUnits(path.trim()) && (
        <span class="meta" data-testid="where-units">
          as each model says
        </span>
      )}
      <button class="button" type="submit" data-testid="where-go">
        Filter
      </button>
      {where && (
        <button class="button square quiet" type="button" aria-label="Leave out the property" data-testid="where-clear" onClick={() => setSearch({ where: null, sort: null })}>
          <Icon name="close" small />
        </button>
      )}
    </form>
  );
}

function Select({ label, value, options, change }: { label: string; value: string; options: [string, string][]; change: (value: string) => void }) {
  return (
    <select class="input" aria-label={label} value={value} onChange={(event) => change(event.currentTarget.value)}>
      {options.map(([key, words]) => (
        <option key={key} value={key}>
          {words}
        </option>
      ))}
    </select>
  );
}

export function DiscoveredBanner() {
  const count = plantStatus.value?.discovered ?? 0;
  if (count === 0) return null;
  return (
    <div class="banner" data-testid="discovered-banner">
      <Icon name="device" />
      <span class="grow">{plural(count, "device sends", "devices send")} data that no twin takes yet.</span>
      <a class="button" href={href("twins", "", { view: "discovered" })}>
        Look
      </a>
    </div>
  );
}
