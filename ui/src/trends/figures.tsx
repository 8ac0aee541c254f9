/** Below the charts: what their lines come to over the selection, or the window, and what happened in it. */

import { get, query } from "@/core/api.ts";
import { useResource } from "@/core/resource.ts";
import { formatMoment, formatNumber, PRIORITY_WORDS } from "@/core/words.ts";
import { Badge } from "@/shell/badge.tsx";
import { Icon } from "@/shell/icon.tsx";
import { Failed } from "@/shell/notices.tsx";
import { within, type Event } from "./events.ts";
import { change, shown, shownEdges } from "./store.ts";
import { subjectsOf, type Known } from "./subjects.ts";
import { tagKey, type Tag } from "./workspace.ts";
import type { SeriesFigures, Statistics } from "@/core/types.ts";
import { asRead, spreadAsRead, unitAsRead } from "@/core/units.ts";

const FIGURES: [keyof SeriesFigures, string][] = [
  ["count", "Readings"],
  ["avg", "Mean"],
  ["sd", "Deviation"],
  ["min", "Lowest"],
  ["max", "Highest"],
  ["first", "First"],
  ["last", "Last"],
];

async function fetchFigures(tags: Tag[], [from, to]: [number, number], abort: AbortSignal): Promise<Map<string, SeriesFigures>> {
  const groups = new Map<string, Tag[]>();
  for (const tag of tags) groups.set(`${tag.twin}\n${tag.provenance}`, [...(groups.get(`${tag.twin}\n${tag.provenance}`) ?? []), tag]);
  const answers = await Promise.all(
    [...groups.values()].map(async (some) => {
      const { twin, provenance } = some[0]!;
      const asked = query({ twin, property: some.map((one) => one.property).join(","), provenance, from: Math.round(from), to: Math.round(to) });
      const { value } = await get<Statistics>(`/history/statistics${asked}`, abort);
      return value.map((row): [string, SeriesFigures] => [tagKey({ ...row, provenance }), row]);
    }),
  );
  return new Map(answers.flat());
}

export function Figures({ known }: { known: Known | undefined }) {
  const { panels, selection } = shown.value;
  const subjects = [...new Map(panels.flatMap((panel) => subjectsOf({ ...panel, tags: panel.tags }, known)).map((one) => [tagKey(one.tag), one])).values()];
  const span = selection ?? coarse(shownEdges.value);
  const key = subjects.length ? `figures ${subjects.map((one) => tagKey(one.tag)).join("\n\n")} ${span.join("~")}` : null;
  const { data, error, retry } = useResource(key, (abort) => fetchFigures(subjects.map((one) => one.tag), span, abort));
  const name = (tag: Tag): string => known?.get(tag.twin)?.twin?.name || tag.twin;
  return (
    <section class="trend-figures" aria-label="Figures">
      <div class="row">
        <h2>{selection ? "Selection" : "Window"}</h2>
        <span class="meta" data-testid="figures-span">
          {formatMoment(span[0], 0)} to {formatMoment(span[1], 0)}
        </span>
        {selection && (
          <button class="button push" data-testid="clear-selection" onClick={() => change({ selection: null })}>
            <Icon name="close" small /> Clear the selection
          </button>
        )}
      </div>
      {error && !data && <Failed error={error} what="The figures" retry={retry} />}
      <div class="table-scroll" tabIndex={0} role="region" aria-label="Figures of each signal">
        <table>
          <thead>
            <tr>
              <th scope="col">Signal</th>
              {FIGURES.map(([figure, words]) => (
                <th scope="col" class="right" key={figure}>
                  {words}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {subjects.map((one) => {
              const row = data?.get(tagKey(one.tag));
              return (
                <tr key={tagKey(one.tag)} data-testid="figures-row" data-property={one.tag.property}>
                  <th scope="row">
                    {name(one.tag)} <span class="soft">{one.label.replace(name(one.tag), "")}</span> {one.unit && <span class="unit">{unitAsRead(one.unit)}</span>}
                  </th>
                  {FIGURES.map(([figure, words]) => {
                    const value = row?.[figure];
                    return (
                      <td class="right" key={figure} data-figure={figure} data-words={words}>
                        {typeof value === "number" ? figureWords(figure, value, one.unit) : "—"}
                      </td>
                    );
                  })}
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function figureWords(figure: keyof SeriesFigures, value: number, unit: string | null): string {
  if (figure === "count") return formatNumber(value, 0);
  return formatNumber(figure === "sd" ? spreadAsRead(value, unit) : asRead(value, unit));
}

/** So coarse that a window that slides asks a few times a minute at most. */
function coarse([from, to]: [number, number]): [number, number] {
  const step = Math.max(5_000, (to - from) / 500);
  const end = Array.isArray(shown.peek().window) ? to : Math.floor(to / step) * step;
  return [end - (to - from), end];
}

export function EventList({ events, known }: { events: Event[]; known: Known | undefined }) {
  const span = shown.value.selection ?? shownEdges.value;
  const list = within(events, span);
  if (shown.value.hidden.has("events") || list.length === 0) return null;
  return (
    <section class="trend-events" aria-label="Events">
      <h2>
        Alarms and commands <span class="muted">{list.length}</span>
      </h2>
      <ul>
        {list
          .slice(-100)
          .reverse()
          .map((one) => (
            <li key={one.id} data-testid="trend-event">
              {one.kind === "alarm" ? <Badge priority={one.priority} /> : <Icon name="send" small />}
              <a class="ellipsis grow" href={one.link}>
                {known?.get(one.twin)?.twin?.name || one.twin}: {one.words}
                {one.kind === "alarm" && <span class="visually-hidden">, {PRIORITY_WORDS[one.priority]}</span>}
              </a>
              <time class="meta" dateTime={new Date(one.from).toISOString()}>
                {formatMoment(one.from, 0)}
                {one.kind === "alarm" && (one.to === null ? ", stands" : ` to ${formatMoment(one.to, one.from)}`)}
              </time>
            </li>
          ))}
      </ul>
    </section>
  );
}
