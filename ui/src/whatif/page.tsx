import "@/style/whatif.css";
import { useEffect, useState } from "preact/hooks";
import { isTyping, singleKeys, useKeys } from "@/core/keys.ts";
import { useResource } from "@/core/resource.ts";
import { go, href, place } from "@/core/router.ts";
import { unitAsRead } from "@/core/units.ts";
import { blockedFrom } from "@/core/writing.ts";
import { Icon } from "@/shell/icon.tsx";
import { ActionButton, Empty, Failed, SkeletonRows } from "@/shell/notices.tsx";
import { isEffect } from "@/commands/effects.ts";
import { isUnderWay, loadScenarios, signed, stateWords, version } from "./data.ts";
import { ScenarioForm } from "./form.tsx";
import { ScenarioView } from "./scenario.tsx";
import type { Scenario } from "@/core/types.ts";

const LOOK_MS = 600;
const MOST = 4;

export function WhatIfPage() {
  const { id, search } = place.value;
  const [tick, setTick] = useState(0);
  const found = useResource("scenarios", loadScenarios, `${version.value} ${tick}`);
  const list = found.data ?? [];
  const effects = list.filter(isEffect);
  const asked = list.filter((one) => !isEffect(one));
  const isWaiting = list.some((one) => isUnderWay(one.run));
  useEffect(() => {
    if (!isWaiting) return undefined;
    const timer = setInterval(() => !document.hidden && setTick((old) => old + 1), LOOK_MS);
    return () => clearInterval(timer);
  }, [isWaiting]);
  const isNew = search.get("edit") === "new";
  const isEdited = search.get("edit") === "1";
  const chosen = list.find((one) => one.id === id);
  const others = (search.get("with") ?? "").split(",").filter((one) => one && one !== id);
  useListKeys([...asked, ...effects], id);
  const blocked = blockedFrom("runs:start");
  return (
    <div class={`whatif${id || isNew ? " has-detail" : ""}`}>
      <section class="whatif-list" aria-label="Scenarios">
        <div class="page-head">
          <h1>What-if</h1>
          <span class="push row">
            <ActionButton blocked={blocked} testId="new-scenario" onAct={() => go(href("what-if", "", { edit: "new" }))}>
              <Icon name="plus" small /> New
            </ActionButton>
          </span>
        </div>
        {found.error && !found.data && <Failed error={found.error} what="The scenarios" retry={found.retry} />}
        {!found.data && !found.error && <SkeletonRows count={4} height={56} />}
        {found.data && list.length === 0 && (
          <Empty title="Nothing was asked yet">
            <p>A scenario forks a part of the plant, changes something and runs on: what would it save, would an alarm come?</p>
          </Empty>
        )}
        <ul class="whatif-lines">
          {asked.map((one) => (
            <Line key={one.id} one={one} chosen={id} others={others} />
          ))}
        </ul>
        {effects.length > 0 && (
          <details class="whatif-effects" data-testid="effects" open={effects.some((one) => one.id === id)}>
            <summary>
              Effects of commands <span class="meta">{effects.length}</span>
            </summary>
            <ul class="whatif-lines">
              {effects.map((one) => (
                <Line key={one.id} one={one} chosen={id} others={others} />
              ))}
            </ul>
          </details>
        )}
      </section>
      <section class="whatif-main" aria-label={chosen ? `Scenario ${chosen.title || chosen.id}` : "Scenario"}>
        {isNew && <ScenarioForm key="new" list={list} />}
        {!isNew && chosen && isEdited && <ScenarioForm key={`edit ${chosen.id}`} list={list} scenario={chosen} />}
        {!isNew && chosen && !isEdited && <ScenarioView key={chosen.id} scenario={chosen} others={others} list={list} />}
        {!isNew && id && found.data && !chosen && <Empty title={`There is no scenario '${id}'`}>{<a class="link" href={href("what-if")}>All scenarios</a>}</Empty>}
        {!isNew && !id && found.data && list.length > 0 && (
          <Empty title="Choose a scenario">
            <p>Run one to see what would come of it beside the plant left alone, with how sure that is.</p>
          </Empty>
        )}
      </section>
    </div>
  );
}

function Line({ one, chosen, others }: { one: Scenario; chosen: string; others: string[] }) {
  const isChosen = one.id === chosen;
  const isBeside = others.includes(one.id);
  const first = one.result?.kpis[0];
  const toggled = isBeside ? others.filter((other) => other !== one.id) : [...others, one.id];
  const isFull = !isBeside && others.length >= MOST - 1;
  return (
    <li class={`whatif-line${isChosen ? " chosen" : ""}`} data-testid="scenario-line" data-id={one.id}>
      <a href={href("what-if", one.id)} aria-current={isChosen ? "true" : undefined}>
        <strong class="ellipsis">{one.title || one.id}</strong>
        <span class="meta ellipsis">
          {one.twins.join(", ")} · {one.hours} h · <span data-testid="scenario-state">{stateWords(one)}</span>
        </span>
        {first && (
          <span class="meta ellipsis">
            {first.title}: {signed(first.difference.mean, first.unit)} {unitAsRead(first.unit)}
          </span>
        )}
        {isUnderWay(one.run) && <progress max={1} value={one.run!.progress} aria-label={`Progress of ${one.title || one.id}`} />}
      </a>
      {chosen && !isChosen && one.result && (
        <button class="button quiet square" aria-pressed={isBeside} aria-disabled={isFull ? "true" : undefined} title={isFull ? "At most four are compared" : isBeside ? "Compare no more" : "Compare with this one"} aria-label={`Compare with ${one.title || one.id}`} data-testid="compare-toggle" onClick={() => !isFull && go(href("what-if", chosen, { with: toggled.join(",") }))}>
          <Icon name="columns" small />
        </button>
      )}
    </li>
  );
}

function useListKeys(list: Scenario[], id: string): void {
  useKeys((event) => {
    if (isTyping(event) || !singleKeys.value || event.ctrlKey || event.metaKey || event.altKey) return false;
    const at = list.findIndex((one) => one.id === id);
    const next = event.key === "j" ? list[Math.min(list.length - 1, at + 1)] : event.key === "k" ? list[Math.max(0, at - 1)] : undefined;
    if (next) return go(href("what-if", next.id)), true;
    if (event.key === "n") return go(href("what-if", "", { edit: "new" })), true;
    if (event.key === "Escape" && id) return go(href("what-if")), true;
    return false;
  });
}
