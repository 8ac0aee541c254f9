/** How well models meet what is measured, the worst first. */

import { useResource } from "@/core/resource.ts";
import { href, place } from "@/core/router.ts";
import { formatNumber } from "@/core/words.ts";
import { Failed, SkeletonRows } from "@/shell/notices.tsx";
import { loadFidelity } from "@/value/fidelity.tsx";
import { Choosing } from "./choosing.tsx";

const DAYS = "7";
const SHOWN = 6;
/** The last third of the errors against the first. */
const DRIFTS = 1.5;

export function Fits() {
  const { data, error, retry } = useResource(`value fidelity ${DAYS} `, () => loadFidelity(DAYS));
  const rows = data?.value ?? [];
  const drifting = rows.filter((row) => (row.drift ?? 0) > DRIFTS).length;
  return (
    <section class="panel-section" aria-label="Models against measurements" data-testid="fits">
      <div class="panel-head">
        <h2 class="grow">
          Fidelity{" "}
          {rows.length > 0 && <span class="meta">{drifting ? `${drifting} of ${rows.length} drifting` : `${rows.length} predicted signals`}</span>}
        </h2>
        <a class="link" href={href("value", "", { show: "fidelity" })}>
          All
        </a>
      </div>
      {error && !data && <Failed error={error} what="The fidelity" retry={retry} />}
      {!data && !error && <SkeletonRows count={4} height={44} />}
      {data && rows.length === 0 && <p class="notice">Nothing was predicted in {DAYS} days that was also measured.</p>}
      <ul>
        {rows.slice(0, SHOWN).map((row) => (
          <li key={`${row.twin} ${row.property} ${row.provenance}`} class={`panel-row${place.value.search.get("twin") === row.twin ? " chosen" : ""}`} data-testid="fit-row">
            <Choosing twin={row.twin} to={href("twins", row.twin, { tab: "model" })}>
              <strong class="ellipsis">
                {row.name} <span class="alarm-title">{row.property}</span>
              </strong>
              <span class="meta ellipsis">
                bias {row.bias === null ? "—" : formatNumber(row.bias, 3)} {row.unit}
                {row.coverage !== null && ` · ${formatNumber(row.coverage * 100, 0)} % inside the band`}
                {(row.drift ?? 0) > DRIFTS && " · drifting"}
              </span>
            </Choosing>
            <span class="value figure" title="root mean square error over the range of what was measured">
              <span class="number">{row.nrmse === null ? "—" : formatNumber(row.nrmse, 3)}</span> <span class="unit">nRMSE</span>
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
