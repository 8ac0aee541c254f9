/** What is to be done at the plant: work orders with their checklists, what is due next, and the way to a machine by its code. */

import { get } from "@/core/api.ts";
import { tick, wall } from "@/core/clock.ts";
import { isKiosk } from "@/core/kiosk.ts";
import { nameOf, rows } from "@/core/plant.ts";
import { useResource } from "@/core/resource.ts";
import { href, place } from "@/core/router.ts";
import type { Page, WorkOrder } from "@/core/types.ts";
import { formatAge } from "@/core/words.ts";
import { sentCount } from "@/core/outbox.ts";
import { layer } from "@/shell/app.tsx";
import { Badge } from "@/shell/badge.tsx";
import { Icon } from "@/shell/icon.tsx";
import { Failed, SkeletonRows } from "@/shell/notices.tsx";
import { Choosing } from "./choosing.tsx";

const SHOWN = 8;
const FETCHED = 1000;
const isToDo = (order: WorkOrder): boolean => order.state !== "done" && order.state !== "cancelled";

export function Work() {
  void rows.value; // names of twins
  const { data, error, retry } = useResource("work to do", (abort) => get<Page<WorkOrder>>(`/work-orders?limit=${FETCHED}`, abort), `${sentCount.value} ${Math.floor(wall.value / 60_000)}`);
  const list = (data?.value ?? []).filter(isToDo);
  const next = list.filter((order) => order.due !== null).sort((a, b) => Date.parse(a.due!) - Date.parse(b.due!))[0];
  return (
    <section class="panel-section" aria-label="Work" data-testid="work">
      <div class="panel-head">
        <h2 class="grow">
          Work <span class="meta">{data ? `${list.length} to do` : ""}</span>
        </h2>
        {!isKiosk.value && (
          <button class="button" data-testid="work-scan" onClick={() => (layer.value = "BarcodeDetector" in window ? "scan" : "palette")}>
            <Icon name={"BarcodeDetector" in window ? "scan" : "search"} small /> {"BarcodeDetector" in window ? "Scan a code" : "Find a machine"}
          </button>
        )}
      </div>
      {error && !data && <Failed error={error} what="The work orders" retry={retry} />}
      {!data && !error && <SkeletonRows count={3} height={54} />}
      {data && list.length === 0 && <p class="notice">Nothing is to be done. Work orders come from alarms, from services and from people.</p>}
      {next && (
        <p class="work-next meta" data-testid="work-next">
          Next: <strong>{nameOf(next.twin)}</strong>, {untilDue(next, tick.value)}
        </p>
      )}
      <ul>
        {list.slice(0, SHOWN).map((order) => (
          <li key={order.id} class={`panel-row${place.value.search.get("twin") === order.twin ? " chosen" : ""}`} data-testid="work-row" data-order-id={order.id}>
            <Badge priority={order.priority} outline={order.state === "proposed"} />
            <Choosing twin={order.twin} to={href("twins", order.twin, { tab: "maintenance" })}>
              <strong class="ellipsis">
                {nameOf(order.twin)} <span class="alarm-title">{order.title}</span>
              </strong>
              <span class="meta ellipsis">{[order.state, order.assignee, ticked(order), order.due && untilDue(order, tick.value)].filter(Boolean).join(" · ")}</span>
            </Choosing>
          </li>
        ))}
      </ul>
    </section>
  );
}

function ticked(order: WorkOrder): string {
  const list = order.checklist ?? [];
  return list.length ? `${list.filter((one) => one.done !== null).length} of ${list.length} checked` : "";
}

function untilDue(order: WorkOrder, now: number): string {
  const left = (Date.parse(order.due!) - now) / 1000;
  return left < 0 ? `due ${formatAge(-left)} ago` : `due in ${formatAge(left)}`;
}
