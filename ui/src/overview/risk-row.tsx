/** A limit that a prediction is about to break, as a line of what needs attention. */

import { wall } from "@/core/clock.ts";
import { href, place } from "@/core/router.ts";
import type { Risk } from "@/core/types.ts";
import { plainAsRead, unitAsRead } from "@/core/units.ts";
import { formatAge } from "@/core/words.ts";
import { Badge } from "@/shell/badge.tsx";
import { Choosing } from "./choosing.tsx";

export function RiskRow({ risk }: { risk: Risk }) {
  const ahead = (Date.parse(risk.time) - wall.value) / 1000;
  return (
    <li class={`alarm-row${place.value.search.get("twin") === risk.twin ? " chosen" : ""}`} data-testid="risk-row" data-twin-id={risk.twin}>
      <Badge priority={risk.priority} outline />
      <Choosing twin={risk.twin} to={href("trends", "", { panels: `${risk.twin}:${risk.property}` })}>
        <strong>
          {risk.twinName} <span class="alarm-title">{risk.title}</span>
        </strong>
        <span class="meta ellipsis">
          foreseen · P({risk.isAbove ? "above" : "below"} {plainAsRead(risk.limit, risk.unit)} {unitAsRead(risk.unit)} in {formatAge(ahead)}) = {risk.chance.toFixed(2)}
        </span>
      </Choosing>
    </li>
  );
}
