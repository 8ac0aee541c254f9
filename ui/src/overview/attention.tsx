import type { FunctionComponent } from "preact";
import { useMemo } from "preact/hooks";
import { alarmsError, alarmsLoaded, loadAlarms, needsAck, rankedAlarms } from "@/core/alarms.ts";
import { get } from "@/core/api.ts";
import { moment, tick, wall } from "@/core/clock.ts";
import { useResource } from "@/core/resource.ts";
import { href, place } from "@/core/router.ts";
import type { Alarm, Risk } from "@/core/types.ts";
import { AckButton } from "@/alarms/actions.tsx";
import { factsOf } from "@/alarms/words.ts";
import { formatMoment } from "@/core/words.ts";
import { Badge, STATE_WORDS } from "@/shell/badge.tsx";
import { Icon } from "@/shell/icon.tsx";
import { Later } from "@/shell/later.tsx";
import { Failed, SkeletonRows } from "@/shell/notices.tsx";
import { Choosing } from "./choosing.tsx";

const SHOWN = 6;

export function Attention() {
  const ranked = rankedAlarms.value;
  const foretold = useRisks();
  const lines = useMemo(() => withRisks(ranked, foretold), [ranked, foretold]);
  return (
    <section class="panel-section attention" data-testid="attention">
      <div class="panel-head">
        <h2 class="grow">Needs attention</h2>
        {ranked.length > SHOWN && (
          <a class="link" href={href("alarms")}>
            All {ranked.length}
          </a>
        )}
      </div>
      {alarmsError.value && !alarmsLoaded.value && <Failed error={alarmsError.value} what="The alarms" retry={() => void loadAlarms()} />}
      {!alarmsLoaded.value && !alarmsError.value && <SkeletonRows count={3} height={52} />}
      {alarmsLoaded.value && lines.length === 0 && <p class="notice">No open alarms. Everything runs inside its limits.</p>}
      <ul>
        {lines.slice(0, SHOWN).map((one) => ("id" in one ? <Row key={one.id} alarm={one} /> : <Later key={`${one.rule} ${one.twin}`} load={riskRow} risk={one} />))}
      </ul>
    </section>
  );
}

const CONSEQUENCE = [0, 8, 4, 2, 1];
/** What is over and was not seen by anybody, against what is active. */
const RETURNED = 0.25;
const scoreOf = (alarm: Alarm): number => (CONSEQUENCE[alarm.priority] ?? 1) * (alarm.isActive ? 1 : RETURNED);

/** Alarms in their order, each foretold one before the first that weighs less than its chance times its consequence. */
export function withRisks(alarms: readonly Alarm[], foretold: readonly Risk[]): (Alarm | Risk)[] {
  const found: (Alarm | Risk)[] = [];
  let next = 0;
  for (const alarm of alarms) {
    while (next < foretold.length && foretold[next]!.score > scoreOf(alarm)) found.push(foretold[next++]!);
    found.push(alarm);
  }
  return [...found, ...foretold.slice(next)];
}

const riskRow = async (): Promise<FunctionComponent<{ risk: Risk }>> => (await import("./risk-row.tsx")).RiskRow;
const NONE: readonly Risk[] = [];

/** Asked for each minute; who looks at another moment sees its alarms alone. */
function useRisks(): readonly Risk[] {
  const { data } = useResource(moment.value === null ? "risks" : null, (abort) => get<{ value: Risk[] }>("/risks", abort), Math.floor(wall.value / 60_000));
  return data?.value ?? NONE;
}

function Row({ alarm }: { alarm: Alarm }) {
  const isChosen = place.value.search.get("twin") === alarm.twin;
  const open = alarm.state === "unacknowledged";
  return (
    <li class={`alarm-row tint-p${alarm.priority}${open ? " open" : ""}${isChosen ? " chosen" : ""}`} data-testid="alarm-row" data-alarm-id={alarm.id} data-state={alarm.state}>
      <Badge priority={alarm.priority} outline={!alarm.isActive} />
      <Choosing twin={alarm.twin} to={href("alarms", alarm.id)}>
        <strong>
          {alarm.twinName} <span class="alarm-title">{alarm.title}</span>
        </strong>
        <span class="visually-hidden">{STATE_WORDS[alarm.state]}</span>
        <span class="meta row" style={{ gap: "4px" }}>
          {alarm.state === "returned" && <Icon name="back" small />}
          {alarm.state === "returned" ? (
            <span class="ellipsis">back to normal · raised {alarm.raised ? formatMoment(Date.parse(alarm.raised), tick.value) : ""}</span>
          ) : (
            <span class="ellipsis">
              {alarm.state === "acknowledged" ? "acknowledged · " : ""}
              {factsOf(alarm, tick.value)}
            </span>
          )}
        </span>
      </Choosing>
      {needsAck(alarm) && <AckButton alarm={alarm} />}
    </li>
  );
}
