/** How good the data itself is: who is silent, how fresh the rest, what was refused, what is new. */

import { href } from "@/core/router.ts";
import { formatAge, formatNumber } from "@/core/words.ts";
import { link, status } from "@/live/client.ts";

export function DataHealth() {
  const now = status.value;
  if (!now) return null;
  const lines: [string, string, string?][] = [
    ["Live twins", `${now.live} of ${now.twins}`],
    ["Stale or offline", String(now.twins - now.live), href("twins", "", { abnormal: "true" })],
    ["Freshness, 95 %", now.freshness === null || link.value.state !== "online" ? "—" : formatAge(now.freshness)],
    ["Readings kept", formatNumber(now.readings, 0)],
    ["Rejected readings", formatNumber(now.rejects, 0)],
    ["Found devices", String(now.discovered), href("twins", "", { view: "discovered" })],
  ];
  return (
    <section class="panel-section" aria-label="Data" data-testid="data-health">
      <div class="panel-head">
        <h2>Data</h2>
      </div>
      <dl class="facts">
        {lines.map(([words, value, to]) => (
          <div class="fact" key={words}>
            <dt>{words}</dt>
            <dd class="value">
              {to && value !== "0" ? (
                <a class="link number" href={to}>
                  {value}
                </a>
              ) : (
                <span class="number">{value}</span>
              )}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
