import { expect, it } from "vitest";
import { folded } from "@/alarms/fold.ts";
import type { Alarm, AlarmGroup } from "@/core/types.ts";

const alarm = (id: string, group: string | null = null) => ({ id, group }) as Alarm;
const group = (id: string, more: Partial<AlarmGroup> = {}) => ({ id, causeAlarm: null, firstOut: "", into: null, ...more }) as AlarmGroup;
const shown = (rows: ReturnType<typeof folded>) => rows.map((row) => `${row.isMember ? "  " : ""}${row.alarm.id}${row.behind ? ` +${row.behind}` : ""}`);

it("alarms of one cause stand behind the alarm of the cause, at the place of the most urgent", () => {
  const known = new Map([["g", group("g", { causeAlarm: "c", firstOut: "b" })]]);
  const list = [alarm("x"), alarm("a", "g"), alarm("b", "g"), alarm("y"), alarm("c", "g")];
  expect(shown(folded(list, known, new Set()))).toEqual(["x", "c +2", "y"]);
  expect(shown(folded(list, known, new Set(["g"])))).toEqual(["x", "c +2", "  a", "  b", "y"]);
});

it("a group that became part of another is shown with it, and what is alone stays alone", () => {
  const known = new Map([
    ["old", group("old", { into: "new" })],
    ["new", group("new", { firstOut: "b" })],
  ]);
  expect(shown(folded([alarm("a", "old"), alarm("b", "new")], known, new Set()))).toEqual(["b +1"]);
  expect(shown(folded([alarm("a", "old"), alarm("z", "unknown")], known, new Set()))).toEqual(["a", "z"]);
});
