/** What the colours show, and what they mean. */

import "@/style/plant.css";
import { useEffect, useState } from "preact/hooks";
import { moment, wall } from "@/core/clock.ts";
import { themeVersion } from "@/core/theme.ts";
import { useUnits } from "@/core/path-units.ts";
import { system } from "@/core/units.ts";
import { formatNumber } from "@/core/words.ts";
import { numericPaths, useTwins } from "@/live/client.ts";
import { legendOf, rampEnds, type Legend } from "@/scene/look.ts";
import { setLook } from "./state.ts";

export const MODES: readonly (readonly [string, string])[] = [
  ["alarm", "Alarm"],
  ["state", "State"],
  ["health", "Health"],
  ["fidelity", "Fidelity"],
];

export function ColourBy({ by, twins }: { by: string; twins: string[] }) {
  const [isOpen, setOpen] = useState(by.startsWith("property:"));
  return (
    <>
      <div class="segments scrolls colour-by" role="group" aria-label="Colour by" data-testid="colour-by">
        {MODES.map(([mode, words]) => (
          <button key={mode} aria-pressed={by === mode} onClick={() => (setOpen(false), setLook({ by: mode }))}>
            {words}
          </button>
        ))}
        <button aria-pressed={by.startsWith("property:")} aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          Property
        </button>
      </div>
      {isOpen && <PropertyPicker by={by} twins={twins} />}
    </>
  );
}

function PropertyPicker({ by, twins }: { by: string; twins: string[] }) {
  useTwins(twins);
  void wall.value; // what there is to choose from comes with the stream
  const paths = [...numericPaths()].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
  const chosen = by.startsWith("property:") ? by.slice(9) : "";
  if (chosen && !paths.some(([path]) => path === chosen)) paths.unshift([chosen, 0]);
  return (
    <select class="input property-picker" aria-label="Property that gives the colour" data-testid="colour-property" value={chosen} onChange={(event) => setLook({ by: event.currentTarget.value ? `property:${event.currentTarget.value}` : "alarm" })}>
      <option value="">Choose a property</option>
      {paths.map(([path, count]) => (
        <option key={path} value={path}>
          {path} ({count})
        </option>
      ))}
    </select>
  );
}

export function LegendBox({ by, twins }: { by: string; twins: string[] }) {
  const isReady = useUnits(by.startsWith("property:"));
  const [legend, setLegend] = useState<Legend>(() => legendOf(by, twins));
  useEffect(() => setLegend(legendOf(by, twins)), [by, twins.length, wall.value, moment.value, themeVersion.value, system.value, isReady]);
  return (
    <div class="legend" role="note" aria-label="What the colours mean" data-testid="legend">
      {legend.kind === "list" ? (
        legend.lines.map((line) => (
          <span key={line.words} class={`legend-line${line.count ? "" : " zero"}`}>
            <span class="legend-swatch" style={{ background: line.color }} />
            {line.words} <span class="meta">{line.count}</span>
          </span>
        ))
      ) : (
        <Ramp legend={legend} of={twins.length} />
      )}
    </div>
  );
}

function Ramp({ legend, of }: { legend: Extract<Legend, { kind: "scale" }>; of: number }) {
  const { scale, words, unit } = legend;
  if (!scale) return <span class="meta">No twin in the scene has a value of {words} at this moment.</span>;
  const [from, to] = rampEnds(scale.isBadLow);
  return (
    <>
      <strong class="ellipsis">{MODES.find(([mode]) => mode === words)?.[1] ?? words}</strong>
      {scale.low < scale.high ? (
        <>
          <span>{formatNumber(scale.low)}</span>
          <span class="legend-ramp" style={{ background: `linear-gradient(to right, ${from}, ${to})` }} />
        </>
      ) : (
        <span class="legend-swatch" style={{ background: from }} />
      )}
      <span>
        {formatNumber(scale.high)} {unit && <span class="unit">{unit}</span>}
      </span>
      <span class="meta">
        {scale.count} of {of} twins
      </span>
    </>
  );
}
