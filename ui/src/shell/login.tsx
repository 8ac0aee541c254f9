import { useEffect, useState } from "preact/hooks";
import { get, signIn } from "@/core/api.ts";
import type { LoginOptions } from "@/core/answers/installation.ts";
import { BASE, go, href, place } from "@/core/router.ts";
import { Icon } from "./icon.tsx";

const LOGIN = BASE + "login";

/** Why a person is here again, by the word that the server put into the address. */
const REASONS: Record<string, string> = {
  denied: "The log-in was given up, or refused, at the provider.",
  role: "You are known, but have no role here. Ask who runs Gemel to give you one.",
  provider: "The provider that you sign in with does not answer as it should. Try again in a moment, or use a link or a token. The server's log says more.",
  again: "The log-in took too long, or did not end where it began. Try again.",
};

export function Login() {
  const options = useOptions();
  const reason = place.value.search.get("reason") ?? "";
  if (options === undefined) return <main class="login" aria-busy="true" />;
  const { signOn } = options;
  return (
    <main class="login">
      <div class="card" data-testid="login">
        <div class="row">
          <Icon name="twins" />
          <h1>Sign in to Gemel</h1>
        </div>
        <p class="soft">{signOn ? "This plant is open to people with an account or a token." : "This plant is open to people with a token."}</p>
        {reason === "link" && (
          <p role="status">
            This link was used before or is too old. Make another with <code>gemel link</code>, or use a token.
          </p>
        )}
        {REASONS[reason] && (
          <p role="status" data-testid="login-reason">
            {REASONS[reason]}
          </p>
        )}
        {signOn && (
          <>
            <a class="button primary large" href={`/login/oidc?to=${encodeURIComponent(wanted())}`} data-testid="sign-on">
              Sign in with {signOn.label}
            </a>
            <div class="or" role="separator">
              or
            </div>
          </>
        )}
        <TokenForm isAlone={!signOn} />
      </div>
    </main>
  );
}

/** How one may log in; undefined until it is known. A server that does not say takes tokens. */
function useOptions(): LoginOptions | undefined {
  const [options, setOptions] = useState<LoginOptions>();
  useEffect(() => {
    get<LoginOptions>("/login/options").then(setOptions, () => setOptions({ signOn: null }));
  }, []);
  return options;
}

/** Where in the page one wanted to go. */
function wanted(): string {
  return location.pathname === LOGIN ? href("overview") : location.pathname + location.search;
}

function TokenForm({ isAlone }: { isAlone: boolean }) {
  const [token, setToken] = useState("");
  const [problem, setProblem] = useState("");
  const [isBusy, setBusy] = useState(false);
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
      if (location.pathname === LOGIN) go(href("overview"));
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
      setBusy(false);
    }
  };
  return (
    <form onSubmit={(event) => void submit(event)}>
      <div class="field">
        <label for="token">Token</label>
        <input id="token" class="input" type="password" autocomplete="current-password" autofocus={isAlone} spellcheck={false} placeholder="gml_…" value={token} aria-invalid={problem ? "true" : undefined} aria-describedby="token-help token-problem" onInput={(event) => setToken(event.currentTarget.value)} />
        <p id="token-problem" class="problem" role="alert">
          {problem}
        </p>
      </div>
      <button class={`button large${isAlone ? " primary" : ""}`} type="submit" aria-disabled={isBusy ? "true" : undefined}>
        {isBusy ? "Signing in…" : isAlone ? "Sign in" : "Sign in with the token"}
      </button>
      <p id="token-help" class="meta">
        No token? On the machine where Gemel runs: <code>gemel token create --role operator</code>
      </p>
    </form>
  );
}
