import { keyFor, setSingleKeys, SHORTCUTS, singleKeys } from "@/core/keys.ts";
import { Dialog } from "./dialog.tsx";

export function Shortcuts({ close }: { close: () => void }) {
  const groups = [...new Set(SHORTCUTS.map((one) => one.group))];
  return (
    <Dialog title="Keyboard shortcuts" close={close} testId="shortcuts">
      <div class="keys">
        {groups.map((group) => (
          <section key={group}>
            <h3>{group}</h3>
            <dl>
              {SHORTCUTS.filter((one) => one.group === group).map((one) => (
                <>
                  <dt>
                    {one.keys.split(" ").map((key) => (
                      <kbd key={key}>{key.length === 1 ? keyFor(key) : key}</kbd>
                    ))}
                  </dt>
                  <dd class="soft">{one.words}</dd>
                </>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <label class="row">
        <input type="checkbox" checked={singleKeys.value} onChange={(event) => setSingleKeys(event.currentTarget.checked)} />
        Single keys work as shortcuts
      </label>
    </Dialog>
  );
}
