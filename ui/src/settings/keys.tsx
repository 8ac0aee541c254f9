import { useState } from "preact/hooks";
import { keyFor, MOVABLE, moved, moveKey, resetKeys, setSingleKeys, singleKeys } from "@/core/keys.ts";

export function KeysSection() {
  const [problem, setProblem] = useState("");
  return (
    <div class="stack settings-part">
      <p class="meta">Kept on this device. Keys with Ctrl always work.</p>
      <label class="row">
        <input type="checkbox" data-testid="keys-on" checked={singleKeys.value} onChange={(event) => setSingleKeys(event.currentTarget.checked)} />
        Single keys work as shortcuts
      </label>
      <p class="problem" role="alert">
        {problem}
      </p>
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">Key</th>
            <th scope="col">Does</th>
          </tr>
        </thead>
        <tbody>
          {[...MOVABLE].map(([key, words]) => (
            <tr key={key}>
              <td>
                <input class="input key" aria-label={`Key for ${words}`} data-testid={`key-${key}`} maxLength={1} value={keyFor(key)} onFocus={(event) => event.currentTarget.select()} onInput={(event) => {
                    const box = event.currentTarget;
                    if (!box.value) return;
                    setProblem(moveKey(key, box.value));
                    box.value = keyFor(key);
                  }}
                />
              </td>
              <td>{words}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <div>
        <button class="button" aria-disabled={moved.value.size === 0 ? "true" : undefined} data-testid="keys-reset" onClick={resetKeys}>
          As they were
        </button>
      </div>
    </div>
  );
}
