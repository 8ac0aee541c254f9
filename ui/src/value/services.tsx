/** What computes beside the plant: services, what they have learnt and their runs; start, call off, roll back. */

import { useEffect, useState } from "preact/hooks";
import { get, post, put } from "@/core/api.ts";
import { serverNow } from "@/core/clock.ts";
import { useResource } from "@/core/resource.ts";
import { toast } from "@/core/toasts.ts";
import { formatMoment, formatPlain, parseTime } from "@/core/words.ts";
import { blockedFrom } from "@/core/writing.ts";
import { ActionButton, Empty, Failed, SkeletonRows } from "@/shell/notices.tsx";
import type { ServiceKind, ServiceRun, ServiceStatus, ServiceVersion, ServiceView } from "@/core/types.ts";

const LOOK_MS = 1000;
const path = (id: string): string => `/services/${encodeURIComponent(id)}`;
const list = <Row,>(from: string) => (abort: AbortSignal): Promise<{ value: Row[] }> => get<{ value: Row[] }>(from, abort);
const when = (text: string | null): string => (text ? formatMoment(parseTime(text) ?? 0, serverNow()) : "—");
const isUnderWay = (run: ServiceRun): boolean => run.state === "queued" || run.state === "running";

export function ServicesView() {
  const found = useResource("services", list<ServiceView>("/services"));
  const kinds = useResource("service kinds", list<ServiceKind>("/services/kinds"));
  if (found.error && !found.data) return <Failed error={found.error} what="The services" retry={found.retry} />;
  if (!found.data) return <SkeletonRows count={6} />;
  if (found.data.value.length === 0)
    return (
      <Empty title="No service is set up">
        <p>A service computes on what devices send: anomalies, remaining life, forecasts, calibrated behaviour. `gemel service put FILE` sets one up.</p>
      </Empty>
    );
  return (
    <ul class="value-services" data-testid="services">
      {found.data.value.map((one) => (
        <Service key={one.id} service={one} kind={kinds.data?.value.find((kind) => kind.kind === one.kind)} />
      ))}
    </ul>
  );
}

function Service({ service, kind }: { service: ServiceView; kind: ServiceKind | undefined }) {
  const [tick, setTick] = useState(0);
  const { data, error, retry } = useResource(`service ${service.id}`, (abort) => get<ServiceStatus>(`${path(service.id)}/status`, abort), String(tick));
  const isWaiting = (data?.runs ?? []).some(isUnderWay);
  useEffect(() => {
    if (!isWaiting) return undefined;
    const timer = setInterval(() => !document.hidden && setTick((old) => old + 1), LOOK_MS);
    return () => clearInterval(timer);
  }, [isWaiting]);
  const act = async (work: Promise<unknown>): Promise<void> => {
    try {
      await work;
    } catch (problem) {
      toast(problem instanceof Error ? problem.message : String(problem));
    }
    setTick((old) => old + 1);
  };
  const start = (run: string): Promise<void> => act(post("/runs", { service: service.id, run }));
  const use = (version: number): Promise<void> => act(put(`${path(service.id)}/version`, { version }));
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
              {run.run}
            </ActionButton>
          ))}
        </span>
      </div>
      {error && !data && <Failed error={error} what="How it fares" retry={retry} />}
      {!data && !error && <SkeletonRows count={2} />}
      {data && (
        <>
          <Knows status={data} />
          {data.versions.length > 0 && <Versions status={data} service={service} use={use} />}
          {data.runs.length > 0 && <Runs runs={data.runs} service={service} cancel={cancel} />}
        </>
      )}
    </li>
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

function Versions({ status, service, use }: { status: ServiceStatus; service: ServiceView; use: (version: number) => Promise<void> }) {
  return (
    <table class="value-versions">
      <caption>What it has learnt</caption>
      <thead>
        <tr>
          <th scope="col">Version</th>
          <th scope="col">Made</th>
          <th scope="col">Gate</th>
          <th scope="col">Scores</th>
          <th scope="col">In use</th>
        </tr>
      </thead>
      <tbody>
        {status.versions.map((one) => (
          <tr key={one.version} data-testid="service-version" data-version={one.version}>
            <th scope="row">{one.version}</th>
            <td>{when(one.made)}</td>
            <td>{one.passed ? "passed" : "not passed"}</td>
            <td class="soft">{scores(one)}</td>
            <td>
              {status.version === one.version ? (
                <span class="tag" data-testid="version-in-use">
                  In use
                </span>
              ) : (
                <ActionButton blocked={blockedFrom("services:write")} testId="use-version" label={`Take version ${one.version} of ${service.title} into use`} onAct={() => void use(one.version)}>
                  Use
                </ActionButton>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const scores = (one: ServiceVersion): string =>
  Object.entries(one.scores)
    .filter(([, value]) => typeof value === "number" || typeof value === "string" || typeof value === "boolean")
    .map(([name, value]) => `${name} ${formatPlain(value as number | string | boolean)}`)
    .join(", ") || "—";

function Runs({ runs, service, cancel }: { runs: ServiceRun[]; service: ServiceView; cancel: (run: string) => Promise<void> }) {
  return (
    <table class="value-runs">
      <caption>Its latest runs</caption>
      <thead>
        <tr>
          <th scope="col">Run</th>
          <th scope="col">Asked</th>
          <th scope="col">State</th>
          <th scope="col">By</th>
        </tr>
      </thead>
      <tbody>
        {runs.map((run) => (
          <tr key={run.id} data-testid="service-run" data-state={run.state}>
            <th scope="row">{run.run}</th>
            <td>{when(run.requested)}</td>
            <td>
              {isUnderWay(run) ? (
                <span class="row">
                  <progress value={run.progress} max={1} aria-label={`Progress of ${run.run}`} /> {run.message || run.state}
                  <ActionButton blocked={blockedFrom("runs:start")} testId="cancel-run" label={`Call ${run.run} of ${service.title} off`} onAct={() => void cancel(run.id)}>
                    Call off
                  </ActionButton>
                </span>
              ) : (
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
              )}
            </td>
            <td>{run.who}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
