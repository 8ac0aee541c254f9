/** One alarm: what it means, the trend around it with its limit, and what people said. */

import { useState } from "preact/hooks";
import { clearByHand, needsAck } from "@/core/alarms.ts";
import { tick, serverNow } from "@/core/clock.ts";
import { href } from "@/core/router.ts";
import type { Alarm } from "@/core/types.ts";
import { formatAge, formatMoment, formatPlain, parseTime, PRIORITY_WORDS } from "@/core/words.ts";
import { blockedFrom } from "@/core/writing.ts";
import { Chart } from "@/charts/chart.tsx";
import { Badge, STATE_WORDS } from "@/shell/badge.tsx";
import { Dialog } from "@/shell/dialog.tsx";
import { Icon } from "@/shell/icon.tsx";
import { ActionButton } from "@/shell/notices.tsx";

const BEFORE = 20 * 60_000;
const AFTER = 10 * 60_000;

export function AlarmDetail({ alarm, open, close }: { alarm: Alarm; open: (dialog: "acknowledge" | "comment") => void; close: () => void }) {
  const [isClearing, setClearing] = useState(false);
  const blocked = blockedFrom("alarms:write");
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
        {alarm.state !== "normal" && (
          <ActionButton blocked={blocked} onAct={() => setClearing(true)}>
            Clear by hand…
          </ActionButton>
        )}
      </div>
      <AlarmTrend alarm={alarm} />
      <Facts alarm={alarm} />
      <Comments alarm={alarm} />
      {isClearing && <ClearDialog alarm={alarm} close={() => setClearing(false)} />}
    </article>
  );
}

function AlarmTrend({ alarm }: { alarm: Alarm }) {
  const raised = parseTime(alarm.raised) ?? serverNow();
  if (!alarm.property) return null;
  const cleared = parseTime(alarm.cleared);
  const isLong = tick.peek() - raised > 50 * 60_000;
  const window: number | [number, number] = cleared !== null ? [raised - BEFORE, cleared + AFTER] : isLong ? [raised - BEFORE, raised + 40 * 60_000] : 3600;
  const limits = alarm.limit === null ? [] : [{ value: alarm.limit, priority: alarm.priority, label: `limit ${formatPlain(alarm.limit)}` }];
  const marks = [{ time: raised, label: "raised" }, ...(cleared === null ? [] : [{ time: cleared, label: "back" }])];
  return (
    <div class="detail-chart">
      <Chart signals={[{ twin: alarm.twin, property: alarm.property, label: alarm.twinName, unit: alarm.unit }]} window={window} limits={limits} marks={marks} label={`${alarm.twinName} ${alarm.property} around the alarm`} testId="alarm-chart" />
    </div>
  );
}

function Facts({ alarm }: { alarm: Alarm }) {
  const now = tick.value;
  const moment = (text: string | null): string => {
    const ms = parseTime(text);
    return ms === null ? "" : `${formatMoment(ms, now)} (${formatAge((now - ms) / 1000)} ago)`;
  };
  const facts: [string, string][] = [
    ["Condition", alarm.condition],
    ["Value then", alarm.value === null ? "" : `${formatPlain(alarm.value)} ${alarm.unit ?? ""}`],
    ["Limit", alarm.limit === null ? "" : `${formatPlain(alarm.limit)} ${alarm.unit ?? ""}`],
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

function ClearDialog({ alarm, close }: { alarm: Alarm; close: () => void }) {
  const [text, setText] = useState("");
  const [problem, setProblem] = useState("");
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (!text.trim()) return setProblem("Say why: the reason is kept with the alarm.");
    try {
      await clearByHand(alarm.id, text.trim());
      close();
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <Dialog title="Clear by hand" close={close}>
      <form class="stack" style={{ gap: "12px" }} onSubmit={(event) => void submit(event)}>
        <p class="soft">This ends the alarm although its condition may still hold. It is raised again if the rule fires again.</p>
        <div class="field">
          <label for="clear-reason">Reason</label>
          <textarea id="clear-reason" class="input" autofocus value={text} onInput={(event) => setText(event.currentTarget.value)} />
          <span class="problem" role="alert">
            {problem}
          </span>
        </div>
        <div class="row" style={{ justifyContent: "flex-end" }}>
          <button type="button" class="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" class="button primary">
            Clear
          </button>
        </div>
      </form>
    </Dialog>
  );
}
