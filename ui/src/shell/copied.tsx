/** Text to be taken elsewhere, with a button that copies it. */

import { toast } from "@/core/toasts.ts";
import { Icon } from "./icon.tsx";

export function Copied({ text, words, testId }: { text: string; words: string; testId?: string }) {
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      toast("Copied");
    } catch {
      toast("This browser does not let the page copy: select the text and press Ctrl C.", true);
    }
  };
  return (
    <div class="copied">
      <span class="meta">{words}</span>
      <div class="row">
        <pre class="grow raw small" tabIndex={0} aria-label={words} data-testid={testId}>
          {text}
        </pre>
        <button type="button" class="button square" aria-label={`Copy: ${words}`} title="Copy" onClick={() => void copy()}>
          <Icon name="copy" />
        </button>
      </div>
    </div>
  );
}
