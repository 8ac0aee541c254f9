/** What readings that came too late would have changed about alarms. */

import { useState } from "preact/hooks";

import { get } from "@/core/api.ts";
import { tick } from "@/core/clock.ts";
import { useResource } from "@/core/resource.ts";
import { href } from "@/core/router.ts";
import type { AlarmCorrection, Page } from "@/core/types.ts";
import { formatMoment, parseTime } from "@/core/words.ts";

/** That the server answers at once; the command line goes on behind them. */
const MOST = 1000;

/** Alarms by their time, in words: "10:02:10 to 10:04:00". */
function spans(one: AlarmCorrection, side: "told" | "actual", now: number): string {
  const moment = (text: string | null): string => {
    const ms = parseTime(text);
    return ms === null ? "now" : formatMoment(ms, now);
  };
  const words = one[side].map((alarm) => `${moment(alarm.raised)} to ${moment(alarm.cleared)}`).join(", ");
  return one.leftOut[side] ? `${words} and ${one.leftOut[side]} times more` : words;
}

/** One correction in words that can be read aloud. */
export function inWords(one: AlarmCorrection, now: number): string {
  const readings = `${one.readings} ${one.readings === 1 ? "reading" : "readings"} that came too late`;
  if (!one.told.length) return `${readings} would have raised it: ${spans(one, "actual", now)}.`;
  if (!one.actual.length) return `With ${readings} it would not have been raised: ${spans(one, "told", now)}.`;
  return `With ${readings} it stood ${spans(one, "actual", now)}, not ${spans(one, "told", now)}.`;
}

/** The corrections of one rule on one twin, or of the whole plant; nothing if there are none. */
export function Corrections({ rule, twin }: { rule?: string; twin?: string }) {
  const [limit, setLimit] = useState(20);
  const query = new URLSearchParams({ limit: String(limit) });
  if (rule) query.set("rule", rule);
  if (twin) query.set("twin", twin);
  const { data } = useResource(`corrections ${query}`, (abort) => get<Page<AlarmCorrection>>(`/alarms/corrections?${query}`, abort));
  if (!data?.value.length) return null;
  return (
    <section class="comments" data-testid="alarm-corrections">
      <h3>Corrected by late readings</h3>
      <ul>
        {data.value.map((one) => (
          <li key={one.id}>
            <span class="meta">
              {formatMoment(Date.parse(one.recorded), tick.value)}{" "}
              {!twin && (
                <>
                  <a href={href("twins", one.twin)}>{one.twinName}</a> {one.title}
                </>
              )}
            </span>
            <p>{inWords(one, tick.value)}</p>
          </li>
        ))}
      </ul>
      {data.cursor !== null && limit < MOST && (
        <button type="button" class="quiet" data-testid="more-corrections" onClick={() => setLimit(Math.min(MOST, 5 * limit))}>
          Show older ones
        </button>
      )}
    </section>
  );
}
