/** The kill switch: stops all automatic commands at once; an engineer lets them begin again. */

import { useState } from "preact/hooks";
import { may } from "@/core/api.ts";
import { turnSwitch } from "@/core/commands.ts";
import { toast } from "@/core/toasts.ts";
import { formatMoment } from "@/core/words.ts";
import { tick } from "@/core/clock.ts";
import { blockedFrom } from "@/core/writing.ts";
import { status } from "@/live/client.ts";
import { Dialog } from "@/shell/dialog.tsx";
import { Icon } from "@/shell/icon.tsx";
import { ActionButton } from "@/shell/notices.tsx";

export function KillSwitch() {
  const [isOpen, setOpen] = useState(false);
  const now = status.value?.killSwitch;
  const isStopped = now?.engaged ?? false;
  const blocked = isStopped && !may("commands:resume") ? "An engineer lets them begin again" : blockedFrom("commands:send");
  return (
    <>
      <ActionButton class={isStopped ? "" : "stop"} testId="kill-switch" blocked={blocked} label={isStopped ? "Resume automatic commands" : "Stop automatic commands"} onAct={() => setOpen(true)}>
        <Icon name={isStopped ? "play" : "pause"} small /> {isStopped ? "Resume automatic" : "Stop automatic"}
      </ActionButton>
      {isOpen && <SwitchDialog isStopped={isStopped} close={() => setOpen(false)} />}
    </>
  );
}

export function Stopped() {
  const now = status.value?.killSwitch;
  if (!now?.engaged) return null;
  return (
    <div class="banner stopped" role="status" data-testid="stopped">
      <Icon name="pause" />
      <span class="grow">
        <strong>Automatic commands are stopped</strong> by {now.who}
        {now.since ? `, ${formatMoment(Date.parse(now.since), tick.value)}` : ""}
        {now.reason ? `: ${now.reason}` : ""}
      </span>
    </div>
  );
}

function SwitchDialog({ isStopped, close }: { isStopped: boolean; close: () => void }) {
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState("");
  const turn = async (): Promise<void> => {
    try {
      await turnSwitch(!isStopped, reason);
      toast(isStopped ? "Automatic commands may begin again" : "All automatic commands are stopped");
      close();
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <Dialog title={isStopped ? "Let automatic commands begin again" : "Stop all automatic commands"} close={close} testId="switch-dialog">
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void turn();
        }}
      >
        <p>{isStopped ? "Rules and services may send commands again, as far as their level goes." : "Every automatic command that was not sent ends now, and no new one begins, until an engineer resumes. People's commands are not touched."}</p>
        <div class="field">
          <label for="switch-reason">Why</label>
          <input id="switch-reason" class="input" autocomplete="off" value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
        </div>
        <p class="problem" role="alert">
          {problem}
        </p>
        <div class="row end">
          <button type="button" class="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" class="button primary" data-testid="switch-turn">
            {isStopped ? "Resume" : "Stop them all"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
