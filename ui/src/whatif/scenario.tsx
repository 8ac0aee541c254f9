/** One scenario, or up to four side by side: figures, course, what they hang on, what was assumed. */

import { useState } from "preact/hooks";
import { serverNow } from "@/core/clock.ts";
import { useResource } from "@/core/resource.ts";
import { go, href } from "@/core/router.ts";
import { system } from "@/core/units.ts";
import { toast } from "@/core/toasts.ts";
import { formatMoment, parseTime } from "@/core/words.ts";
import { blockedFrom } from "@/core/writing.ts";
import { Icon } from "@/shell/icon.tsx";
import { ActionButton, Failed, Skeleton } from "@/shell/notices.tsx";
import { askedOf, cancel, drop, freshId, isUnderWay, keep, loadCompared, save, start } from "./data.ts";
import { Alarms, Happened, Kpis, Tornado } from "./figures.tsx";
import { PromoteDialog } from "./promote.tsx";
import { Sweep } from "./sweep.tsx";
import { Trend } from "./trend.tsx";
import type { Scenario, ScenariosCompared, SweepVary } from "@/core/types.ts";

interface Props {
  scenario: Scenario;
  others: string[];
  list: Scenario[];
}

const failed = (error: unknown): void => toast(error instanceof Error ? error.message : String(error), true);

export function ScenarioView({ scenario, others, list }: Props) {
  const run = scenario.result?.run ?? null;
  const key = run ? `compare ${scenario.id} ${run} ${others.join(",")}` : null;
  const found = useResource(key, (abort) => loadCompared(scenario.id, others, abort));
  return (
    <div class="whatif-scroll" data-testid="scenario" data-id={scenario.id}>
      <Head scenario={scenario} others={others} list={list} />
      <RunLine scenario={scenario} />
      {!scenario.result && !isUnderWay(scenario.run) && <p class="notice">It has not been run. Running it takes a few seconds and changes nothing in the plant.</p>}
      {found.error && !found.data && <Failed error={found.error} what="What it came to" retry={found.retry} />}
      {scenario.result && !found.data && !found.error && <Skeleton height={320} />}
      {found.data && <Results compared={found.data} vary={scenario.sweep?.vary ?? []} />}
    </div>
  );
}

function Head({ scenario, others, list }: Props) {
  const [isPromoting, setPromoting] = useState(false);
  const blocked = blockedFrom("runs:start");
  const busy = isUnderWay(scenario.run);
  const copy = async (): Promise<void> => {
    const id = freshId(scenario.title ? `${scenario.title} copy` : scenario.id, new Set(list.map((one) => one.id)));
    await save(id, { ...askedOf(scenario), title: `${scenario.title || scenario.id} (copy)` });
    go(href("what-if", id, { edit: "1" }));
  };
  const share = async (): Promise<void> => {
    await navigator.clipboard.writeText(location.href);
    toast("The address of this comparison is copied");
  };
  const pin = others[0] ? href("what-if", others[0], { with: [scenario.id, ...others.slice(1)].join(",") }) : "";
  return (
    <header class="whatif-head">
      <a class="button quiet square whatif-back" href={href("what-if")} aria-label="All scenarios">
        <Icon name="back" />
      </a>
      <div class="grow">
        <h2>{scenario.title || scenario.id}</h2>
        {scenario.about && <p class="soft">{scenario.about}</p>}
      </div>
      <div class="whatif-acts">
        {busy ? (
          <ActionButton blocked={blocked} testId="cancel-run" onAct={() => void cancel(scenario.run!.id).catch(failed)}>
            <Icon name="close" small /> Cancel
          </ActionButton>
        ) : (
          <ActionButton blocked={blocked} class="primary" testId="run-scenario" onAct={() => void start(scenario.id).catch(failed)}>
            <Icon name="play" small /> {scenario.result ? "Run again" : "Run"}
          </ActionButton>
        )}
        <ActionButton blocked={blocked} testId="edit-scenario" onAct={() => go(href("what-if", scenario.id, { edit: "1" }))}>
          <Icon name="edit" small /> Change
        </ActionButton>
        <ActionButton blocked={blocked} testId="duplicate" onAct={() => void copy().catch(failed)}>
          <Icon name="copy" small /> Duplicate
        </ActionButton>
        <button class="button" data-testid="share" onClick={() => void share().catch(failed)}>
          <Icon name="link" small /> Share
        </button>
        {pin && (
          <a class="button" href={pin} data-testid="pin-baseline">
            <Icon name="pin" small /> Next as baseline
          </a>
        )}
        {scenario.result && (
          <>
            <ActionButton blocked={blockedFrom("commands:send")} testId="promote" onAct={() => setPromoting(true)}>
              <Icon name="send" small /> Ask the plant
            </ActionButton>
            <ActionButton
              blocked={blockedFrom("services:write")}
              testId="keep"
              onAct={() =>
                void keep(scenario.id)
                  .then((kept) => toast(`${kept.series} series are in the history as ${kept.provenance}`))
                  .catch(failed)
              }
            >
              <Icon name="save" small /> {scenario.kept ? "Keep again" : "Keep"}
            </ActionButton>
          </>
        )}
        <ActionButton
          blocked={blocked}
          label="Drop this scenario"
          class="quiet"
          testId="drop"
          onAct={() =>
            void drop(scenario.id)
              .then(() => (toast("Dropped"), go(href("what-if"))))
              .catch(failed)
          }
        >
          <Icon name="trash" small /> Drop
        </ActionButton>
      </div>
      {isPromoting && <PromoteDialog scenario={scenario} close={() => setPromoting(false)} />}
    </header>
  );
}

function RunLine({ scenario }: { scenario: Scenario }) {
  const { run } = scenario;
  if (!run || run.state === "succeeded") return null;
  const isBad = run.state === "failed";
  return (
    <div class={`whatif-run${isBad ? " bad" : ""}`} role="status" data-testid="run-line" data-state={run.state}>
      <span>
        {run.state === "queued" ? "Waits for a worker" : run.state === "running" ? `Running: ${run.message || "beginning"}` : run.state === "failed" ? `It failed: ${run.error}` : "It was cancelled"}
        {run.hint && ` (${run.hint})`}
      </span>
      {isUnderWay(run) && <progress max={1} value={run.progress} aria-label="Progress" />}
    </div>
  );
}

function Results({ compared, vary }: { compared: ScenariosCompared; vary: SweepVary[] }) {
  const [first] = compared.scenarios;
  const [at, setAt] = useState<string | null>(null);
  if (!first) return null;
  const kpi = first.kpis.find((one) => one.id === at) ?? first.kpis[0];
  return (
    <>
      <section aria-label="Key figures" class="whatif-part">
        <Kpis compared={compared} chosen={kpi?.id ?? ""} choose={setAt} />
      </section>
      <div class="whatif-pair">
        <section aria-label="Course" class="whatif-part">
          <Trend compared={compared} wanted={kpi ? `${kpi.twin}.${kpi.property}` : ""} />
        </section>
        {kpi && (
          <section aria-label="What it hangs on" class="whatif-part">
            <h3>What "{kpi.title}" hangs on</h3>
            <Tornado kpi={kpi} />
          </section>
        )}
      </div>
      {first.sweep && (
        <section aria-label="Variants of the design" class="whatif-part">
          <Sweep scenario={first} vary={vary} />
        </section>
      )}
      <section aria-label="Alarms" class="whatif-part">
        <h3>Alarms that would come</h3>
        <Alarms compared={compared} />
      </section>
      <section aria-label="What happened" class="whatif-part">
        <h3>Held against what happened</h3>
        <Happened compared={compared} />
      </section>
      <section aria-label="Assumptions" class="whatif-part">
        <h3>Assumptions</h3>
        {system.value && <p class="meta">In the models' units, as it was asked and is stored.</p>}
        {compared.scenarios.map((one) => (
          <div key={one.id} class="whatif-assumed">
            <p>
              {compared.scenarios.length > 1 && <strong>{one.title}: </strong>}
              {one.changes.length ? one.changes.join("; ") : "nothing changed"}. From {moment(one.at)} to {moment(one.to)}, {one.members} draws, seed {one.seed}; bands hold 90 of 100 draws.
            </p>
            <ul>
              {one.assumptions.map((line) => (
                <li key={line}>{line}</li>
              ))}
            </ul>
          </div>
        ))}
      </section>
    </>
  );
}

const moment = (text: string): string => formatMoment(parseTime(text) ?? 0, serverNow());
