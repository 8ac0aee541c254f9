/** What a command would do before it is sent, and what it was said to do beside what was measured. */

import { useEffect, useRef, useState } from "preact/hooks";
import { may } from "@/core/api.ts";
import { tick } from "@/core/clock.ts";
import { useResource } from "@/core/resource.ts";
import { href } from "@/core/router.ts";
import type { Behaviour, Command, Json, Scenario, ScenarioKpiShort, Twin } from "@/core/types.ts";
import { unitAsRead } from "@/core/units.ts";
import { formatClock } from "@/core/words.ts";
import { blockedFrom } from "@/core/writing.ts";
import { ActionButton, Failed } from "@/shell/notices.tsx";
import { loadBehaviours, loadCompared, loadScenarios, loadSeries, number, range, signed, signedRange } from "@/whatif/data.ts";
import { askedFor, effectId, effectOf, handleOf, latestMet, numberAsked, simulate } from "./effects.ts";
import { short } from "./words.ts";

interface Props {
  /** That the command will have. */
  id: string;
  twin: Twin;
  command: string;
  value: Json;
}

export function Effect({ id, twin, command, value }: Props) {
  const { data } = useResource(may("services:read") ? "behaviours" : null, loadBehaviours);
  const asked = numberAsked(value);
  const handle = data && handleOf(data, twin.id, command);
  if (!data || (handle && asked === null)) return null;
  if (!handle) return <p class="meta">No model of this twin says what {command} would do.</p>;
  return <Simulation key={`${command} ${asked}`} {...{ id, twin, command, value: asked!, behaviours: data }} />;
}

function Simulation({ id, twin, command, value, behaviours }: { id: string; twin: Twin; command: string; value: number; behaviours: Behaviour[] }) {
  const [progress, setProgress] = useState<number | null>(null);
  const [done, setDone] = useState<Scenario | null>(null);
  const [problem, setProblem] = useState("");
  const gone = useRef<AbortController | null>(null);
  useEffect(() => () => gone.current?.abort(), []);
  const run = async (): Promise<void> => {
    gone.current = new AbortController();
    setProblem("");
    setProgress(0);
    try {
      const handle = handleOf(behaviours, twin.id, command)!;
      const asked = askedFor(twin, `${command} ${short(value)} on ${twin.name || twin.id}`, handle, value);
      setDone(await simulate(effectId(id), asked, setProgress, gone.current.signal));
    } catch (error) {
      if (!gone.current.signal.aborted) setProblem(error instanceof Error ? error.message : String(error));
    }
    setProgress(null);
  };
  return (
    <div class="stack effect" data-testid="effect">
      {!done && (
        <ActionButton type="button" testId="simulate" blocked={progress === null ? blockedFrom("runs:start") : "It is being simulated"} onAct={() => void run()}>
          Simulate the effect
        </ActionButton>
      )}
      {progress !== null && <progress max={1} value={progress} aria-label="Progress of the simulation" />}
      {done && <Foreseen scenario={done} />}
      <p class="problem" role="alert">
        {problem}
      </p>
    </div>
  );
}

/** Key figures at the end of the hour, with the command and without. */
function Foreseen({ scenario }: { scenario: Scenario }) {
  return (
    <section aria-label="Simulated effect" data-testid="foreseen" role="status">
      <h3>Simulated, an hour ahead</h3>
      <dl class="facts effect-facts">
        {scenario.result!.kpis.map((kpi) => (
          <div class="fact" key={kpi.id}>
            <dt>{kpi.title}</dt>
            <dd>
              {number(kpi.baseline.mean, kpi.unit)} → <strong>{number(kpi.scenario.mean, kpi.unit)}</strong> <span class="unit">{unitAsRead(kpi.unit)}</span>
              <span class="meta">
                {differs(kpi)}
              </span>
            </dd>
          </div>
        ))}
      </dl>
      <p class="meta">
        Against the plant left alone. <a class="link" href={href("what-if", scenario.id)}>All of it in What-if</a>
      </p>
    </section>
  );
}

function differs({ difference, unit }: ScenarioKpiShort): string {
  if (difference.mean === null) return "what it would be without is not known";
  return `${signed(difference.mean, unit)}, ${difference.sure ? `in 90 of 100 draws ${signedRange(difference, unit)}` : "not sure"}`;
}

/** Beside the life of a command: the scenario that foresaw it, held against what was measured since. */
export function Foretold({ command }: { command: Command }) {
  const { data } = useResource(may("services:read") ? "scenarios of commands" : null, loadScenarios, command.id);
  const scenario = data ? effectOf(command, data) : null;
  return scenario && <Comparison scenario={scenario} command={command} />;
}

const EVERY = 15_000;

function Comparison({ scenario, command }: { scenario: Scenario; command: Command }) {
  const since = Date.parse(command.requested);
  const again = Math.floor(tick.value / EVERY);
  const { data, error, retry } = useResource(`effect ${scenario.id}`, (abort) => compared(scenario.id, abort), again);
  return (
    <section class="panel-part" aria-label="Foreseen and measured" data-testid="foretold">
      <h3>Foreseen and measured</h3>
      {error && !data && <Failed error={error} what="The comparison" retry={retry} />}
      <dl class="facts effect-facts">
        {data?.map(({ kpi, series }) => {
          const met = series.series[0] ? latestMet(series.time, series.series[0], since) : null;
          return (
            <div class="fact" key={kpi.id}>
              <dt>{kpi.title}</dt>
              <dd>
                {met ? (
                  <>
                    {number(met.mean, kpi.unit)} <span class="meta">foreseen</span> <strong>{number(met.measured, kpi.unit)}</strong> <span class="unit">{unitAsRead(kpi.unit)}</span>
                    <span class="meta">
                      {met.isInside ? "as foreseen" : "not as foreseen"}: {range(met, kpi.unit)}, at {formatClock(met.time)}
                    </span>
                  </>
                ) : (
                  <>
                    {number(kpi.scenario.mean, kpi.unit)} <span class="unit">{unitAsRead(kpi.unit)}</span> <span class="meta">foreseen at the end; not yet measured</span>
                  </>
                )}
              </dd>
            </div>
          );
        })}
      </dl>
      <p class="meta">
        <a class="link" href={href("what-if", scenario.id)}>
          {scenario.title}
        </a>
      </p>
    </section>
  );
}

async function compared(id: string, abort: AbortSignal) {
  const found = (await loadCompared(id, [], abort)).scenarios[0];
  return Promise.all((found?.kpis ?? []).slice(0, 6).map(async (kpi) => ({ kpi, series: await loadSeries(id, `${kpi.twin}.${kpi.property}`, abort) })));
}
