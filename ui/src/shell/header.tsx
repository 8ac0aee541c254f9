import { counts } from "@/core/alarms.ts";
import { DEEPEST, lineTo, rows, rowsMissing } from "@/core/plant.ts";
import { useResource } from "@/core/resource.ts";
import { href, place } from "@/core/router.ts";
import type { TwinRow } from "@/core/types.ts";
import { PRIORITY_WORDS } from "@/core/words.ts";
import { status } from "@/live/client.ts";
import { layer } from "./app.tsx";
import { Badge } from "./badge.tsx";
import { Icon } from "./icon.tsx";

export function Header() {
  return (
    <header class="header">
      <a class="brand" href={href("overview")} aria-label="Gemel, overview">
        <Icon name="twins" />
        <span class="word">Gemel</span>
      </a>
      <Crumbs />
      <nav class="counters" aria-label="Open alarms by priority">
        {[1, 2, 3, 4].map((priority) => (
          <Counter key={priority} priority={priority} />
        ))}
      </nav>
      <button class="search-button" data-testid="search" aria-label="Find twin, alarm… Ctrl K" aria-keyshortcuts="Control+K" onClick={() => (layer.value = "palette")}>
        <Icon name="search" />
        <span class="word">Find twin, alarm…</span>
        <kbd>Ctrl K</kbd>
      </button>
    </header>
  );
}

function Counter({ priority }: { priority: number }) {
  const count = counts.value.byPriority[priority] ?? 0;
  return (
    <a class={`counter${count ? "" : " zero"}`} href={href("alarms", "", { priority: String(priority) })} data-testid={`counter-p${priority}`} data-count={count}>
      <Badge priority={priority} outline={count === 0} label={false} />
      {count}
      <span class="visually-hidden"> open alarms of priority {priority}, {PRIORITY_WORDS[priority]}</span>
    </a>
  );
}

function Crumbs() {
  const { route, id } = place.value;
  const twin = route === "twins" && id ? id : place.value.search.get("twin");
  const { data } = useResource(twin && rowsMissing.value > 0 ? `line to ${twin}` : null, (abort) => lineTo(twin!, abort));
  const known = new Map(data?.map((row) => [row.id, row]));
  const rowOf = (one: string): TwinRow | undefined => known.get(one) ?? rows.value.get(one);
  const named = (one: string): string => rowOf(one)?.name || one;
  const line: string[] = [];
  let at = twin ? rowOf(twin)?.parent : null;
  while (at && line.length < DEEPEST && !line.includes(at)) {
    line.unshift(at);
    at = rowOf(at)?.parent ?? null;
  }
  const plant = status.value?.plant ?? "";
  const isTop = (one: string): boolean => named(one) === plant;
  return (
    <nav class="crumbs" aria-label="Place in the plant" data-testid="crumbs">
      {twin ? <a href={href("overview")}>{plant}</a> : <strong>{plant}</strong>}
      {line
        .filter((one) => !isTop(one))
        .map((one) => (
          <span class="row" key={one}>
            <span class="muted">/</span>
            <a class="ellipsis" href={href("twins", one)}>
              {named(one)}
            </a>
          </span>
        ))}
      {twin && (
        <span class="row" style={{ minWidth: 0 }}>
          <span class="muted">/</span>
          <strong class="ellipsis">{named(twin)}</strong>
        </span>
      )}
    </nav>
  );
}
