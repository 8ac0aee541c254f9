/** Settings over any page: what the installation is, who may use it, and how this device shows it. */

import { place, setSearch } from "@/core/router.ts";
import { Dialog } from "@/shell/dialog.tsx";
import { Connectors } from "./connectors.tsx";
import { Exports } from "./exports.tsx";
import { Installation } from "./installation.tsx";
import { Shifts } from "./shifts.tsx";
import { KeysSection } from "./keys.tsx";
import { Look } from "./look.tsx";
import { People } from "./people.tsx";
import "@/style/settings.css";

const PARTS = [
  ["look", "Look and time", Look],
  ["keys", "Keyboard", KeysSection],
  ["connectors", "Connectors", Connectors],
  ["exports", "Exports", Exports],
  ["people", "People and devices", People],
  ["shifts", "Shifts", Shifts],
  ["installation", "Installation", Installation],
] as const;

export function SettingsSheet() {
  const asked = place.value.search.get("settings");
  const [name, words, Part] = PARTS.find(([one]) => one === asked) ?? PARTS[0];
  return (
    <Dialog title="Settings" close={() => setSearch({ settings: null })} testId="settings" kind="wide">
      <div class="settings">
        <nav aria-label="Parts of the settings">
          {PARTS.map(([one, title]) => (
            <button key={one} class="button quiet" aria-current={one === name ? "true" : undefined} data-testid={`settings-${one}`} onClick={() => setSearch({ settings: one })}>
              {title}
            </button>
          ))}
        </nav>
        <section aria-label={words} data-testid={`part-${name}`}>
          <Part />
        </section>
      </div>
    </Dialog>
  );
}
