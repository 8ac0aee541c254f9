/** What a rule would have done, beside what the live one did. */

import { href } from "@/core/router.ts";
import { formatMoment } from "@/core/words.ts";
import { wall } from "@/core/clock.ts";
import type { Backtest, BacktestLive } from "@/core/types.ts";

type BacktestSummary = Omit<BacktestLive, "version" | "when">;

const SHOWN = 20;

function span(value: number | null | undefined): string {
  if (value === null || value === undefined) return "—";
  return value < 120 ? `${value.toFixed(0)} s` : value < 7200 ? `${(value / 60).toFixed(0)} min` : `${(value / 3600).toFixed(1)} h`;
}

const share = (value: number | null | undefined): string => (value === null || value === undefined ? "—" : `${(100 * value).toFixed(0)} %`);

const ROWS: [string, (one: BacktestSummary) => string][] = [
  ["Alarms", (one) => String(one.alarms)],
  ["Alarms a day", (one) => one.alarmsPerDay.toFixed(1)],
  ["Time in alarm, all twins", (one) => span(one.activeSeconds)],
  ["Median length", (one) => span(one.medianSeconds)],
  ["Longest", (one) => span(one.longestSeconds)],
  ["Twins with alarms", (one) => String(Object.keys(one.byTwin).length)],
];
const LABELLED: [string, (one: BacktestSummary) => string][] = [
  ["Events caught", (one) => `${one.labels?.caught} of ${one.labels?.events}`],
  ["Alarms that were right", (one) => share(one.labels?.precision)],
  ["False alarms", (one) => String(one.labels?.falseAlarms)],
  ["Median delay", (one) => span(one.labels?.medianDelaySeconds)],
];

export function Outcomes({ found }: { found: Backtest }) {
  return (
    <section class="stack" aria-label="What it would have done" data-testid="backtest" data-alarms={found.alarms}>
      <p class="meta">
        {found.twins} twins, {found.readings.toLocaleString("en")} readings
      </p>
      <table class="plain">
        <thead>
          <tr>
            <th />
            <th scope="col">This text</th>
            {found.live && <th scope="col">Live, version {found.live.version}</th>}
          </tr>
        </thead>
        <tbody>
          {[...ROWS, ...(found.labels ? LABELLED : [])].map(([name, value]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td class="number">{value(found)}</td>
              {found.live && <td class="number">{value(found.live)}</td>}
            </tr>
          ))}
        </tbody>
      </table>
      {found.episodes.length > 0 && (
        <details>
          <summary>{found.alarms > SHOWN ? `The first ${SHOWN} alarms` : "The alarms"}</summary>
          <ul class="members">
            {found.episodes.slice(0, SHOWN).map((one) => (
              <li key={one.twin + one.raised}>
                <a href={href("twins", one.twin)}>{one.twin}</a> {formatMoment(Date.parse(one.raised), wall.value)}, {one.cleared ? span(one.seconds) : "to the end"}
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}
