/** What computes beside the plant: services, what they have learnt and their runs; start, call off, roll back. */

import { useEffect, useState } from "preact/hooks";
import { get, post } from "@/core/api.ts";
import { useResource } from "@/core/resource.ts";
import { toast } from "@/core/toasts.ts";
import { formatPlain } from "@/core/words.ts";
import { blockedFrom } from "@/core/writing.ts";
import { ActionButton, Empty, Failed, SkeletonRows } from "@/shell/notices.tsx";
import type { ServiceKind, ServiceRun, ServiceStatus, ServiceView } from "@/core/types.ts";
import { RunResult } from "./results.tsx";
import { named, StartDialog } from "./start.tsx";
import { loadStatus, Versions, when } from "./versions.tsx";

const LOOK_MS = 1000;
const list = <Row,>(from: string) => (abort: AbortSignal): Promise<{ value: Row[] }> => get<{ value: Row[] }>(from, abort);
const isUnderWay = (run: ServiceRun): boolean => run.state === "queued" || run.state === "running";

export function ServicesView() {
  const found = useResource("services", list<ServiceView>("/services"));
  const kinds = useResource("service kinds", list<ServiceKind>("/services/kinds"));
  if (found.error && !found.data) return <Failed error={found.error} what="The services" retry={found.retry} />;
  if (!found.data) return <SkeletonRows count={6} />;
  return (
    <div class="value-services">
      {found.data.value.length === 0 && (
        <Empty title="No service is set up">
          <p>A service computes on what devices send: anomalies, remaining life, forecasts, calibrated behaviour. `gemel service put FILE` sets one up.</p>
        </Empty>
      )}
      <ul data-testid="services">
        {found.data.value.map((one) => (
          <Service key={one.id} service={one} kind={kinds.data?.value.find((kind) => kind.kind === one.kind)} />
        ))}
      </ul>
      <FreeRuns kinds={kinds.data?.value ?? []} />
    </div>
  );
}

function Service({ service, kind }: { service: ServiceView; kind: ServiceKind | undefined }) {
  const [tick, setTick] = useState(0);
  const { data, error, retry } = useResource(`service ${service.id}`, (abort) => loadStatus(service.id, abort), tick);
  const [isAsking, setAsking] = useState(false);
  const look = (): void => setTick((old) => old + 1);
  useLooking((data?.runs ?? []).some(isUnderWay), look);
  const act = (work: Promise<unknown>): Promise<void> => tried(work).then(look);
  const start = (run: string): Promise<void> => act(post("/runs", { service: service.id, run }));
  const cancel = (run: string): Promise<void> => act(post(`/runs/${encodeURIComponent(run)}/cancel`));
  const state = service.problem || (service.isRunning ? "Running" : service.enabled ? "Runs when asked" : "Turned off");
  return (
    <li class="value-service" data-testid="service" data-id={service.id}>
      <div class="row wrap">
        <h2>{service.title}</h2>
        <span class="meta">
          {service.kind} · {service.id} · {service.autonomy}
        </span>
        <span class="tag">{state}</span>
        <span class="push row wrap">
          {(kind?.runs ?? []).map((run) => (
            <ActionButton key={run.run} blocked={blockedFrom("runs:start")} testId={`start-${run.run}`} label={`Start ${run.run} of ${service.title}: ${run.about}`} onAct={() => void start(run.run)}>
              {named(run.run)}
            </ActionButton>
          ))}
          {kind && kind.runs.length > 0 && (
            <ActionButton blocked={blockedFrom("runs:start")} testId="start-with" label={`Run with… other parameters: ${service.title}`} onAct={() => setAsking(true)}>
              Run with…
            </ActionButton>
          )}
        </span>
      </div>
      {isAsking && kind && <StartDialog service={service} kinds={[kind]} close={() => setAsking(false)} done={look} />}
      {error && !data && <Failed error={error} what="How it fares" retry={retry} />}
      {!data && !error && <SkeletonRows count={2} />}
      {data && (
        <>
          <Knows status={data} />
          {data.versions.length > 0 && <Versions status={data} service={service} changed={look} />}
          {data.runs.length > 0 && <Runs runs={data.runs} of={service.title} cancel={cancel} />}
        </>
      )}
    </li>
  );
}

/** Looks again while something is under way. */
function useLooking(isWaiting: boolean, look: () => void): void {
  useEffect(() => {
    if (!isWaiting) return undefined;
    const timer = setInterval(() => !document.hidden && look(), LOOK_MS);
    return () => clearInterval(timer);
  }, [isWaiting]);
}

async function tried(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (problem) {
    toast(problem instanceof Error ? problem.message : String(problem));
  }
}

/** Studies and one-off questions: advice, savings, a forecast of some twins. Scenarios have a page of their own. */
function FreeRuns({ kinds }: { kinds: ServiceKind[] }) {
  const [tick, setTick] = useState(0);
  const [isAsking, setAsking] = useState(false);
  const { data, error, retry } = useResource("runs", list<ServiceRun>("/runs"), tick);
  const runs = (data?.value ?? []).filter((one) => !one.service && one.kind !== "whatif");
  const look = (): void => setTick((old) => old + 1);
  useLooking(runs.some(isUnderWay), look);
  const cancel = (run: string): Promise<void> => tried(post(`/runs/${encodeURIComponent(run)}/cancel`)).then(look);
  const able = kinds.filter((one) => one.kind !== "whatif" && one.runs.length > 0);
  return (
    <section class="value-service" aria-label="Runs without a service" data-testid="free-runs">
      <div class="row wrap">
        <h2>Runs without a service</h2>
        <span class="meta">advice on fidelity, savings, a forecast of some twins</span>
        <span class="push">
          <ActionButton blocked={blockedFrom("runs:start")} testId="start-free" label="Run with… parameters of its own, without a service" onAct={() => setAsking(true)}>
            Run with…
          </ActionButton>
        </span>
      </div>
      {isAsking && <StartDialog service={null} kinds={able} close={() => setAsking(false)} done={look} />}
      {error && !data && <Failed error={error} what="The runs" retry={retry} />}
      {!data && !error && <SkeletonRows count={1} />}
      {data && runs.length === 0 && <p class="muted">None was started.</p>}
      {runs.length > 0 && <Runs runs={runs} of="" cancel={cancel} />}
    </section>
  );
}

function Knows({ status }: { status: ServiceStatus }) {
  const said = Object.entries(status.knows).filter(([, value]) => typeof value === "number" || typeof value === "boolean");
  return (
    <dl class="facts value-knows">
      <Fact name="twins" value={status.twins} />
      <Fact name="readings" value={status.readings} />
      {said.map(([name, value]) => (
        <Fact key={name} name={name} value={value as number | boolean} />
      ))}
    </dl>
  );
}

function Fact({ name, value }: { name: string; value: number | boolean }) {
  return (
    <div class="fact">
      <dt>{name.replace(/([A-Z])/g, " $1").toLowerCase()}</dt>
      <dd>{formatPlain(value)}</dd>
    </div>
  );
}

function Runs({ runs, of, cancel }: { runs: ServiceRun[]; of: string; cancel: (run: string) => Promise<void> }) {
  const [open, setOpen] = useState("");
  return (
    <>
      <table class="value-runs">
        <caption>Its latest runs</caption>
        <thead>
          <tr>
            <th scope="col">Run</th>
            <th scope="col">Asked</th>
            <th scope="col">State</th>
            <th scope="col">By</th>
            <th scope="col">Result</th>
          </tr>
        </thead>
        <tbody>
          {runs.map((run) => (
            <tr key={run.id} data-testid="service-run" data-state={run.state} data-run={run.run}>
              <th scope="row">{of ? run.run : `${run.kind} ${run.run}`}</th>
              <td>{when(run.requested)}</td>
              <td>
                <RunState run={run} of={of} cancel={cancel} />
              </td>
              <td>{run.who}</td>
              <td>
                {run.state === "succeeded" && (
                  <button class="button" aria-expanded={open === run.id} aria-label={`${open === run.id ? "Hide" : "Show"} the result of ${run.run}, ${when(run.requested)}`} data-testid="show-result" onClick={() => setOpen(open === run.id ? "" : run.id)}>
                    {open === run.id ? "Hide" : "Show"}
                  </button>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {runs.filter((one) => one.id === open).map((one) => (
        <RunResult key={one.id} run={one} />
      ))}
    </>
  );
}

function RunState({ run, of, cancel }: { run: ServiceRun; of: string; cancel: (run: string) => Promise<void> }) {
  if (isUnderWay(run))
    return (
      <span class="row">
        <progress value={run.progress} max={1} aria-label={`Progress of ${run.run}`} /> {run.message || run.state}
        <ActionButton blocked={blockedFrom("runs:start")} testId="cancel-run" label={`Call off: ${run.run}${of && ` of ${of}`}`} onAct={() => void cancel(run.id)}>
          Call off
        </ActionButton>
      </span>
    );
  return (
    <>
      {run.state}
      {run.fit !== null && <span class="meta"> made version {run.fit}</span>}
      {run.error && (
        <span class="soft">
          {" "}
          {run.error}
          {run.hint && ` (${run.hint})`}
        </span>
      )}
    </>
  );
}
