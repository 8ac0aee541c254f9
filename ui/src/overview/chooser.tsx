/** For whom the overview is: as the role says, or as a person says on this device. */

import { setSearch } from "@/core/router.ts";
import { chosenLook, LOOKS, lookName, lookOfRole, type LookName } from "./looks.ts";

const ABOUT: Readonly<Record<LookName, string>> = {
  operator: "what needs attention, what waits for approval",
  engineer: "a large trend, how well models fit, how good the data is",
  manager: "value, key figures with a target, energy",
  technician: "work orders with their checklists, what is due next, scan",
};
const NAMES = Object.keys(LOOKS) as LookName[];

export function LookChooser({ id }: { id: string }) {
  const isAsked = new URLSearchParams(location.search).has("for");
  const choose = (name: string): void => {
    chosenLook.value = name as LookName | "";
    if (isAsked) setSearch({ for: null });
  };
  return (
    <select id={id} class="input" data-testid={id} value={isAsked ? lookName.value : chosenLook.value} onChange={(event) => choose(event.currentTarget.value)}>
      <option value="">As my role: {LOOKS[lookOfRole.value].words.toLowerCase()}</option>
      {NAMES.map((name) => (
        <option key={name} value={name}>
          {LOOKS[name].words}: {ABOUT[name]}
        </option>
      ))}
    </select>
  );
}
