/** For the next shift: what stands, what is put aside and until when, and what people did. */

import { get } from "@/core/api.ts";
import { tick } from "@/core/clock.ts";
import { useResource } from "@/core/resource.ts";
import { href } from "@/core/router.ts";
import type { Alarm, AlarmHandover, AlarmsDone } from "@/core/types.ts";
import { formatMoment, plural } from "@/core/words.ts";
import { status } from "@/live/client.ts";
import { Badge } from "@/shell/badge.tsx";
import { Failed, SkeletonRows } from "@/shell/notices.tsx";
import { inWords } from "./corrections.tsx";
import { AlarmLine } from "./line.tsx";
import { SpanChooser, spanIn } from "./spans.tsx";

const SPANS: [string, string][] = [
  ["-8h", "8 h"],
  ["-12h", "12 h"],
  ["-24h", "24 h"],
];
/** Where the plant has shifts. */
const SHIFTS: [string, string][] = [
  ["this", "This shift"],
  ["last", "Last shift"],
];
const MOST_DONE = 200;

export function Handover() {
  const spans = status.value?.shift ? [...SHIFTS, ...SPANS] : SPANS;
  const span = spanIn(spans, spans[0]![0]);
  const { data, error, retry } = useResource(`handover ${span}`, (abort) => get<AlarmHandover>(`/alarms/handover?${span.startsWith("-") ? "from" : "shift"}=${span}`, abort));
  return (
    <div class="figures handover" data-testid="alarm-handover">
      <div class="row">
        <SpanChooser spans={spans} span={span} />
        <span class="push row no-print">
          <button class="button" onClick={retry}>
            Anew
          </button>
          <button class="button" onClick={() => print()}>
            Print
          </button>
        </span>
      </div>
      {error && !data && <Failed error={error} what="The handover" retry={retry} />}
      {!data && !error && <SkeletonRows count={6} height={54} />}
      {data && <Report data={data} />}
    </div>
  );
}

function Report({ data }: { data: AlarmHandover }) {
  const now = tick.value;
  const lists: [string, string, Alarm[]][] = [
    ["Stands", "Nothing stands: every value is inside its limits.", data.standing],
    ["Shelved", "Nothing is shelved.", data.shelved],
    ["Suppressed", "Nothing is suppressed by another.", data.suppressed],
    ["Out of service", "Nothing is out of service.", data.outOfService],
  ];
  return (
    <>
      <p class="meta">
        {formatMoment(Date.parse(data.from), now)} to {formatMoment(Date.parse(data.to), now)} · {plural(data.figures.annunciated, "alarm")} told, {plural(data.figures.floods.length, "flood")} · {plural(data.groups.length, "group")} of one cause
      </p>
      {lists.map(([title, none, alarms]) => (
        <section key={title} aria-label={title}>
          <h2>
            {title} <span class="muted">{alarms.length}</span>
          </h2>
          {alarms.length === 0 ? <p class="muted">{none}</p> : <ul class="alarm-list plain">{alarms.map((alarm) => <AlarmLine key={alarm.id} alarm={alarm} isLink />)}</ul>}
        </section>
      ))}
      <Done done={data.done} now={now} />
      {data.corrections.length > 0 && (
        <section aria-label="What late readings changed">
          <h2>
            What late readings changed <span class="muted">{data.corrections.length}</span>
          </h2>
          <ul class="handover-done">
            {data.corrections.map((one) => (
              <li key={one.id}>
                <a class="link" href={href("twins", one.twin)}>
                  {one.twinName} {one.title}
                </a>
                {inWords(one, now)}
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

/** The latest first: who did what to which alarm, in their own words. */
function Done({ done, now }: { done: AlarmsDone[]; now: number }) {
  const latest = [...done].reverse().slice(0, MOST_DONE);
  return (
    <section aria-label="What people did">
      <h2>
        What people did <span class="muted">{done.length}</span>
      </h2>
      {latest.length === 0 && <p class="muted">Nobody acknowledged, shelved or commented on anything.</p>}
      <ul class="handover-done">
        {latest.map((step) => (
          <li key={`${step.alarm} ${step.time} ${step.what}`} data-testid="handover-step">
            <time class="meta" dateTime={step.time}>
              {formatMoment(Date.parse(step.time), now)}
            </time>
            <Badge priority={step.priority} label={false} />
            <a class="link" href={href("alarms", step.alarm)}>
              {step.twinName} {step.title}
            </a>
            <span>
              {step.what} by {step.who}
            </span>
            {step.comment && <q>{step.comment}</q>}
          </li>
        ))}
      </ul>
    </section>
  );
}
