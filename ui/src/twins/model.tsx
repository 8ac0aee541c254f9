/** What a twin is modelled by: how it behaves, what watches it, and how well predictions met what was measured. */

import { get } from "@/core/api.ts";
import { useResource } from "@/core/resource.ts";
import { href } from "@/core/router.ts";
import type { Behaviour, ServiceView, Twin } from "@/core/types.ts";
import { formatNumber, formatPlain } from "@/core/words.ts";
import { Failed, SkeletonRows } from "@/shell/notices.tsx";
import { FidelityView } from "@/value/fidelity.tsx";
import { ServiceLearnt } from "@/value/versions.tsx";

const DAYS = "30";
const list = <Row,>(path: string) => (abort: AbortSignal): Promise<{ value: Row[] }> => get<{ value: Row[] }>(path, abort);

export function ModelTab({ twin }: { twin: Twin }) {
  return (
    <div class="stack model-tab" data-testid="model-tab">
      <dl class="facts wide">
        <div class="fact">
          <dt>Model</dt>
          <dd>
            <a class="link" href={href("twins", "", { model: twin.model })}>
              {twin.modelName || twin.model}
            </a>{" "}
            <span class="meta">{twin.model}</span>
          </dd>
        </div>
      </dl>
      <Behaviours twin={twin} />
      <Services twin={twin} />
      <section aria-label="Fidelity">
        <h2>Fidelity, last {DAYS} days</h2>
        <FidelityView days={DAYS} twin={twin.id} />
      </section>
    </div>
  );
}

function Behaviours({ twin }: { twin: Twin }) {
  const { data, error, retry } = useResource("behaviours", list<Behaviour>("/behaviours"));
  const own = (data?.value ?? []).filter((one) => one.of.includes(twin.id));
  return (
    <section aria-label="Behaviour">
      <h2>How it behaves in a what-if</h2>
      {error && !data && <Failed error={error} what="The behaviour" retry={retry} />}
      {!data && !error && <SkeletonRows count={3} />}
      {data && own.length === 0 && <p class="muted">No behaviour is attached to its model: in a scenario its values stay as they are.</p>}
      {own.map((one) => (
        <Parameters key={one.id} behaviour={one} twin={twin.id} />
      ))}
    </section>
  );
}

function Parameters({ behaviour, twin }: { behaviour: Behaviour; twin: string }) {
  const own = behaviour.twins[twin] ?? {};
  const rows = Object.entries(behaviour.parameters);
  return (
    <table class="model-parameters" data-testid="behaviour" data-behaviour-id={behaviour.id}>
      <caption>
        {behaviour.title} <span class="meta">{behaviour.behaviour ?? "formulas"}</span>
      </caption>
      {rows.length > 0 && (
        <thead>
          <tr>
            <th scope="col">Parameter</th>
            <th scope="col" class="number">
              Value
            </th>
            <th scope="col">Unit</th>
            <th scope="col" class="number">
              Spread
            </th>
          </tr>
        </thead>
      )}
      <tbody>
        {rows.map(([name, said]) => {
          const given = own[name];
          const amount = typeof given === "number" ? { value: given } : given;
          const spread = amount?.spread ?? said.spread;
          return (
            <tr key={name}>
              <th scope="row">
                {name} <span class="meta">{said.about}</span> {given !== undefined && <span class="tag">of this twin</span>}
              </th>
              <td class="number">{formatPlain(amount?.value ?? said.value)}</td>
              <td class="unit">{said.unit}</td>
              <td class="number">{spread ? `± ${formatNumber(spread * 100)} %` : "—"}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function Services({ twin }: { twin: Twin }) {
  const { data, error, retry } = useResource("services", list<ServiceView>("/services"));
  const own = (data?.value ?? []).filter((one) => one.twins?.includes(twin.id) || one.model === twin.model);
  return (
    <section aria-label="Services">
      <h2>What computes about it</h2>
      {error && !data && <Failed error={error} what="The services" retry={retry} />}
      {!data && !error && <SkeletonRows count={2} />}
      {data && own.length === 0 && <p class="muted">No service is set up for this twin or its model.</p>}
      <ul class="model-services">
        {own.map((one) => (
          <li key={one.id} data-testid="service-row">
            <strong>{one.title}</strong> <span class="meta">
              {one.kind} · {one.id}
            </span>
            <span class="push tag">{one.problem || (one.isRunning ? "Running" : one.enabled ? "Runs when asked" : "Turned off")}</span>
            <ServiceLearnt service={one} twin={twin.id} />
          </li>
        ))}
      </ul>
    </section>
  );
}
