/** What a service has learnt: each version with its gate and scores; one that was in use can be again. */

import "@/style/value.css";
import { useState } from "preact/hooks";
import { get, put } from "@/core/api.ts";
import { serverNow } from "@/core/clock.ts";
import { useResource } from "@/core/resource.ts";
import { toast } from "@/core/toasts.ts";
import type { ServiceStatus, ServiceVersion, ServiceView } from "@/core/types.ts";
import { formatMoment, formatPlain, parseTime } from "@/core/words.ts";
import { blockedFrom } from "@/core/writing.ts";
import { Dialog } from "@/shell/dialog.tsx";
import { ActionButton, Failed, SkeletonRows } from "@/shell/notices.tsx";
import { loadResult, parametersOf, percent, type Row } from "./results.tsx";

export const servicePath = (id: string): string => `/services/${encodeURIComponent(id)}`;
export const when = (text: string | null): string => (text ? formatMoment(parseTime(text) ?? 0, serverNow()) : "—");

export const loadStatus = (id: string, abort?: AbortSignal): Promise<ServiceStatus> => get<ServiceStatus>(`${servicePath(id)}/status`, abort);

interface Props {
  status: ServiceStatus;
  service: ServiceView;
  /** Another version is in use. */
  changed: () => void;
  /** Whose parameters are shown; without, none. */
  twin?: string;
}

export function Versions({ status, service, changed, twin }: Props) {
  const [asked, setAsked] = useState<ServiceVersion | null>(null);
  const isCalibrated = twin !== undefined && service.kind === "behaviour";
  return (
    <>
      <table class="value-versions">
        <caption>What it has learnt</caption>
        <thead>
          <tr>
            <th scope="col">Version</th>
            <th scope="col">Made</th>
            <th scope="col">Gate</th>
            <th scope="col">{isCalibrated ? "Parameters, one deviation" : "Scores"}</th>
            <th scope="col">Now</th>
          </tr>
        </thead>
        <tbody>
          {status.versions.map((one) => (
            <tr key={one.version} data-testid="service-version" data-version={one.version}>
              <th scope="row">{one.version}</th>
              <td>
                {when(one.made)} <span class="meta">by {one.who}</span>
              </td>
              <td>{one.passed ? "passed" : "not passed"}</td>
              <td class="soft">{isCalibrated ? <Calibrated version={one} twin={twin} /> : scores(one)}</td>
              <td>
                {status.version === one.version ? (
                  <span class="tag" data-testid="version-in-use">
                    In use
                  </span>
                ) : (
                  <span class="row">
                    <span class="meta">{standing(one, status.version)}</span>
                    <ActionButton blocked={blockedFrom("services:write")} testId="use-version" label={`${wordOf(one, status.version)} version ${one.version} of ${service.title}`} onAct={() => setAsked(one)}>
                      {wordOf(one, status.version)}
                    </ActionButton>
                  </span>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {asked && <UseDialog version={asked} from={status.version} service={service} close={() => setAsked(null)} done={changed} />}
    </>
  );
}

const wordOf = (one: ServiceVersion, inUse: number | null): string => (inUse !== null && one.version < inUse ? "Roll back to" : "Use");

/** What became of a version that is not in use. */
const standing = (one: ServiceVersion, inUse: number | null): string => (!one.passed ? "kept, not used" : inUse !== null && one.version > inUse ? "rolled back" : "replaced");

const scores = (one: ServiceVersion): string =>
  Object.entries(one.scores)
    .filter(([, value]) => typeof value === "number" || typeof value === "string" || typeof value === "boolean")
    .map(([name, value]) => `${name} ${formatPlain(value as number | string | boolean)}`)
    .join(", ") || "—";

function Calibrated({ version, twin }: { version: ServiceVersion; twin: string }) {
  const { data, error } = useResource(`result ${version.run}`, loadResult(version.run));
  if (error && !data) return <>{scores(version)} (its run is gone)</>;
  if (!data) return <>…</>;
  const one = (data.result.twins as Record<string, Row> | undefined)?.[twin];
  if (!one) return <>not this twin</>;
  return (
    <>
      {parametersOf(one)}. Held out {formatPlain(Number(one.holdoutRmse))}, {typeof one.holdoutRmseInUse === "number" ? `${formatPlain(one.holdoutRmseInUse)} with those before` : "the first"}; the interval covers {percent(one.holdoutCoverage)}
    </>
  );
}

function UseDialog({ version, from, service, close, done }: { version: ServiceVersion; from: number | null; service: ServiceView; close: () => void; done: () => void }) {
  const [problem, setProblem] = useState("");
  const use = async (): Promise<void> => {
    try {
      await put(`${servicePath(service.id)}/version`, { version: version.version });
      toast(`Version ${version.version} of ${service.title} is in use`);
      close();
      done();
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <Dialog
      title={`Take version ${version.version} of ${service.title} into use`}
      close={close}
      testId="use-dialog"
      foot={
        <>
          <button class="button" onClick={close}>
            Cancel
          </button>
          <button class="button primary" data-testid="use-confirm" onClick={() => void use()}>
            Use version {version.version}
          </button>
        </>
      }
    >
      <p>
        It was made {when(version.made)} {version.passed ? "and passed its gate" : "and did not pass its gate"}. {from === null ? "None is in use now." : `Version ${from} stays kept and can be used again.`} The service begins anew with it, and its alarms end.
      </p>
      <p class="problem" role="alert">
        {problem}
      </p>
    </Dialog>
  );
}

/** Of one service, for one of its twins. */
export function ServiceLearnt({ service, twin }: { service: ServiceView; twin: string }) {
  const [tick, setTick] = useState(0);
  const { data, error, retry } = useResource(`service ${service.id}`, (abort) => loadStatus(service.id, abort), tick);
  if (error && !data) return <Failed error={error} what="What it has learnt" retry={retry} />;
  if (!data) return <SkeletonRows count={2} />;
  if (data.versions.length === 0) return <p class="muted">It has learnt nothing yet; <a class="link" href="/app/value?show=services">Services</a> starts its runs.</p>;
  return <Versions status={data} service={service} twin={twin} changed={() => setTick((old) => old + 1)} />;
}
