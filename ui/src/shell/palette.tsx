/** Ctrl-K: twins, alarms and actions in one list, moved through with the arrow keys. */

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { rankedAlarms } from "@/core/alarms.ts";
import { compareText, natural } from "@/core/naming.ts";
import { get, query, signOut } from "@/core/api.ts";
import { rows, rowsMissing } from "@/core/plant.ts";
import { go, href, setSearch } from "@/core/router.ts";
import { ROUTES } from "@/core/routes.ts";
import { setTheme } from "@/core/theme.ts";
import type { Page, TwinRow } from "@/core/types.ts";
import { Badge } from "./badge.tsx";
import { Dialog } from "./dialog.tsx";
import { Icon } from "./icon.tsx";

interface Entry {
  key: string;
  group: string;
  words: string;
  hint: string;
  icon: string;
  priority?: number;
  act: () => void;
}

const ACTIONS: Entry[] = [
  ...ROUTES.map(({ route, words, letter, icon }) => ({ key: letter, group: "Go to", words, hint: `g ${letter}`, icon, act: () => go(href(route)) })),
  { key: "settings", group: "Actions", words: "Settings", hint: "", icon: "settings", act: () => setSearch({ settings: "look" }) },
  { key: "dark", group: "Actions", words: "Dark theme", hint: "", icon: "moon", act: () => setTheme("dark") },
  { key: "light", group: "Actions", words: "Light theme", hint: "", icon: "sun", act: () => setTheme("light") },
  { key: "system", group: "Actions", words: "Theme of the system", hint: "", icon: "system", act: () => setTheme("system") },
  ...(["operator", "engineer", "manager", "technician"] as const).map((name) => ({ key: `for ${name}`, group: "Actions", words: `Overview for the ${name}`, hint: "", icon: "overview", act: () => go(href("overview", "", { for: name })) })),
  { key: "abnormal", group: "Actions", words: "Show abnormal twins", hint: "", icon: "filter", act: () => go(href("twins", "", { abnormal: "true" })) },
  { key: "out", group: "Actions", words: "Sign out", hint: "", icon: "logout", act: () => void signOut() },
];

export function score(words: string, wanted: string): number {
  const text = words.toLowerCase();
  const at = text.indexOf(wanted);
  if (at === 0) return 3;
  if (at > 0) return /[\s\-_/.]/.test(text[at - 1]!) ? 2 : 1;
  return 0;
}

function find(wanted: string, twins: Iterable<TwinRow>): Entry[] {
  const needle = wanted.trim().toLowerCase();
  const alarms = rankedAlarms.value
    .filter((alarm) => !needle || score(`${alarm.twinName} ${alarm.title}`, needle) || score(alarm.twin, needle))
    .slice(0, needle ? 5 : 3)
    .map((alarm) => ({ key: `alarm ${alarm.id}`, group: "Alarms", words: `${alarm.twinName} ${alarm.title}`, hint: alarm.condition, icon: "bell", priority: alarm.priority, act: () => go(href("alarms", alarm.id)) }));
  const found = [...twins]
    .map((row) => ({ row, points: needle ? Math.max(score(row.name, needle) * 2, score(row.id, needle) * 2, score(row.modelName, needle)) : 1 }))
    .filter((one) => one.points > 0)
    .sort((a, b) => b.points - a.points || compareText(natural(a.row.name), natural(b.row.name)))
    .slice(0, needle ? 12 : 5)
    .map(({ row }) => ({ key: `twin ${row.id}`, group: "Twins", words: row.name || row.id, hint: row.name === row.id ? row.modelName : `${row.id} · ${row.modelName}`, icon: "twins", act: () => go(href("twins", row.id)) }));
  const actions = ACTIONS.filter((one) => !needle || score(one.words, needle));
  return needle ? [...found, ...alarms, ...actions] : [...alarms, ...found, ...actions];
}

export function Palette({ close }: { close: () => void }) {
  const [wanted, setWanted] = useState("");
  const [at, setAt] = useState(0);
  const [more, setMore] = useState<TwinRow[]>([]);
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!rowsMissing.value || wanted.trim().length < 2) return undefined;
    const abort = new AbortController();
    const timer = setTimeout(() => {
      get<Page<TwinRow>>(`/twins${query({ search: wanted.trim(), limit: 20 })}`, abort.signal)
        .then((page) => setMore(page.value))
        .catch(() => setMore([]));
    }, 150);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [wanted]);
  const entries = useMemo(() => {
    const all = new Map(rows.value);
    for (const row of more) all.set(row.id, row);
    return find(wanted, all.values());
  }, [wanted, more]);
  const index = Math.min(at, entries.length - 1);
  useEffect(() => {
    list.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }, [index, entries]);
  const choose = (entry: Entry | undefined): void => {
    if (!entry) return;
    close();
    entry.act();
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === "ArrowDown") setAt((index + 1) % entries.length);
    else if (event.key === "ArrowUp") setAt((index - 1 + entries.length) % entries.length);
    else if (event.key === "Enter") choose(entries[index]);
    else return;
    event.preventDefault();
  };
  return (
    <Dialog title="Find" close={close} isBare testId="palette">
      <input autofocus role="combobox" aria-expanded="true" aria-controls="palette-list" aria-activedescendant={entries[index] ? `palette-${index}` : undefined} aria-label="Find a twin, an alarm or an action" placeholder="Find a twin, an alarm or an action" value={wanted} onInput={(event) => (setWanted(event.currentTarget.value), setAt(0))} onKeyDown={onKey} />
      <div id="palette-list" ref={list} role="listbox" aria-label="Found" style={{ padding: "4px 0 8px" }}>
        {entries.length === 0 && <p class="notice">Nothing is called that.</p>}
        {entries.map((entry, i) => (
          <>
            {entries[i - 1]?.group !== entry.group && (
              <div class="group" role="presentation" key={`group ${entry.group}`}>
                {entry.group}
              </div>
            )}
            <div key={entry.key} id={`palette-${i}`} role="option" aria-selected={i === index} onMouseMove={() => i !== index && setAt(i)} onClick={() => choose(entry)}>
              {entry.priority ? <Badge priority={entry.priority} /> : <Icon name={entry.icon} />}
              <span class="ellipsis">{entry.words}</span>
              <span class="hint ellipsis">{entry.hint}</span>
            </div>
          </>
        ))}
      </div>
    </Dialog>
  );
}
