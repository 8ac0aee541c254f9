/** Every property with value, unit, age, quality, limits and what was asked of the device. */

import { useState } from "preact/hooks";
import { patch } from "@/core/api.ts";
import { href } from "@/core/router.ts";
import { toast } from "@/core/toasts.ts";
import { moment, tick } from "@/core/clock.ts";
import type { Json, Other, Property, Twin } from "@/core/types.ts";
import { asRead, unitAsRead } from "@/core/units.ts";
import { formatAge, formatPlain, parseTime } from "@/core/words.ts";
import { blockedFrom } from "@/core/writing.ts";
import { Dialog } from "@/shell/dialog.tsx";
import { Icon } from "@/shell/icon.tsx";
import { ActionButton, Empty } from "@/shell/notices.tsx";
import { shown, useTrusted, Value } from "@/shell/value.tsx";
import { chanceWords } from "./chance.ts";
import { changed } from "./faceplate.tsx";
import { check, fieldsOf, rangeOf } from "./form.ts";

export function StateTab({ twin }: { twin: Twin }) {
  if (twin.properties.length === 0) return <Empty title="This model has no telemetry and no properties" />;
  const isNow = moment.value === null; // the others are those of now
  const groups: [string, Property[]][] = [
    ["Telemetry", twin.properties.filter((one) => one.kind === "telemetry")],
    ["Properties", twin.properties.filter((one) => one.kind !== "telemetry")],
  ];
  return (
    <>
      {groups.map(([title, list]) =>
        list.length === 0 ? null : (
          <table key={title} class="state-table">
            <caption class="visually-hidden">{title}</caption>
            <thead>
              <tr>
                <th scope="col">{title}</th>
                <th scope="col" class="right">
                  Value
                </th>
                <th scope="col">Limits</th>
                <th scope="col">Age</th>
                <th scope="col">Asked for</th>
              </tr>
            </thead>
            <tbody>
              {list.map((property) => [
                <Line key={property.path} twin={twin} property={property} />,
                isNow && property.desiredProblem ? <ProblemLine key={`${property.path} problem`} property={property} /> : null,
                ...(isNow ? (property.others ?? []) : []).map((other) => <OtherLine key={`${property.path} ${other.provenance}`} twin={twin} property={property} other={other} />),
              ])}
            </tbody>
          </table>
        ),
      )}
    </>
  );
}

function Line({ twin, property }: { twin: Twin; property: Property }) {
  const { reading, age } = useTrusted(twin.id, property);
  const isNumber = typeof reading?.value === "number" || property.series !== null;
  const name = property.displayName || property.name;
  return (
    <tr data-testid="property-row" data-path={property.path}>
      <th scope="row">
        {isNumber ? (
          <a class="name" href={href("twins", twin.id, { tab: "trends", show: property.path })}>
            {name}
          </a>
        ) : (
          <span class="name">{name}</span>
        )}
        {plain(property.path) !== plain(name) && <span class="muted path"> {property.path}</span>}
      </th>
      <td class="right">
        <Value twin={twin.id} property={property} isAgeBeside />
      </td>
      <td class="limits">{typeof reading?.value === "number" && <LimitBar value={reading.value} property={property} alarms={twin} />}</td>
      <td class="soft age-cell">{reading ? formatAge(age) : "—"}</td>
      <td>
        <Desired twin={twin} property={property} />
      </td>
    </tr>
  );
}

/** Why the source of a property did not take what is asked for. */
function ProblemLine({ property }: { property: Property }) {
  return (
    <tr class="other" data-testid="desired-problem" data-path={property.path}>
      <th scope="row">
        <span class="visually-hidden">{property.displayName || property.name} </span>
        not taken
      </th>
      <td colSpan={4}>
        <span class="problem">{property.desiredProblem}</span>
      </td>
    </tr>
  );
}

/** What was derived, predicted or simulated of a property: said to be that, with the bounds of what is uncertain. */
function OtherLine({ twin, property, other }: { twin: Twin; property: Property; other: Other }) {
  const time = parseTime(other.time);
  const ahead = time === null ? 0 : (time - tick.value) / 1000;
  const chance = chanceWords(twin, property, other, ahead);
  return (
    <tr class="other" data-testid="other-row" data-path={property.path} data-provenance={other.provenance}>
      <th scope="row">
        <span class="visually-hidden">{property.displayName || property.name} </span>
        {other.provenance}
      </th>
      <td class="right">
        {shown(other.value, property.schema, property.values, property.unit)} {property.unit && <span class="unit">{unitAsRead(property.unit)}</span>}
        {other.quality === "bad" && <span class="age"> bad</span>}
      </td>
      <td class="soft">
        {boundsOf(other, property.unit)}
        {chance && <div data-testid="chance">{chance}</div>}
      </td>
      <td class={`soft age-cell${ahead > 0 ? " ahead" : ""}`}>{time === null ? "—" : ahead > 0 ? `in ${formatAge(ahead)}` : formatAge(-ahead)}</td>
      <td />
    </tr>
  );
}

/** `5 %: 1.2, 95 %: 3.4`, the lowest level first. */
export function boundsOf(other: Other, unit?: string | null): string {
  const levels = Object.entries(other.quantiles).sort(([a], [b]) => Number(a) - Number(b));
  return levels.map(([level, value]) => `${formatPlain(Math.round(Number(level) * 1e4) / 100)} %: ${formatPlain(asRead(value, unit))}`).join(", ");
}

const plain = (text: string): string => text.toLowerCase().replace(/[^a-z0-9.]/g, "");

/** Where the value stands between its limits; the normal band ends at the alarm limits. */
function LimitBar({ value, property, alarms }: { value: number; property: Property; alarms: Twin }) {
  const { minimum, maximum } = property;
  if (minimum === null || maximum === null || maximum <= minimum) return null;
  const share = (one: number): number => Math.max(0, Math.min(1, (one - minimum) / (maximum - minimum)));
  const limit = alarms.alarmList.find((alarm) => alarm.property === property.path && typeof alarm.limit === "number" && alarm.state !== "normal");
  const isOutside = value < minimum || value > maximum;
  const at = share(value) * 100;
  const edge = limit ? share(Number(limit.limit)) * 100 : null;
  const isHigh = limit ? (limit.value ?? value) >= limit.limit! : true;
  const plainly = (one: number): string => formatPlain(asRead(one, property.unit));
  const words = `${plainly(minimum)} to ${plainly(maximum)}${limit ? `, alarm limit ${plainly(Number(limit.limit))}` : ""}`;
  return (
    <span class="limit-bar" role="img" aria-label={`Range ${words}`} title={words}>
      <svg viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">
        <rect class="track" x="0" y="4" width="100" height="4" />
        <rect class="band" x={edge !== null && !isHigh ? edge : 0} y="4" width={edge === null ? 100 : isHigh ? edge : 100 - edge} height="4" />
        {edge !== null && <rect class={`p${limit!.priority} edge`} x={edge - 0.5} y="1" width="1" height="10" />}
        <rect class={`pointer${isOutside ? " outside" : ""}`} x={Math.min(98, at)} y="0" width="2" height="12" />
      </svg>
      <span class="ends">
        <span>{plainly(minimum)}</span>
        <span>{plainly(maximum)}</span>
      </span>
    </span>
  );
}

function Desired({ twin, property }: { twin: Twin; property: Property }) {
  const [isOpen, setOpen] = useState(false);
  const asked = property.desired ?? null;
  if (!property.writable && asked === null) return null;
  return (
    <span class="row">
      {asked !== null && (
        <span>
          {shown(asked, property.schema, property.values, property.unit)} <span class="unit">{unitAsRead(property.unit)}</span>
        </span>
      )}
      {property.writable && (
        <ActionButton class="quiet square" label={`Ask the device for another ${property.displayName || property.name}`} blocked={blockedFrom("commands:send")} onAct={() => setOpen(true)} testId="desired-button">
          <Icon name="edit" small />
        </ActionButton>
      )}
      {isOpen && <DesiredDialog twin={twin} property={property} close={() => setOpen(false)} />}
    </span>
  );
}

function DesiredDialog({ twin, property, close }: { twin: Twin; property: Property; close: () => void }) {
  const field = fieldsOf({ name: property.name, displayName: property.displayName, schema: property.schema, unit: property.unit, minimum: property.minimum, maximum: property.maximum, values: property.values ?? null })[0]!;
  const [text, setText] = useState(property.desired === null ? (field.kind === "boolean" ? "true" : (field.choices[0]?.value ?? "")) : String(property.desired));
  const [problem, setProblem] = useState("");
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const checked = check(field, text);
    if (checked.problem) {
      setProblem(checked.problem);
      return;
    }
    try {
      await patch<Json>(`/twins/${encodeURIComponent(twin.id)}/desired`, { [property.path]: checked.value });
      toast(`Asked for ${field.label} ${text} ${field.unit}`.trim());
      changed.value += 1;
      close();
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  const choices = field.kind === "boolean" ? [{ value: "true", label: "Yes" }, { value: "false", label: "No" }] : field.choices;
  return (
    <Dialog title={`${field.label}: ${twin.name || twin.id}`} close={close}>
      <form class="stack" onSubmit={(event) => void submit(event)} noValidate>
        <div class="field">
          <label for="desired">Ask the device for{field.unit ? ` (${field.unit})` : ""}</label>
          {choices.length ? (
            <select id="desired" class="input" value={text} onChange={(event) => setText(event.currentTarget.value)}>
              {choices.map((choice) => (
                <option key={choice.value} value={choice.value}>
                  {choice.label}
                </option>
              ))}
            </select>
          ) : (
            <input id="desired" class="input" value={text} autocomplete="off" onInput={(event) => setText(event.currentTarget.value)} aria-describedby="desired-help" />
          )}
          <span id="desired-help" class={problem ? "problem" : "meta"} role={problem ? "alert" : undefined}>
            {problem || rangeOf(field)}
          </span>
        </div>
        <div class="row" style={{ justifyContent: "flex-end" }}>
          <button type="button" class="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" class="button primary">
            Ask
          </button>
        </div>
      </form>
    </Dialog>
  );
}
