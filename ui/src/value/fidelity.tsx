/** How well what was predicted met what was then measured, the worst first. */

import "@/style/fidelity.css";
import { get } from "@/core/api.ts";
import { useResource } from "@/core/resource.ts";
import { href } from "@/core/router.ts";
import { formatNumber } from "@/core/words.ts";
import { Empty, Failed, SkeletonRows } from "@/shell/notices.tsx";
import type { Fidelity } from "@/core/types.ts";

export const loadFidelity = (days: string, twin = ""): Promise<{ value: Fidelity[] }> => get<{ value: Fidelity[] }>(`/value/fidelity?from=-${days}d${twin && `&twin=${encodeURIComponent(twin)}`}`);

const figure = (value: number | null, digits = 3): string => (value === null ? "—" : formatNumber(value, digits));
const share = (value: number | null): string => (value === null ? "—" : `${formatNumber(value * 100, 1)} %`);

export function FidelityView({ days, twin = "" }: { days: string; twin?: string }) {
  const found = useResource(`value fidelity ${days} ${twin}`, () => loadFidelity(days, twin));
  if (found.error && !found.data) return <Failed error={found.error} what="The fidelity" retry={found.retry} />;
  if (!found.data) return <SkeletonRows count={6} />;
  const rows = found.data.value;
  if (rows.length === 0)
    return (
      <Empty title={`Nothing was predicted in ${days} days that was also measured`}>
        <p>A service that predicts a measured signal appears here, as do predictions sent to POST /ingest?provenance=predicted.</p>
      </Empty>
    );
  return (
    <div class="value-fidelity">
      <table>
        <caption class="visually-hidden">Fidelity by signal, the worst first</caption>
        <thead>
          <tr>
            <th scope="col">Signal</th>
            <th scope="col" title="root mean square error over the 5 to 95 % range of what was measured">nRMSE</th>
            <th scope="col">Bias</th>
            <th scope="col" title="share of measured values inside the predicted band">Coverage</th>
            <th scope="col" title="error of the last third over that of the first">Drift</th>
            <th scope="col">Good data</th>
            <th scope="col">Pairs</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={`${row.twin} ${row.property} ${row.provenance}`} data-testid="fidelity-row">
              <th scope="row">
                <a class="link" href={href("twins", row.twin, { tab: "trends" })}>
                  {row.name}
                </a>{" "}
                <span class="soft">{row.property}</span>
              </th>
              <td data-label="nRMSE">
                <span class="value-bar" aria-hidden="true">
                  <i style={{ width: `${Math.min(100, (row.nrmse ?? 0) * 200)}%` }} />
                </span>
                {figure(row.nrmse)}
              </td>
              <td data-label="Bias">
                {figure(row.bias)} <span class="unit">{row.unit}</span>
              </td>
              <td data-label="Coverage">
                {share(row.coverage)} <span class="meta">of {share(row.nominal)}</span>
              </td>
              <td data-label="Drift">{figure(row.drift, 2)}</td>
              <td data-label="Good data">{share(row.quality)}</td>
              <td data-label="Pairs">{row.pairs}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
