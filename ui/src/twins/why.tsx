/** From a colour back to what it follows from: alarm, rule, model, readings, device. */

import { lastAlarm, openAlarms } from "@/core/alarms.ts";
import { asText, get } from "@/core/api.ts";
import { tick } from "@/core/clock.ts";
import { useResource } from "@/core/resource.ts";
import { href } from "@/core/router.ts";
import type { Explained, Reason, ReasonSample, Twin } from "@/core/types.ts";
import { asRead, plainAsRead, unitAsRead } from "@/core/units.ts";
import { formatMoment, formatNumber, plural, PRIORITY_WORDS } from "@/core/words.ts";
import { Badge } from "@/shell/badge.tsx";
import { Failed, SkeletonRows } from "@/shell/notices.tsx";
import { StatusWord } from "./status-word.tsx";

export function WhyTab({ twin }: { twin: Twin }) {
  const path = `/twins/${encodeURIComponent(twin.id)}/explain`;
  const alarmKey = `${[...openAlarms.value.values()].filter((one) => one.twin === twin.id).map((one) => one.id + one.state)} ${lastAlarm.value?.twin === twin.id ? lastAlarm.value.id : ""}`;
  const { data, error, retry } = useResource(path, (abort) => get<Explained>(path, abort), alarmKey);
  if (error && !data) return <Failed error={error} what="The explanation" retry={retry} />;
  if (!data) return <SkeletonRows count={6} />;
  return (
    <div class="why stack" data-testid="why">
      <p class="why-line">
        <StatusWord id={twin.id} status={data.status.is} /> <span class="soft">because {data.status.because}.</span>
      </p>
      {data.priority === null && <p>No alarm of it is active, so it is drawn in the grey of what is normal{data.status.is === "stale" || data.status.is === "offline" ? ", faded because its values are old" : ""}.</p>}
      {data.alarms.map((one) => (
        <Chain key={one.alarm.id} reason={one} twin={twin.id} />
      ))}
      <section aria-label="Device">
        <h2>Device</h2>
        <ul>
          {data.device.topics.map((one) => (
            <li key={one.topic}>
              Readings come on <code>{one.topic}</code>
              {one.binding ? ` by the binding ${one.binding}` : ", the topic of its own"}
            </li>
          ))}
        </ul>
        <p class="soft">
          {data.device.isConnected ? "Its connection over MQTT stands." : "No MQTT connection of its own stands; readings may also come over HTTP or through a gateway."}
          {data.device.rejects > 0 && ` ${plural(data.device.rejects, "reading")} could not be used.`}
        </p>
      </section>
    </div>
  );
}

function Chain({ reason, twin }: { reason: Reason; twin: string }) {
  const { alarm, rule, model, samples } = reason;
  const unit = alarm.unit ?? model?.unit ?? "";
  const now = tick.value;
  return (
    <ol class="why-chain" aria-label={`Why ${alarm.title}`} data-testid="why-chain" data-alarm-id={alarm.id}>
      <li>
        <h2 class="row">
          <Badge priority={alarm.priority} /> Colour of priority {alarm.priority}, {PRIORITY_WORDS[alarm.priority]}
        </h2>
        <p>It is that of the alarm that follows; of several, the most urgent colours the twin.</p>
      </li>
      <li>
        <h2>
          Alarm: <a class="link" href={href("alarms", alarm.id)}>{alarm.title}</a>
        </h2>
        <p>
          Raised {formatMoment(Date.parse(alarm.raised), now)}
          {typeof alarm.value === "number" && ` at ${`${formatNumber(asRead(alarm.value, unit))} ${unitAsRead(unit)}`.trim()}`}
          {alarm.limit !== null && `, limit ${`${plainAsRead(alarm.limit, unit)} ${unitAsRead(unit)}`.trim()}`}; {alarm.state}.
        </p>
      </li>
      <li>
        <h2>
          Rule: {rule.id} <span class="muted">version {rule.version}</span>
        </h2>
        <p>
          <code>{rule.when}</code>
          {rule.model && <span class="soft"> for every twin of {rule.model}</span>}
          {!rule.isRunning && <span class="soft"> It no longer runs.</span>}
        </p>
      </li>
      {model && (
        <li>
          <h2>
            Model: {model.title} <span class="muted">{model.displayName}</span>
          </h2>
          <p>
            <code>{model.property}</code> is {model.schema ?? "a value"} {model.unit ? `in ${model.unit}` : "without a unit"}, defined in <code>{model.definedIn}</code>.
          </p>
        </li>
      )}
      <li>
        <h2>
          Readings{" "}
          <a class="link" href={href("trends", "", { panels: `${encodeURIComponent(twin)}:${encodeURIComponent(model?.property ?? "")}`, window: `${Date.parse(alarm.raised) - 900_000}~${Date.parse(alarm.raised) + 300_000}` })}>
            as a trend
          </a>
        </h2>
        {samples.length === 0 ? <p class="soft">None is kept of that time.</p> : <Samples samples={samples} unit={unit} limit={typeof alarm.limit === "number" ? alarm.limit : null} />}
      </li>
    </ol>
  );
}

function Samples({ samples, unit, limit }: { samples: ReasonSample[]; unit: string; limit: number | null }) {
  const now = tick.value;
  return (
    <table class="why-samples">
      <thead>
        <tr>
          <th scope="col">Time</th>
          <th scope="col">Value</th>
          <th scope="col">Received</th>
        </tr>
      </thead>
      <tbody>
        {samples.map((one) => (
          <tr key={one.time} class={one.isTurn ? "turn" : ""} data-testid="why-sample" data-turn={String(one.isTurn)}>
            <td>{formatMoment(Date.parse(one.time), now)}</td>
            <td>
              {typeof one.value === "number" ? formatNumber(asRead(one.value, unit)) : asText(one.value)} <span class="unit">{unitAsRead(unit)}</span>
              {one.cause && ` (${one.cause})`}
              {one.isTurn && <span class="tag">{limit === null ? "raised it" : `raised it at the limit ${plainAsRead(limit, unit)}`}</span>}
            </td>
            <td class="soft">{formatMoment(Date.parse(one.received), now)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
