import { alarmsError, alarmsLoaded, loadAlarms, needsAck, rankedAlarms } from "@/core/alarms.ts";
import { tick } from "@/core/clock.ts";
import { href, place } from "@/core/router.ts";
import type { Alarm } from "@/core/types.ts";
import { AckButton } from "@/alarms/actions.tsx";
import { factsOf } from "@/alarms/words.ts";
import { formatMoment } from "@/core/words.ts";
import { Badge, STATE_WORDS } from "@/shell/badge.tsx";
import { Icon } from "@/shell/icon.tsx";
import { Failed, SkeletonRows } from "@/shell/notices.tsx";
import { Choosing } from "./choosing.tsx";

const SHOWN = 6;

export function Attention() {
  const ranked = rankedAlarms.value;
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
      {alarmsLoaded.value && ranked.length === 0 && <p class="notice">No open alarms. Everything runs inside its limits.</p>}
      <ul>
        {ranked.slice(0, SHOWN).map((alarm) => (
          <Row key={alarm.id} alarm={alarm} />
        ))}
      </ul>
    </section>
  );
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
