/** One alarm: what it means, the trend around it with its limit, and what people said. */

import { type Act, groupOf, groups, needsAck } from "@/core/alarms.ts";
import { ApiError, get, post } from "@/core/api.ts";
import { tick, serverNow } from "@/core/clock.ts";
import { useResource } from "@/core/resource.ts";
import { go, href } from "@/core/router.ts";
import { toast } from "@/core/toasts.ts";
import type { Alarm, AlarmGroup, AlarmStep, Page, WorkOrder } from "@/core/types.ts";
import { plainAsRead, unitAsRead } from "@/core/units.ts";
import { formatAge, formatMoment, parseTime, PRIORITY_WORDS } from "@/core/words.ts";
import { blockedFrom } from "@/core/writing.ts";
import { Corrections } from "@/alarms/corrections.tsx";
import { Chart } from "@/charts/chart.tsx";
import { Badge, STATE_WORDS } from "@/shell/badge.tsx";
import { Icon } from "@/shell/icon.tsx";
import { ActionButton } from "@/shell/notices.tsx";
import { useRested } from "@/shell/soon.ts";

const BEFORE = 20 * 60_000;
const AFTER = 10 * 60_000;

const MORE: [Act, string][] = [
  ["shelve", "Shelve…"],
  ["unshelve", "Unshelve…"],
  ["out-of-service", "Out of service…"],
  ["return-to-service", "Return to service…"],
  ["unacknowledge", "Undo acknowledge…"],
  ["clear", "Clear by hand…"],
];

/** What the table of states in docs/reference/alarms.md lets a person do. */
export function isPossible(alarm: Alarm, what: Act): boolean {
  const { state } = alarm;
  if (what === "acknowledge") return needsAck(alarm);
  if (what === "comment") return true;
  if (state === "normal") return false;
  if (what === "unacknowledge") return state === "acknowledged";
  if (what === "unshelve") return state === "shelved";
  if (what === "return-to-service") return state === "out-of-service";
  return state !== "out-of-service";
}

export function AlarmDetail({ alarm, open, close }: { alarm: Alarm; open: (what: Act) => void; close: () => void }) {
  const blocked = blockedFrom("alarms:write");
  const isRested = useRested(alarm.id); // who walks through the list asks for no charts on the way
  return (
    <article class="alarm-detail" data-testid="alarm-detail" data-alarm-id={alarm.id} data-state={alarm.state}>
      <div class="panel-head">
        <Badge priority={alarm.priority} outline={!alarm.isActive} />
        <h2 class="grow">
          <a href={href("twins", alarm.twin)}>{alarm.twinName || alarm.twin}</a> {alarm.title}
        </h2>
        <button class="button quiet square" aria-label="Close the details" onClick={close}>
          <Icon name="close" small />
        </button>
      </div>
      <p class="detail-state">
        {STATE_WORDS[alarm.state]}
        {alarm.acknowledgedBy ? ` by ${alarm.acknowledgedBy}` : ""}
      </p>
      <div class="selected-actions">
        {needsAck(alarm) && (
          <ActionButton class="primary" testId="ack-detail" blocked={blocked} onAct={() => open("acknowledge")}>
            Acknowledge…
          </ActionButton>
        )}
        <ActionButton testId="comment-button" blocked={blocked} onAct={() => open("comment")}>
          Comment…
        </ActionButton>
        {MORE.filter(([what]) => isPossible(alarm, what)).map(([what, words]) => (
          <ActionButton key={what} testId={`${what}-button`} blocked={blocked} onAct={() => open(what)}>
            {words}
          </ActionButton>
        ))}
        <ActionButton testId="work-button" blocked={blocked} onAct={() => void order(alarm)}>
          Work order
        </ActionButton>
      </div>
      <Held alarm={alarm} />
      {isRested ? <AlarmTrend alarm={alarm} /> : alarm.property && <div class="detail-chart" />}
      <Onward alarm={alarm} />
      <Facts alarm={alarm} />
      {isRested && <Cause alarm={alarm} />}
      <Comments alarm={alarm} />
      {isRested && <Corrections rule={alarm.rule} twin={alarm.twin} />}
      {isRested && <History alarm={alarm} />}
    </article>
  );
}

/** What is shown around an alarm: from before it until after it, or the last hour. */
function windowOf(alarm: Alarm): number | [number, number] {
  const raised = parseTime(alarm.raised) ?? serverNow();
  const cleared = parseTime(alarm.cleared);
  if (cleared !== null) return [raised - BEFORE, cleared + AFTER];
  return tick.peek() - raised > 50 * 60_000 ? [raised - BEFORE, raised + 40 * 60_000] : 3600;
}

function AlarmTrend({ alarm }: { alarm: Alarm }) {
  if (!alarm.property) return null;
  const [raised, cleared] = [parseTime(alarm.raised) ?? serverNow(), parseTime(alarm.cleared)];
  const limits = typeof alarm.limit !== "number" ? [] : [{ value: alarm.limit, priority: alarm.priority, label: `limit ${plainAsRead(alarm.limit, alarm.unit)}` }];
  const marks = [{ time: raised, label: "raised" }, ...(cleared === null ? [] : [{ time: cleared, label: "back" }])];
  return (
    <div class="detail-chart">
      <Chart signals={[{ twin: alarm.twin, property: alarm.property, label: alarm.twinName, unit: alarm.unit }]} window={windowOf(alarm)} limits={limits} marks={marks} label={`${alarm.twinName} ${alarm.property} around the alarm`} testId="alarm-chart" />
    </div>
  );
}

/** The same alarm on other pages. */
function Onward({ alarm }: { alarm: Alarm }) {
  const window = windowOf(alarm);
  const edges = Array.isArray(window) ? { window: window.join("~") } : {};
  return (
    <p class="row detail-onward">
      {alarm.property && (
        <a class="link" href={href("trends", "", { panels: `${alarm.twin}:${alarm.property}`, ...edges })}>
          Look closer in Trends
        </a>
      )}
      <a class="link" href={href("plant", "", { twin: alarm.twin })}>
        Show in 3D
      </a>
    </p>
  );
}

function Facts({ alarm }: { alarm: Alarm }) {
  const now = tick.value;
  const moment = (text: string | null): string => {
    const ms = parseTime(text);
    return ms === null ? "" : `${formatMoment(ms, now)} (${formatAge((now - ms) / 1000)} ago)`;
  };
  const facts: [string, string][] = [
    ["Cause", alarm.cause],
    ["Consequence", alarm.consequence],
    ["Response", alarm.response],
    ["Class", alarm.class],
    ["Condition", alarm.condition],
    ["Value then", alarm.value === null ? "" : `${plainAsRead(alarm.value, alarm.unit)} ${unitAsRead(alarm.unit) ?? ""}`],
    ["Limit", alarm.limit === null ? "" : `${plainAsRead(alarm.limit, alarm.unit)} ${unitAsRead(alarm.unit) ?? ""}`],
    ["Priority", `${alarm.priority}, ${PRIORITY_WORDS[alarm.priority] ?? ""}`],
    ["Raised", moment(alarm.raised)],
    ["Back to normal", moment(alarm.cleared)],
    ["Acknowledged", moment(alarm.acknowledged)],
    ["Rule", `${alarm.rule}, version ${alarm.ruleVersion}`],
    ["Alarm", alarm.id],
  ];
  return (
    <dl class="facts detail-facts">
      {facts
        .filter(([, text]) => text)
        .map(([name, text]) => (
          <div class="fact" key={name}>
            <dt>{name}</dt>
            <dd>{text}</dd>
          </div>
        ))}
    </dl>
  );
}

function Comments({ alarm }: { alarm: Alarm }) {
  return (
    <section class="comments">
      <h3>Comments</h3>
      {alarm.comments.length === 0 && <p class="muted">None yet.</p>}
      <ul>
        {alarm.comments.map((one, i) => (
          <li key={i} data-testid="alarm-comment">
            <span class="meta">
              <strong>{one.who}</strong> {formatMoment(Date.parse(one.time), tick.value)}
            </span>
            <p>{one.text}</p>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Makes a work order of an alarm, or goes to the one that is there. */
async function order(alarm: Alarm): Promise<void> {
  try {
    await post<WorkOrder>("/work-orders", { alarm: alarm.id });
  } catch (error) {
    if (!(error instanceof ApiError && error.code === "WorkOrderExists")) return toast(`No work order: ${error instanceof Error ? error.message : String(error)}`, true);
  }
  go(href("twins", alarm.twin, { tab: "maintenance" }));
}

function Held({ alarm }: { alarm: Alarm }) {
  if (alarm.shelved) return <p class="held-note">Shelved by {alarm.shelved.by} until {formatMoment(Date.parse(alarm.shelved.until), tick.value)}: {alarm.shelved.reason}</p>;
  if (alarm.outOfService) return <p class="held-note">Out of service since {formatMoment(Date.parse(alarm.outOfService.since), tick.value)} by {alarm.outOfService.by}: {alarm.outOfService.reason}</p>;
  const by = alarm.suppressedBy;
  if (!by) return null;
  if (!by.twin) return <p class="held-note">Held back by design, by a twin that policies hide from you</p>;
  return (
    <p class="held-note">
      Held back by design: {by.alarm ? <a href={href("alarms", by.alarm)}>{by.rule}</a> : `${by.property} is ${String(by.is)}`} of <a href={href("twins", by.twin)}>{by.twin}</a>
    </p>
  );
}

const SHOWN_MEMBERS = 8;

/** What came first, and what else belongs to the same cause. */
function Cause({ alarm }: { alarm: Alarm }) {
  const group = groupOf(alarm, groups.value);
  const key = group?.id ?? alarm.group;
  const { data } = useResource(key ? `alarm group ${key}` : null, (abort) => get<AlarmGroup & { alarms: Alarm[] }>(`/alarms/groups/${encodeURIComponent(key!)}`, abort), group?.count ?? 0);
  if (!data) return null;
  return (
    <section class="comments" data-testid="alarm-cause">
      <h3>Cause</h3>
      <p>
        <a href={href("twins", data.cause)}>{data.causeName}</a>
        {data.causeAlarm === null && <span class="soft"> (it has no alarm itself)</span>}, {data.count} alarms. First out: <strong>{data.firstOutName}</strong>.
      </p>
      <ol class="members">
        {data.alarms.slice(0, SHOWN_MEMBERS).map((one) => (
          <li key={one.id} aria-current={one.id === alarm.id ? "true" : undefined}>
            <Badge priority={one.priority} outline={!one.isActive} />
            <a class="ellipsis" href={href("alarms", one.id, { show: "all" })}>
              {one.twinName} {one.title}
            </a>
            <span class="meta">{after(one.raised, data.raised)}</span>
          </li>
        ))}
      </ol>
      {data.alarms.length > SHOWN_MEMBERS && <p class="soft">and {data.alarms.length - SHOWN_MEMBERS} more</p>}
    </section>
  );
}

function after(one: string, first: string): string {
  const seconds = (Date.parse(one) - Date.parse(first)) / 1000;
  return seconds <= 0 ? "first" : `+${seconds < 10 ? seconds.toFixed(1) : seconds.toFixed(0)} s`;
}

function History({ alarm }: { alarm: Alarm }) {
  const { data } = useResource(`history of ${alarm.id}`, (abort) => get<Page<AlarmStep>>(`/alarms/${encodeURIComponent(alarm.id)}/history`, abort), `${alarm.state} ${alarm.occurrences} ${alarm.comments.length}`);
  if (!data) return null;
  return (
    <section class="comments" data-testid="alarm-history">
      <h3>What happened</h3>
      <ul>
        {[...data.value].reverse().map((step, i) => (
          <li key={i}>
            <span class="meta">
              {formatMoment(Date.parse(step.time), tick.value)} <strong>{step.who}</strong>
            </span>
            <p>{step.what}</p>
          </li>
        ))}
      </ul>
    </section>
  );
}
