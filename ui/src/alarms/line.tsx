/** One alarm as a row: priority is the shape, the state is the frame. */

import { isChattering, isStale, needsAck } from "@/core/alarms.ts";
import { tick } from "@/core/clock.ts";
import { href } from "@/core/router.ts";
import type { Alarm } from "@/core/types.ts";
import { formatAge, formatMoment, parseTime } from "@/core/words.ts";
import { Badge, STATE_WORDS } from "@/shell/badge.tsx";
import { Icon } from "@/shell/icon.tsx";
import { AckButton } from "./actions.tsx";
import type { Row } from "./fold.ts";
import { factsOf } from "./words.ts";

interface Props {
  alarm: Alarm;
  row?: Row;
  isChosen?: boolean;
  isSelected?: boolean;
  isOpened?: boolean;
  isLink?: boolean;
  onChoose?: () => void;
  onFold?: () => void;
  query?: Record<string, string>;
  at?: Place;
}

/** Where a row stands in a list of which only those on screen are there. */
interface Place {
  index: number;
  of: number;
  top: number;
  /** Where rows differ in height. */
  measure: ((element: HTMLElement | null) => void) | undefined;
}

const ICONS: Partial<Record<Alarm["state"], string>> = { returned: "back", acknowledged: "check", shelved: "clock", suppressed: "ban", "out-of-service": "wrench" };

/** The state, with until when, by what or by whom. */
function stateOf(alarm: Alarm, now: number): string {
  if (alarm.shelved) return `Shelved until ${formatMoment(Date.parse(alarm.shelved.until), now)}`;
  if (alarm.suppressedBy?.twin) return `Suppressed by ${alarm.suppressedBy.twin}`;
  if (alarm.outOfService) return `Out of service, ${alarm.outOfService.by}`;
  return STATE_WORDS[alarm.state];
}

export function AlarmLine({ alarm, row, isChosen = false, isSelected = false, isOpened = false, onChoose, onFold, query = {}, at }: Props) {
  const isOpen = alarm.state === "unacknowledged";
  const raised = parseTime(alarm.raised);
  const now = tick.value;
  const icon = ICONS[alarm.state];
  const frame = `${isOpen ? " open" : ""}${isChosen ? " chosen" : ""}${isSelected ? " selected" : ""}${alarm.state === "normal" ? " over" : ""}${icon === "clock" || icon === "ban" || icon === "wrench" ? " held" : ""}${row?.isMember ? " member" : ""}`;
  const placed = at && { ...(at.measure && { ref: at.measure }), "data-index": at.index, "aria-setsize": at.of, "aria-posinset": at.index + 1, style: { position: "absolute", insetInline: 0, transform: `translateY(${at.top}px)` } as const };
  return (
    <li {...placed} class={`alarm-row wide tint-p${alarm.priority}${frame}`} data-testid="alarm-row" data-alarm-id={alarm.id} data-state={alarm.state} data-priority={alarm.priority} data-selected={isSelected || undefined}>
      {isSelected ? <span class="selected-mark" role="img" aria-label="Selected"><Icon name="check" small /></span> : <Badge priority={alarm.priority} outline={!alarm.isActive} />}
      <a class="alarm-open" href={href("alarms", alarm.id, query)} aria-current={isChosen ? "true" : undefined} onClick={onChoose}>
        <strong>
          {alarm.twinName || alarm.twin} <span class="alarm-title">{alarm.title}</span>
        </strong>
        <span class="meta ellipsis">{factsOf(alarm, now)}</span>
      </a>
      <span class="alarm-state meta">
        <span class="alarm-short">{factsOf(alarm, now, true)} ·</span>
        {icon && <Icon name={icon} small />}
        <span class="ellipsis">
          {alarm.state === "returned" ? (
            <>
              Back to normal<span class="alarm-rest">, not acknowledged</span>
            </>
          ) : (
            stateOf(alarm, now)
          )}
        </span>
        {isStale(alarm, now) && <span class="tag" title="Active for more than 24 hours">stale</span>}
        {isChattering(alarm, now) && <span class="tag" title="Three transitions within a minute">chattering</span>}
        {alarm.comments.length > 0 && (
          <span class="row" style={{ gap: "2px" }} title={`${alarm.comments.length} comments`}>
            <Icon name="comment" small />
            {alarm.comments.length}
          </span>
        )}
      </span>
      <span class="alarm-age meta">{raised === null ? "" : formatAge((now - raised) / 1000)}</span>
      <span class="alarm-act">{needsAck(alarm) && <AckButton alarm={alarm} />}</span>
      {row?.group && row.behind > 0 && (
        <button class="fold" data-testid="alarm-fold" aria-expanded={isOpened} onClick={onFold}>
          <Icon name={isOpened ? "down" : "chevron"} small />
          {row.behind} more of the same cause
          {row.group.causeAlarm === alarm.id ? "" : `: ${row.group.causeName}`}
        </button>
      )}
    </li>
  );
}
