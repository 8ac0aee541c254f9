/** Chooses the signals of a chart: twins found by the server, and what each of them measures. */

import { useEffect, useState } from "preact/hooks";
import { get, getTwin, query } from "@/core/api.ts";
import { useResource } from "@/core/resource.ts";
import type { Page, Property, TwinRow } from "@/core/types.ts";
import { plural } from "@/core/words.ts";
import { unitAsRead } from "@/core/units.ts";
import { Dialog } from "@/shell/dialog.tsx";
import { Icon } from "@/shell/icon.tsx";
import { Failed, SkeletonRows } from "@/shell/notices.tsx";
import { drawable } from "@/twins/trends.tsx";
import { MOST_TAGS, tagKey, type Tag } from "./workspace.ts";

const MOST_TWINS = 30;

export function Picker({ title, chosen: first, take, close }: { title: string; chosen: Tag[]; take: (tags: Tag[]) => void; close: () => void }) {
  const [chosen, setChosen] = useState(first);
  const [text, setText] = useState("");
  const [search, setSearch] = useState("");
  const [open, setOpen] = useState(first[0]?.twin ?? "");
  useEffect(() => {
    const timer = setTimeout(() => setSearch(text.trim()), 200);
    return () => clearTimeout(timer);
  }, [text]);
  const asked = query({ search, limit: MOST_TWINS });
  const { data, error, retry } = useResource(`tags ${asked}`, (abort) => get<Page<TwinRow>>(`/twins${asked}`, abort));
  const isFull = chosen.length >= MOST_TAGS;
  const toggle = (tag: Tag): void => {
    const key = tagKey(tag);
    setChosen(chosen.some((one) => tagKey(one) === key) ? chosen.filter((one) => tagKey(one) !== key) : isFull ? chosen : [...chosen, tag]);
  };
  const foot = (
    <>
      <button class="button" onClick={close}>
        Cancel
      </button>
      <button class="button primary" disabled={chosen.length === 0} data-testid="picker-take" onClick={() => take(chosen)}>
        Show {plural(chosen.length, "signal")}
      </button>
    </>
  );
  return (
    <Dialog title={title} close={close} foot={foot} testId="tag-picker">
      <div class="stack picker">
        <label class="filter-search grow">
          <span class="visually-hidden">Find a twin by name or id</span>
          <Icon name="search" small />
          <input class="input" type="search" placeholder="Find a twin by name or id" data-testid="picker-search" value={text} onInput={(event) => setText(event.currentTarget.value)} />
        </label>
        <ul class="picker-chosen" aria-label="Chosen">
          {chosen.map((one) => (
            <li key={tagKey(one)}>
              <button class="button" aria-label={`Leave out ${one.twin} ${one.property}`} onClick={() => toggle(one)}>
                <span class="ellipsis">
                  {one.twin} {one.property} {one.provenance}
                </span>
                <Icon name="close" small />
              </button>
            </li>
          ))}
        </ul>
        {isFull && <p class="meta">{MOST_TAGS} are the most that one chart can tell apart.</p>}
        {error && !data && <Failed error={error} what="The twins" retry={retry} />}
        {!data && !error && <SkeletonRows count={6} height={28} />}
        <ul class="picker-twins" aria-label="Twins" aria-live="off">
          {data?.value.map((row) => (
            <li key={row.id}>
              <button class="picker-twin" aria-expanded={open === row.id} data-testid="picker-twin" data-twin-id={row.id} onClick={() => setOpen(open === row.id ? "" : row.id)}>
                <Icon name={open === row.id ? "down" : "chevron"} small />
                <span class="ellipsis">{row.name || row.id}</span>
                <span class="muted ellipsis push">{row.name && row.name !== row.id ? row.id : row.modelName}</span>
              </button>
              {open === row.id && <Signals twin={row.id} chosen={chosen} isFull={isFull} toggle={toggle} />}
            </li>
          ))}
        </ul>
        {data && data.value.length === 0 && <p class="muted">No twin matches.</p>}
        {data && data.total > data.value.length && <p class="meta">{data.total - data.value.length} more match; write more of the name.</p>}
      </div>
    </Dialog>
  );
}

function Signals({ twin, chosen, isFull, toggle }: { twin: string; chosen: Tag[]; isFull: boolean; toggle: (tag: Tag) => void }) {
  const { data, error, retry } = useResource(`twin ${twin}`, (abort) => getTwin(twin, abort));
  if (error && !data) return <Failed error={error} what="Its signals" retry={retry} />;
  if (!data) return <SkeletonRows count={3} height={28} />;
  const list = data.properties.filter(drawable).flatMap((one) => tagsOf(twin, one));
  if (list.length === 0) return <p class="muted picker-tags">It has no numbers to draw.</p>;
  return (
    <ul class="picker-tags">
      {list.map(([tag, words, unit]) => {
        const isChosen = chosen.some((one) => tagKey(one) === tagKey(tag));
        return (
          <li key={tagKey(tag)}>
            <label class="pick">
              <input type="checkbox" checked={isChosen} disabled={isFull && !isChosen} data-testid="picker-tag" data-property={tag.property} onChange={() => toggle(tag)} />
              {words} {unit && <span class="unit">{unitAsRead(unit)}</span>}
            </label>
          </li>
        );
      })}
    </ul>
  );
}

/** The property itself, and each other source of its values. */
function tagsOf(twin: string, property: Property): [Tag, string, string | null][] {
  const words = property.displayName || property.name;
  const others = (property.others ?? []).map((one): [Tag, string, string | null] => [{ twin, property: property.path, provenance: one.provenance }, `${words}, ${one.provenance}`, property.unit]);
  return [[{ twin, property: property.path, provenance: "" }, words, property.unit], ...others];
}
