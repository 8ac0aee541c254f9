import { useState } from "preact/hooks";
import { acknowledge, comment } from "@/core/alarms.ts";
import type { Alarm } from "@/core/types.ts";
import { Dialog } from "@/shell/dialog.tsx";

/** Acknowledging may carry a comment; a comment alone must say something. */
export function CommentDialog({ alarm, isAcknowledging, close }: { alarm: Alarm; isAcknowledging: boolean; close: () => void }) {
  const [text, setText] = useState("");
  const [problem, setProblem] = useState("");
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (!isAcknowledging && !text.trim()) {
      setProblem("Write something first.");
      return;
    }
    try {
      await (isAcknowledging ? acknowledge(alarm.id, text.trim()) : comment(alarm.id, text.trim()));
      close();
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <Dialog title={isAcknowledging ? "Acknowledge" : "Comment"} close={close} testId="comment-dialog">
      <form class="stack" style={{ gap: "12px" }} onSubmit={(event) => void submit(event)}>
        <p>
          <strong>{alarm.twinName || alarm.twin}</strong> {alarm.title}
        </p>
        <div class="field">
          <label for="comment">{isAcknowledging ? "Comment (optional)" : "Comment"}</label>
          <textarea id="comment" class="input" autofocus data-testid="comment-text" value={text} onInput={(event) => setText(event.currentTarget.value)} onKeyDown={(event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && void submit(event)} aria-describedby="comment-problem" />
          <span id="comment-problem" class="problem" role="alert">
            {problem}
          </span>
        </div>
        <div class="row" style={{ justifyContent: "flex-end" }}>
          <button type="button" class="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" class="button primary" data-testid="comment-send">
            {isAcknowledging ? "Acknowledge" : "Add the comment"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
