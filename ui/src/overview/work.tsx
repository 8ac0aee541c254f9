/** What is to be done at the plant: work orders with their checklists, what is due next, and the way to a machine by its code. */

import { get, me } from "@/core/api.ts";
import { tick } from "@/core/clock.ts";
import { isKiosk } from "@/core/kiosk.ts";
import { nameOf, rows } from "@/core/plant.ts";
import { useResource } from "@/core/resource.ts";
import { href, place } from "@/core/router.ts";
import type { Page, WorkOrder } from "@/core/types.ts";
import { formatAge } from "@/core/words.ts";
import { sentCount } from "@/core/outbox.ts";
import { workTold } from "@/live/client.ts";
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
  const { data, error, retry } = useResource("work to do", (abort) => get<Page<WorkOrder>>(`/work-orders?limit=${FETCHED}`, abort), `${sentCount.value} ${workTold.value}`);
  const list = inOrder((data?.value ?? []).filter(isToDo));
  const mine = list.filter(isMine);
  const along = partsOf(mine.length ? mine : list.filter((order) => order.state !== "proposed"));
  const next = list.filter((order) => order.due !== null).sort((a, b) => Date.parse(a.due!) - Date.parse(b.due!))[0];
  return (
    <section class="panel-section" aria-label="Work" data-testid="work">
      <div class="panel-head">
        <h2 class="grow">
          Work <span class="meta">{data ? `${list.length} to do${mine.length ? `, ${mine.length} mine` : ""}` : ""}</span>
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
              <span class="meta ellipsis">{[order.state, isMine(order) ? "mine" : order.assignee, ticked(order), order.due && untilDue(order, tick.value)].filter(Boolean).join(" · ")}</span>
              {order.state !== "proposed" && firstOpen(order) && <span class="meta ellipsis">To check: {firstOpen(order)}</span>}
            </Choosing>
          </li>
        ))}
      </ul>
      {along.length > 0 && (
        <div class="work-along" data-testid="work-along">
          <h3>To take along{mine.length ? "" : ", for all that is accepted"}</h3>
          <ul>
            {along.map((part) => (
              <li key={`${part.name} ${part.number}`}>
                <span class="ellipsis">
                  {part.name} {part.number && <span class="meta">{part.number}</span>}
                </span>
                <span class="value">{part.count} ×</span>
              </li>
            ))}
          </ul>
        </div>
      )}
    </section>
  );
}

const isMine = (order: WorkOrder): boolean => order.assignee !== "" && order.assignee === me.value?.name;
const RANK: readonly string[] = ["in progress", "open", "planned", "proposed"];

/** My own first, then what is under way, then what is due first. */
function inOrder(list: WorkOrder[]): WorkOrder[] {
  const due = (order: WorkOrder): number => (order.due ? Date.parse(order.due) : Infinity);
  const rank = (order: WorkOrder): number => Number(!isMine(order)) * 10 + RANK.indexOf(order.state);
  return list.sort((a, b) => rank(a) - rank(b) || (due(a) === due(b) ? 0 : due(a) - due(b)) || a.priority - b.priority);
}

/** The parts of several orders, equal ones added up. */
export function partsOf(list: readonly WorkOrder[]): WorkOrder["parts"] {
  const found = new Map<string, WorkOrder["parts"][number]>();
  for (const part of list.flatMap((order) => order.parts)) {
    const key = `${part.name}\n${part.number}`;
    found.set(key, { ...part, count: (found.get(key)?.count ?? 0) + part.count });
  }
  return [...found.values()];
}

const firstOpen = (order: WorkOrder): string => order.checklist?.find((one) => one.done === null)?.item ?? "";

function ticked(order: WorkOrder): string {
  const list = order.checklist ?? [];
  return list.length ? `${list.filter((one) => one.done !== null).length} of ${list.length} checked` : "";
}

function untilDue(order: WorkOrder, now: number): string {
  const left = (Date.parse(order.due!) - now) / 1000;
  return left < 0 ? `due ${formatAge(-left)} ago` : `due in ${formatAge(left)}`;
}
