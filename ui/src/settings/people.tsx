/** Who may come in: tokens with a role each, made here and ended here; a secret is shown once. */

import { useState } from "preact/hooks";
import { get, may, me, post, remove } from "@/core/api.ts";
import { wall } from "@/core/clock.ts";
import { useResource } from "@/core/resource.ts";
import { formatMoment } from "@/core/words.ts";
import { blockedFrom } from "@/core/writing.ts";
import { ActionButton, Failed, SkeletonRows } from "@/shell/notices.tsx";
import { Copied } from "@/shell/copied.tsx";
import { attempt } from "./act.ts";
import { Text } from "./connectors.tsx";
import type { NewToken as Made, Role, Token } from "@/core/types.ts";

export function People() {
  const [version, setVersion] = useState(0);
  const mayRead = may("tokens:read");
  const { data, error, retry } = useResource(mayRead ? "tokens" : null, (abort) => get<{ value: Token[] }>("/tokens", abort), version);
  const roles = useResource("roles", (abort) => get<{ value: Role[] }>("/roles", abort));
  const renew = (): void => setVersion((old) => old + 1);
  return (
    <div class="stack settings-part">
      <p class="soft">
        You are <strong>{me.value?.name}</strong>, {me.value?.role}.{mayRead ? "" : " Only an admin sees who else may come in."}
      </p>
      {error && !data && <Failed error={error} what="The tokens" retry={retry} />}
      {mayRead && !data && !error && <SkeletonRows count={3} />}
      <ul class="stack">{data?.value.map((one) => <Line key={one.id} one={one} done={renew} />)}</ul>
      {mayRead && <NewToken roles={roles.data?.value.map((one) => one.role) ?? []} done={renew} />}
      <details>
        <summary>What each role may do</summary>
        <table class="plain">
          <tbody>
            {roles.data?.value.map((one) => (
              <tr key={one.role}>
                <th scope="row">{one.role}</th>
                <td class="meta">{one.permissions.join(", ")}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </div>
  );
}

function Line({ one, done }: { one: Token; done: () => void }) {
  const [problem, setProblem] = useState("");
  const [isSure, setSure] = useState(false);
  const end = async (): Promise<void> => setProblem(await attempt(() => remove(`/tokens/${one.id}`), `The token of ${one.name} is ended`, done));
  return (
    <li class="settings-row" data-testid="token" data-name={one.name}>
      <div class="grow stack" style={{ gap: "2px" }}>
        <strong>
          {one.name} <span class="tag">{one.role}</span>
        </strong>
        <span class="meta">
          {one.twins.length > 0 && `${one.twins.join(", ")} · `}since {formatMoment(Date.parse(one.created), wall.value)}
          {one.expires ? ` · until ${formatMoment(Date.parse(one.expires), wall.value)}` : ""}
        </span>
        {problem && (
          <span class="problem" role="alert">
            {problem}
          </span>
        )}
      </div>
      <ActionButton testId="token-end" label={isSure ? `Really end the token of ${one.name}` : `End the token of ${one.name}`} blocked={blockedFrom("tokens:write")} onAct={() => (isSure ? void end() : setSure(true))}>
        {isSure ? "Really end it" : "End"}
      </ActionButton>
    </li>
  );
}

function NewToken({ roles, done }: { roles: string[]; done: () => void }) {
  const [problem, setProblem] = useState("");
  const [role, setRole] = useState("operator");
  const [secret, setSecret] = useState("");
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const given = new FormData(form);
    const name = String(given.get("person") ?? "").trim();
    const body: Record<string, unknown> = { role, name };
    if (role === "device") body["twins"] = String(given.get("twins") ?? "").split(/[\s,]+/).filter(Boolean);
    const days = Number(given.get("days"));
    if (days > 0) body["days"] = days;
    setProblem(
      await attempt(
        async () => setSecret((await post<Made>("/tokens", body)).token),
        `A token for ${name} is made`,
        () => {
          form.reset();
          done();
        },
      ),
    );
  };
  return (
    <form class="stack" onSubmit={(event) => void submit(event)} data-testid="token-form">
      <h3>A new token</h3>
      {secret && <Copied text={secret} words="Shown this once: hand it over now" testId="token-secret" />}
      <Text name="person" words="For whom" placeholder="ann, or the device's name" isNeeded />
      <div class="field">
        <label for="settings-role">Role</label>
        <select id="settings-role" class="input" value={role} onChange={(event) => setRole(event.currentTarget.value)}>
          {roles.map((one) => (
            <option key={one} value={one}>
              {one}
            </option>
          ))}
        </select>
      </div>
      {role === "device" && <Text name="twins" words="Twins it may write, by id or pattern" placeholder="pump-1 line1-*" isNeeded />}
      <Text name="days" words="Valid for days (empty: until it is ended)" type="number" />
      <p class="problem" role="alert">
        {problem}
      </p>
      <div>
        <button class="button primary" type="submit" data-testid="token-make">
          Make a token
        </button>
      </div>
    </form>
  );
}
