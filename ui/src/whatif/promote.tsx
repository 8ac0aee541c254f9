/** From a scenario to the plant: what the guards say first, then the asking. */

import { useEffect, useState } from "preact/hooks";
import { nameOf } from "@/core/plant.ts";
import { href } from "@/core/router.ts";
import { toast } from "@/core/toasts.ts";
import { system } from "@/core/units.ts";
import { plural } from "@/core/words.ts";
import { Dialog } from "@/shell/dialog.tsx";
import { Skeleton } from "@/shell/notices.tsx";
import { promote } from "./data.ts";
import type { Promotion, Scenario } from "@/core/types.ts";

const WORDS: Record<string, string> = { queued: "would be sent", awaiting: "would wait for another person", pending: "would be asked for", refused: "is refused" };
const DONE: Record<string, string> = { queued: "is on its way", awaiting: "waits for another person", pending: "is asked for", refused: "was refused" };

export function PromoteDialog({ scenario, close }: { scenario: Scenario; close: () => void }) {
  const [found, setFound] = useState<Promotion | null>(null);
  const [problem, setProblem] = useState("");
  const say = (error: unknown): void => setProblem(error instanceof Error ? error.message : String(error));
  useEffect(() => {
    promote(scenario.id, true).then(setFound).catch(say);
  }, [scenario.id]);
  const ask = async (): Promise<void> => {
    try {
      const answer = await promote(scenario.id, false);
      setFound(answer);
      const refused = answer.asked.filter((one) => one.state === "refused").length;
      toast(refused ? `${refused} of ${answer.asked.length} were refused` : `${plural(answer.asked.length, "value")} asked for`, refused > 0);
    } catch (error) {
      say(error);
    }
  };
  const isAsked = found !== null && !found.dryRun;
  const can = found !== null && found.dryRun && found.asked.some((one) => one.state !== "refused");
  const foot = (
    <>
      <button class="button" onClick={close}>
        {isAsked ? "Done" : "Cancel"}
      </button>
      {!isAsked && (
        <button class="button primary" data-testid="promote-ask" aria-disabled={can ? undefined : "true"} onClick={() => can && void ask()}>
          Ask for it
        </button>
      )}
    </>
  );
  return (
    <Dialog title="Ask the plant for this" close={close} testId="promote-dialog" foot={foot}>
      <p class="soft">Each value is asked for by itself, past the guards that every command passes{system.value && "; the values are those that are sent, in the models' units"}.</p>
      {!found && !problem && <Skeleton height={80} />}
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {found && (
        <ul class="whatif-asked">
          {found.asked.map((one) => (
            <li key={`${one.twin} ${one.property}`} data-testid="promoted" data-state={one.state}>
              <strong>
                {nameOf(one.twin)}: {one.property} = {one.value}
              </strong>{" "}
              {(isAsked ? DONE : WORDS)[one.state] ?? one.state}
              {one.command && ` by the command ${one.command}`}
              {one.id && (
                <>
                  {" "}
                  <a class="link" href={href("commands", one.id)}>
                    open it
                  </a>
                </>
              )}
              {one.error && (
                <span class="problem">
                  {one.error} {one.hint && `(${one.hint})`}
                </span>
              )}
            </li>
          ))}
          {found.left.map((one) => (
            <li key={`${one.twin} ${one.property}`} class="soft">
              {nameOf(one.twin)}: {one.property} is left out: {one.why}
            </li>
          ))}
        </ul>
      )}
    </Dialog>
  );
}
