/** What gives the plant its colours on the overview, and what they mean where it is not an alarm. */

import { setSearch } from "@/core/router.ts";
import { LegendBox, MODES } from "@/plant/colours.tsx";

export const Legend = LegendBox;

/** `usual`: what the address need not say. */
export function ColourBy({ by, usual }: { by: string; usual: string }) {
  return (
    <div class="segments colour-by" role="group" aria-label="Colour by" data-testid="colour-by">
      {MODES.map(([mode, words]) => (
        <button key={mode} aria-pressed={by === mode} data-mode={mode} onClick={() => setSearch({ by: mode === usual ? null : mode })}>
          {words}
        </button>
      ))}
    </div>
  );
}
