/** One alarm as a row: priority is the shape, the state is the frame. */

import { needsAck } from "@/core/alarms.ts";
import { tick } from "@/core/clock.ts";
import { href } from "@/core/router.ts";
import type { Alarm } from "@/core/types.ts";
import { formatAge, parseTime } from "@/core/words.ts";
import { Badge, STATE_WORDS } from "@/shell/badge.tsx";
import { Icon } from "@/shell/icon.tsx";
import { AckButton } from "./actions.tsx";
import { factsOf } from "./words.ts";

interface Props {
  alarm: Alarm;
  isChosen?: boolean;
  isLink?: boolean;
  onChoose?: () => void;
  query?: Record<string, string>;
}

export function AlarmLine({ alarm, isChosen = false, onChoose, query = {} }: Props) {
  const isOpen = alarm.state === "unacknowledged";
  const raised = parseTime(alarm.raised);
  return (
    <li class={`alarm-row wide tint-p${alarm.priority}${isOpen ? " open" : ""}${isChosen ? " chosen" : ""}${alarm.state === "normal" ? " over" : ""}`} data-testid="alarm-row" data-alarm-id={alarm.id} data-state={alarm.state} data-priority={alarm.priority}>
      <Badge priority={alarm.priority} outline={!alarm.isActive} />
      <a class="alarm-open" href={href("alarms", alarm.id, query)} aria-current={isChosen ? "true" : undefined} onClick={onChoose}>
        <strong>
          {alarm.twinName || alarm.twin} <span class="alarm-title">{alarm.title}</span>
        </strong>
        <span class="meta ellipsis">{factsOf(alarm, tick.value)}</span>
      </a>
      <span class="alarm-state meta">
        {alarm.state === "returned" && <Icon name="back" small />}
        {alarm.state === "acknowledged" && <Icon name="check" small />}
        {STATE_WORDS[alarm.state]}
        {alarm.comments.length > 0 && (
          <span class="row" style={{ gap: "2px" }} title={`${alarm.comments.length} comments`}>
            <Icon name="comment" small />
            {alarm.comments.length}
          </span>
        )}
      </span>
      <span class="alarm-age meta">{raised === null ? "" : formatAge((tick.value - raised) / 1000)}</span>
      <span class="alarm-act">{needsAck(alarm) && <AckButton alarm={alarm} />}</span>
    </li>
  );
}
