import { useState } from "preact/hooks";
import { signIn } from "@/core/api.ts";
import { go, href, place } from "@/core/router.ts";
import { Icon } from "./icon.tsx";

export function Login() {
  const [token, setToken] = useState("");
  const [problem, setProblem] = useState("");
  const [isBusy, setBusy] = useState(false);
  const isAfterLink = place.value.search.get("reason") === "link";
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (!token.trim()) {
      setProblem("Paste a token first.");
      return;
    }
    setBusy(true);
    setProblem("");
    try {
      await signIn(token.trim());
      if (isAfterLink) go(href("overview"));
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
      setBusy(false);
    }
  };
  return (
    <main class="login">
      <form onSubmit={(event) => void submit(event)} data-testid="login">
        <div class="row">
          <Icon name="twins" />
          <h1>Sign in to Gemel</h1>
        </div>
        <p class="soft">This plant is open to people with a token.</p>
        {isAfterLink && (
          <p role="status">
            This link was used before or is too old. Make another with <code>gemel link</code>, or use a token.
          </p>
        )}
        <div class="field">
          <label for="token">Token</label>
          <input id="token" class="input" type="password" autocomplete="current-password" autofocus spellcheck={false} placeholder="gml_…" value={token} aria-invalid={problem ? "true" : undefined} aria-describedby="token-help token-problem" onInput={(event) => setToken(event.currentTarget.value)} />
          <p id="token-problem" class="problem" role="alert">
            {problem}
          </p>
        </div>
        <button class="button primary large" type="submit" aria-disabled={isBusy ? "true" : undefined}>
          {isBusy ? "Signing in…" : "Sign in"}
        </button>
        <p id="token-help" class="meta">
          No token? On the machine where Gemel runs: <code>gemel token create --role operator</code>
        </p>
      </form>
    </main>
  );
}
