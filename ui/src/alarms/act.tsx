/** One dialog for all that is done to alarms: what it means, a reason or comment, how long. */

import { useState } from "preact/hooks";
import { act, type Act } from "@/core/alarms.ts";
import { toast } from "@/core/toasts.ts";
import type { Alarm } from "@/core/types.ts";
import { Dialog } from "@/shell/dialog.tsx";

interface Words {
  title: string;
  button: string;
  label: string;
  isNeeded: boolean;
  about?: string;
}

const WORDS: Record<Act, Words> = {
  acknowledge: { title: "Acknowledge", button: "Acknowledge", label: "Comment (optional)", isNeeded: false },
  unacknowledge: { title: "Take the acknowledgement back", button: "Take it back", label: "Reason", isNeeded: true, about: "Everybody is told again, as if nobody had seen it." },
  shelve: { title: "Shelve", button: "Shelve", label: "Reason", isNeeded: true, about: "Nobody is told of it until the time is over, whatever happens." },
  unshelve: { title: "Take off the shelf", button: "Unshelve", label: "Comment (optional)", isNeeded: false, about: "If its condition holds, it counts as acknowledged by you." },
  "out-of-service": { title: "Take out of service", button: "Take out of service", label: "Reason", isNeeded: true, about: "Nobody is told of it until somebody returns it to service." },
  "return-to-service": { title: "Return to service", button: "Return to service", label: "Comment (optional)", isNeeded: false, about: "If its condition holds, everybody is told." },
  comment: { title: "Comment", button: "Add the comment", label: "Comment", isNeeded: true },
  clear: { title: "Clear by hand", button: "Clear", label: "Reason", isNeeded: true, about: "This ends the alarm although its condition may still hold. It is raised again if the rule fires again." },
};
const DURATIONS: [number, string][] = [
  [15 * 60, "15 min"],
  [3600, "1 h"],
  [4 * 3600, "4 h"],
  [8 * 3600, "8 h"],
  [24 * 3600, "1 day"],
  [7 * 86_400, "7 days"],
];

export function ActDialog({ what, alarms, close }: { what: Act; alarms: Alarm[]; close: () => void }) {
  const [text, setText] = useState("");
  const [seconds, setSeconds] = useState(3600);
  const [problem, setProblem] = useState("");
  const [isBusy, setBusy] = useState(false);
  const words = WORDS[what];
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (isBusy) return;
    if (words.isNeeded && !text.trim()) return setProblem(what === "comment" ? "Write something first." : "Say why: the reason is kept with the alarm.");
    setBusy(true);
    try {
      const refused = await act(what, alarms.map((alarm) => alarm.id), text.trim(), what === "shelve" ? seconds : 0);
      if (refused.length) toast(`${refused.length} of ${alarms.length} were refused: ${refused[0]}`, true);
      close();
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };
  const one = alarms.length === 1 ? alarms[0] : undefined;
  return (
    <Dialog title={words.title} close={close} testId={what === "shelve" ? "shelve-dialog" : "comment-dialog"}>
      <form class="stack" style={{ gap: "12px" }} onSubmit={(event) => void submit(event)}>
        <p>
          {one ? (
            <>
              <strong>{one.twinName || one.twin}</strong> {one.title}
            </>
          ) : (
            <strong>{alarms.length} alarms</strong>
          )}
        </p>
        {words.about && <p class="soft">{words.about}</p>}
        <div class="field">
          <label for="act-text">{words.label}</label>
          <textarea id="act-text" class="input" autofocus data-testid="comment-text" value={text} onInput={(event) => setText(event.currentTarget.value)} onKeyDown={(event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && void submit(event)} aria-describedby="act-problem" />
          <span id="act-problem" class="problem" role="alert">
            {problem}
          </span>
        </div>
        {what === "shelve" && (
          <fieldset class="durations">
            <legend>For how long</legend>
            {DURATIONS.map(([value, label]) => (
              <label key={value}>
                <input type="radio" name="duration" value={value} checked={seconds === value} onChange={() => setSeconds(value)} /> {label}
              </label>
            ))}
          </fieldset>
        )}
        <div class="row" style={{ justifyContent: "flex-end" }}>
          <button type="button" class="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" class="button primary" data-testid="comment-send" aria-disabled={isBusy || undefined}>
            {words.button}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
