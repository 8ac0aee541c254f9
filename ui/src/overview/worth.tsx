/** What the twin was worth lately, from its own record. */

import { useResource } from "@/core/resource.ts";
import { href } from "@/core/router.ts";
import { Failed, SkeletonRows } from "@/shell/notices.tsx";
import { loadMeasured } from "@/value/measured.tsx";
import { money } from "@/value/words.ts";

const DAYS = "30";

export function Worth() {
  const { data, error, retry } = useResource(`value measured ${DAYS}`, () => loadMeasured(DAYS));
  return (
    <section class="panel-section" aria-label="Value" data-testid="worth">
      <div class="panel-head">
        <h2 class="grow">
          Value <span class="meta">measured in {DAYS} days</span>
        </h2>
        <a class="link" href={href("value", "", { show: "measured" })}>
          Open
        </a>
      </div>
      {error && !data && <Failed error={error} what="The value" retry={retry} />}
      {!data && !error && <SkeletonRows count={4} height={28} />}
      {data && (
        <>
          <p class="worth-total">
            {data.total.value === null ? (
              <span class="meta">Counts alone are not money: prices are entered under Value and fidelity.</span>
            ) : (
              <>
                <span class="value kpi-value">
                  <span class="number">{money(data.total.value)}</span> <span class="unit">{data.currency}</span>
                </span>
                <span class="meta">
                  90 %: {money(data.total.low)} to {money(data.total.high)}
                </span>
              </>
            )}
          </p>
          <dl class="facts">
            {data.items.map((item) => (
              <div class="fact" key={item.name}>
                <dt>{item.title}</dt>
                <dd class="value">
                  <span class="number">{item.value === null ? (Number.isInteger(item.count) ? item.count : `${item.count.toFixed(1)} h`) : money(item.value)}</span>
                </dd>
              </div>
            ))}
          </dl>
        </>
      )}
    </section>
  );
}
