/** All twins, searched and filtered by the server, as a virtual table that loads as it is scrolled. */

import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, get, onLeave, query } from "@/core/api.ts";
import { rows as allRows } from "@/core/plant.ts";
import { go, href, place, setSearch } from "@/core/router.ts";
import type { Page, TwinRow } from "@/core/types.ts";
import { formatAge, plural } from "@/core/words.ts";
import { refetches, status as plantStatus } from "@/live/client.ts";
import { priorityOfTwin } from "@/core/alarms.ts";
import { Badge } from "@/shell/badge.tsx";
import { Empty, Failed, NoTwins, SkeletonRows } from "@/shell/notices.tsx";
import { Icon } from "@/shell/icon.tsx";
import { useVirtual } from "@/shell/virtual.ts";
import { StatusWord } from "./status-word.tsx";

const PAGE = 100;

export function TwinTable() {
  const search = place.value.search;
  const asked = query({ search: search.get("search"), model: search.get("model"), status: search.get("status"), abnormal: search.get("abnormal") === "true" });
  const { list, total, error, isLoading, more, retry } = usePages(asked);
  const box = useRef<HTMLDivElement>(null);
  const height = matchMedia("(pointer: coarse)").matches ? 48 : 34;
  const { items, size } = useVirtual(list.length, height, box);
  const last = items[items.length - 1]?.index ?? 0;
  useEffect(() => {
    if (last > list.length - 20) more();
  }, [last, list.length]);
  const isFiltered = asked !== "";
  return (
    <section class="twin-table" aria-label="Twins">
      <div class="page-head">
        <h1>Twins</h1>
        <span class="meta">{total === null ? "" : plural(total, "twin")}</span>
      </div>
      <DiscoveredBanner />
      <Filters />
      {error && list.length === 0 && <Failed error={error} what="The twins" retry={retry} />}
      {isLoading && list.length === 0 && !error && <SkeletonRows count={10} />}
      {!isLoading && !error && list.length === 0 && !isFiltered && <NoTwins />}
      {!isLoading && !error && list.length === 0 && isFiltered && (
        <Empty title="No twin matches">
          <button class="button" onClick={() => go(href("twins"))}>
            Clear the filters
          </button>
        </Empty>
      )}
      <div class="table-box" ref={box} tabIndex={list.length ? 0 : -1} role="table" aria-label="Twins" aria-rowcount={(total ?? list.length) + 1} hidden={list.length === 0} onKeyDown={(event) => moveRow(event)}>
        <div class="table-row head" role="row" aria-rowindex={1}>
          {["Name", "Model", "Status", "Last value", "Alarms"].map((name) => (
            <span key={name} role="columnheader">
              {name}
            </span>
          ))}
        </div>
        <div role="rowgroup" style={{ height: `${size}px`, position: "relative" }}>
          {items.map((item) => (
            <TableRow key={list[item.index]!.id} row={list[item.index]!} index={item.index} top={item.start} height={height} />
          ))}
        </div>
      </div>
    </section>
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

function TableRow({ row, index, top, height }: { row: TwinRow; index: number; top: number; height: number }) {
  const priority = priorityOfTwin.value.get(row.id) ?? null;
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
  const models = [...new Map([...allRows.value.values()].map((row) => [row.model, row.modelName])).entries()].sort((a, b) => a[1].localeCompare(b[1]));
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
      <button class="button" aria-pressed={isAbnormal} data-testid="filter-abnormal" onClick={() => setSearch({ abnormal: isAbnormal ? null : "true" })}>
        Abnormal only
      </button>
    </div>
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

/** The first page of the last questions, for the way back and for when the server is away. */
const kept = new Map<string, { list: TwinRow[]; total: number; cursor: string | null }>();
onLeave.add(() => kept.clear());

/** Pages of one question; a new question drops late answers to the old one. */
function usePages(asked: string) {
  const [state, setState] = useState<{ asked: string; list: TwinRow[]; total: number | null; cursor: string | null; error: ApiError | null; isLoading: boolean }>({ asked, list: [], total: null, cursor: null, ...kept.get(asked), error: null, isLoading: true });
  const [attempt, setAttempt] = useState(0);
  const isBusy = useRef(false);
  const epoch = refetches.value;
  const load = async (cursor: string | null, abort: AbortSignal): Promise<void> => {
    isBusy.current = true;
    try {
      const page = await get<Page<TwinRow>>(`/twins${asked}${asked ? "&" : "?"}limit=${PAGE}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`, abort);
      if (!cursor && kept.size < 50) kept.set(asked, { list: page.value, total: page.total, cursor: page.cursor });
      if (!abort.aborted) setState((old) => ({ asked, list: cursor ? [...old.list, ...page.value] : page.value, total: page.total, cursor: page.cursor, error: null, isLoading: false }));
    } catch (error) {
      if (!abort.aborted) setState((old) => ({ ...old, asked, error: error as ApiError, isLoading: false }));
    } finally {
      isBusy.current = false;
    }
  };
  const controller = useRef(new AbortController());
  useEffect(() => {
    const abort = new AbortController();
    controller.current = abort;
    setState((old) => ({ ...old, isLoading: true }));
    void load(null, abort.signal);
    return () => abort.abort();
  }, [asked, epoch, attempt]);
  const more = (): void => {
    if (state.cursor && !isBusy.current) void load(state.cursor, controller.current.signal);
  };
  return { ...state, more, retry: () => setAttempt((count) => count + 1) };
}
