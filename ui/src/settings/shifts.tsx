/** The plant's shifts: their names and starts, in its own time zone. The status line and the handover go by them. */

import { useEffect, useState } from "preact/hooks";
import { get, put } from "@/core/api.ts";
import { useResource } from "@/core/resource.ts";
import type { Philosophy } from "@/core/types.ts";
import { blockedFrom } from "@/core/writing.ts";
import { zones } from "@/core/zone.ts";
import { Failed, SkeletonRows } from "@/shell/notices.tsx";
import { Icon } from "@/shell/icon.tsx";
import { attempt } from "./act.ts";

type Shift = Philosophy["shifts"][number];

export function Shifts() {
  const { data, error, retry } = useResource("philosophy", (abort) => get<Philosophy>("/alarms/philosophy", abort));
  if (error && !data) return <Failed error={error} what="The shifts" retry={retry} />;
  if (!data) return <SkeletonRows count={3} />;
  return <ShiftForm key={JSON.stringify(data)} kept={data} saved={retry} />;
}

function ShiftForm({ kept, saved }: { kept: Philosophy; saved: () => void }) {
  const [list, setList] = useState<Shift[]>(kept.shifts);
  const [zone, setZone] = useState(kept.timeZone);
  const [problem, setProblem] = useState("");
  const blocked = blockedFrom("rules:write");
  const change = (at: number, part: Partial<Shift>): void => setList(list.map((one, i) => (i === at ? { ...one, ...part } : one)));
  const save = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (!blocked) setProblem(await attempt(() => put("/alarms/philosophy", { ...kept, shifts: list, timeZone: zone }), "The shifts count from now on", saved));
  };
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  useEffect(() => {
    if (kept.shifts.length === 0 && kept.timeZone === "UTC") setZone(here);
  }, []);
  return (
    <form class="stack settings-part" data-testid="shifts" onSubmit={(event) => void save(event)}>
      <p class="meta">Of the whole plant. A shift lasts until the next one starts.</p>
      {list.length === 0 && <p class="soft">There are no shifts.</p>}
      {list.map((one, i) => (
        <div class="row shift-row" key={i}>
          <input class="input grow" aria-label={`Name of shift ${i + 1}`} data-testid="shift-name" required maxLength={40} value={one.name} onInput={(event) => change(i, { name: event.currentTarget.value })} />
          <input class="input" type="time" aria-label={`Start of shift ${i + 1}`} data-testid="shift-start" required value={one.start} onInput={(event) => change(i, { start: event.currentTarget.value })} />
          <button type="button" class="button quiet square" aria-label={`Remove the shift ${one.name}`} onClick={() => setList(list.filter((_one, at) => at !== i))}>
            <Icon name="close" small />
          </button>
        </div>
      ))}
      <div class="row">
        <button type="button" class="button" data-testid="shift-add" onClick={() => setList([...list, { name: "", start: nextStart(list) }])}>
          <Icon name="plus" small /> Add a shift
        </button>
      </div>
      <div class="field">
        <label for="shift-zone">Time zone of the plant</label>
        <select id="shift-zone" class="input" data-testid="shift-zone" value={zone} onChange={(event) => setZone(event.currentTarget.value)}>
          {[...new Set(["UTC", zone, ...zones()])].map((one) => (
            <option key={one} value={one}>
              {one}
            </option>
          ))}
        </select>
      </div>
      <p class="problem" role="alert">
        {problem}
      </p>
      <div>
        <button class="button primary" type="submit" data-testid="shifts-save" aria-disabled={blocked ? "true" : undefined} title={blocked || undefined}>
          Save
        </button>
      </div>
    </form>
  );
}

/** Eight hours after the last one. */
function nextStart(list: readonly Shift[]): string {
  const last = list.at(-1)?.start;
  const hour = last ? (Number(last.slice(0, 2)) + 8) % 24 : 6;
  return `${String(hour).padStart(2, "0")}:${last ? last.slice(3) : "00"}`;
}
