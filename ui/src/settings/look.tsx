import { colours, setTheme, theme, type Theme } from "@/core/theme.ts";
import { useEffect } from "preact/hooks";
import { askXr, xrSupport } from "@/core/xr.ts";
import { wall } from "@/core/clock.ts";
import { system } from "@/core/units.ts";
import { formatClock, formatDay, zoneName } from "@/core/words.ts";
import { zone, zones } from "@/core/zone.ts";
import { LookChooser } from "@/overview/chooser.tsx";
import { Badge } from "@/shell/badge.tsx";

const THEMES: [Theme, string][] = [
  ["system", "As the system"],
  ["dark", "Dark"],
  ["light", "Light"],
];

export function Look() {
  const now = wall.value;
  useEffect(() => void askXr(), []);
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (
    <div class="stack settings-part">
      <p class="meta">Kept on this device.</p>
      <Choice legend="Theme" name="theme" options={THEMES} value={theme.value} change={setTheme} />
      <Choice
        legend="Colours"
        name="colours"
        options={[
          ["standard", "Standard"],
          ["safe", "For eyes that tell few hues apart"],
        ]}
        value={colours.value}
        change={(next) => (colours.value = next)}
      />
      <p class="row" aria-label="The four priorities in these colours">
        {[1, 2, 3, 4].map((priority) => (
          <Badge key={priority} priority={priority} />
        ))}
      </p>
      <div class="field">
        <label for="settings-overview">The overview is for</label>
        <LookChooser id="settings-overview" />
      </div>
      <div class="field">
        <label for="settings-zone">Time zone</label>
        <select id="settings-zone" class="input" data-testid="zone" value={zone.value} onChange={(event) => (zone.value = event.currentTarget.value)}>
          <option value="">As this device ({own})</option>
          {zones().map((one) => (
            <option key={one} value={one}>
              {one}
            </option>
          ))}
        </select>
        <span class="meta" data-testid="zone-now">
          Now {formatDay(now)} {formatClock(now)} {zoneName(now)}
        </span>
      </div>
      <div class="field">
        <label for="settings-units">Units that values are read in</label>
        <select id="settings-units" class="input" data-testid="units" value={system.value} onChange={(event) => (system.value = event.currentTarget.value)}>
          <option value="">As the models say</option>
          <option value="us">US customary: °F, psi, gal/min</option>
          <option value="metric">Metric: °C, bar, l/min</option>
        </select>
        <span class="meta">What you type, rules, what-if and saved readings stay in the models' units.</span>
      </div>
      <dl class="facts" data-testid="xr-support">
        {(["vr", "ar"] as const).map((mode) => (
          <div class="fact" key={mode}>
            <dt>{mode === "vr" ? "VR" : "AR"} in Plant 3D</dt>
            <dd>{xrSupport.value[mode] || "Ready: the button stands beside the scene"}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

interface ChoiceProps<T extends string> {
  legend: string;
  name: string;
  options: readonly (readonly [T, string])[];
  value: T;
  change: (next: T) => void;
}

function Choice<T extends string>({ legend, name, options, value, change }: ChoiceProps<T>) {
  return (
    <fieldset class="choice">
      <legend>{legend}</legend>
      {options.map(([one, words]) => (
        <label key={one} class="row">
          <input type="radio" name={name} value={one} checked={one === value} onChange={() => change(one)} />
          {words}
        </label>
      ))}
    </fieldset>
  );
}
