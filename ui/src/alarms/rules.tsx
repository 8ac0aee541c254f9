/** The rules with what was thought when they were made (the rationalisation), and one to change. */

import { useState } from "preact/hooks";
import { get } from "@/core/api.ts";
import { useResource } from "@/core/resource.ts";
import { place, setSearch } from "@/core/router.ts";
import type { Page, Rule } from "@/core/types.ts";
import { blockedFrom } from "@/core/writing.ts";
import { Badge } from "@/shell/badge.tsx";
import { ActionButton, Failed, SkeletonRows } from "@/shell/notices.tsx";
import { RuleEditor } from "./rule-editor.tsx";

const NEW = "new";
const COLUMNS = [
  ["class", "Class"],
  ["cause", "Cause"],
  ["consequence", "Consequence"],
  ["response", "Response"],
] as const;
const EMPTY: Rule = { id: "", model: "", when: "", priority: 3, title: "", version: 0, isRunning: false, problem: "" };

export function Rules() {
  const [version, setVersion] = useState(0);
  const chosen = place.value.search.get("rule") ?? "";
  const { data, error, retry } = useResource("rules", (abort) => get<Page<Rule>>("/rules", abort), version);
  const rule = chosen === NEW ? EMPTY : data?.value.find((one) => one.id === chosen);
  const choose = (id: string | null): void => setSearch({ rule: id });
  return (
    <div class="figures rules" data-testid="alarm-rules">
      <ActionButton class="primary" testId="rule-new" blocked={blockedFrom("rules:write")} onAct={() => choose(NEW)}>
        A new rule
      </ActionButton>
      {rule && (
        <RuleEditor
          key={chosen}
          rule={rule}
          done={(id) => {
            setVersion((old) => old + 1);
            choose(id);
          }}
        />
      )}
      {error && !data && <Failed error={error} what="The rules" retry={retry} />}
      {!data && !error && <SkeletonRows count={4} />}
      {data && data.value.length === 0 && <p class="soft">There is no rule yet.</p>}
      {data && data.value.length > 0 && (
        <table class="plain sheet" aria-label="All rules and what was thought of each">
          <thead>
            <tr>
              {["Rule", "When", ...COLUMNS.map(([, label]) => label)].map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {data.value.map((one) => (
              <Line key={one.id} rule={one} isChosen={one.id === chosen} choose={() => choose(one.id)} />
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}

function Line({ rule, isChosen, choose }: { rule: Rule; isChosen: boolean; choose: () => void }) {
  return (
    <tr data-testid="rule" data-rule={rule.id} aria-current={isChosen || undefined}>
      <th scope="row">
        <Badge priority={rule.priority} />{" "}
        <button class="link" data-testid="rule-open" onClick={choose}>
          {rule.title}
        </button>
        <span class="meta">
          {rule.id}, version {rule.version}
        </span>
        {rule.problem && <span class="problem">{rule.problem}</span>}
      </th>
      <td>
        <code>{rule.when}</code>
      </td>
      {COLUMNS.map(([name, label]) => (
        <td key={name} data-name={label}>
          {rule[name]}
        </td>
      ))}
    </tr>
  );
}
