/** What is to be done at a twin, and what was done: its work orders, the newest first. */

import { useState } from "preact/hooks";
import { get, may, patch, post } from "@/core/api.ts";
import { tick } from "@/core/clock.ts";
import { useResource } from "@/core/resource.ts";
import { workTold } from "@/live/client.ts";
import { href } from "@/core/router.ts";
import type { Page, Twin, WorkOrder } from "@/core/types.ts";
import { formatMoment } from "@/core/words.ts";
import { blockedFrom } from "@/core/writing.ts";
import { AttachedList, FieldActs, tickItem, WaitingList } from "@/field/attached.tsx";
import { sentCount, waiting } from "@/core/outbox.ts";
import { Badge } from "@/shell/badge.tsx";
import { Dialog } from "@/shell/dialog.tsx";
import { ActionButton, Failed, SkeletonRows } from "@/shell/notices.tsx";

type Doing = "create" | "note" | "accept" | "plan" | "start" | "pause" | "finish" | "cancel" | "reopen";

/** The table of docs/reference/work.md. */
const POSSIBLE: Record<WorkOrder["state"], Doing[]> = {
  proposed: ["accept", "plan", "cancel"],
  open: ["plan", "start", "finish", "cancel"],
  planned: ["start", "cancel"],
  "in progress": ["pause", "finish", "cancel"],
  done: ["reopen"],
  cancelled: ["reopen"],
};
const WORDS: Record<Doing, string> = { create: "New work order", note: "Add a note", accept: "Accept", plan: "Plan", start: "Start", pause: "Pause", finish: "Finish", cancel: "Cancel the order", reopen: "Reopen" };
const NEEDED: ReadonlySet<Doing> = new Set<Doing>(["create", "note", "finish", "cancel", "reopen"]);

export function MaintenanceTab({ twin }: { twin: Twin }) {
  const { data, error, retry } = useResource(`work of ${twin.id}`, (abort) => get<Page<WorkOrder>>(`/work-orders?twin=${encodeURIComponent(twin.id)}`, abort), `${sentCount.value} ${workTold.value}`);
  const [doing, setDoing] = useState<{ what: Doing; order?: WorkOrder } | null>(null);
  const blocked = blockedFrom("alarms:write");
  if (error && !data) return <Failed error={error} what="The work orders" retry={retry} />;
  if (!data) return <SkeletonRows count={3} height={54} />;
  return (
    <div class="stack" style={{ gap: "16px" }}>
      <div class="row">
        <ActionButton testId="work-create" blocked={blocked} onAct={() => setDoing({ what: "create" })}>
          New work order…
        </ActionButton>
      </div>
      <FieldActs twin={twin.id} />
      <WaitingList />
      {data.value.length === 0 && <p class="soft">Nothing was done here yet, and nothing is to be done.</p>}
      {data.value.map((order) => (
        <Order key={order.id} order={order} blocked={blocked} ask={(what) => setDoing({ what, order })} />
      ))}
      <AttachedList twin={twin.id} />
      {doing && (
        <WorkDialog
          {...doing}
          twin={twin.id}
          close={() => {
            setDoing(null);
            retry();
          }}
        />
      )}
    </div>
  );
}

/** As it will be once everything that waits is sent. */
function isDone(order: string, one: { item: string; done: string | null }): boolean {
  const mine = waiting.value.filter((wait) => wait.path === `/work-orders/${encodeURIComponent(order)}` && !wait.problem).map((wait) => (JSON.parse(String(wait.body)) as { check: { item: string; done: boolean } }).check);
  return mine.filter((check) => check.item === one.item).at(-1)?.done ?? one.done !== null;
}

function Order({ order, blocked, ask }: { order: WorkOrder; blocked: string; ask: (what: Doing) => void }) {
  const now = tick.value;
  return (
    <section class="work-order" data-testid="work-order" data-state={order.state} aria-label={order.title}>
      <h3>
        <Badge priority={order.priority} outline={order.finished !== null} /> {order.title} <span class="tag">{order.state}</span>
      </h3>
      <p class="meta">
        {order.id}
        {order.assignee && ` · ${order.assignee}`}
        {order.due && ` · until ${formatMoment(Date.parse(order.due), now)}`}
        {order.alarms.map((alarm) => (
          <span key={alarm}>
            {" · "}
            <a href={href("alarms", alarm, { show: "all" })}>alarm</a>
          </span>
        ))}
      </p>
      {order.parts.length > 0 && <p>Parts: {order.parts.map((part) => `${part.count} × ${part.name}${part.number ? ` ${part.number}` : ""}`).join(", ")}</p>}
      {order.checklist && order.checklist.length > 0 && (
        <ul class="checklist" aria-label="Checklist">
          {order.checklist.map((one) => (
            <li key={one.item}>
              <label>
                <input type="checkbox" data-testid="check" checked={isDone(order.id, one)} disabled={!may("alarms:write")} onChange={(event) => void tickItem(order.id, one.item, event.currentTarget.checked)} />
                <span>
                  {one.item} {one.done && <span class="meta">{one.by}</span>}
                </span>
              </label>
            </li>
          ))}
        </ul>
      )}
      <ul>
        {[...order.steps].reverse().map((step, i) => (
          <li key={i}>
            <span class="meta">
              {formatMoment(Date.parse(step.time), now)} <strong>{step.who}</strong> {step.what}
            </span>
            {step.note && <p>{step.note}</p>}
          </li>
        ))}
      </ul>
      <div class="row" style={{ flexWrap: "wrap" }}>
        {([...POSSIBLE[order.state], "note"] as Doing[]).map((what) => (
          <ActionButton key={what} testId={`work-${what}`} blocked={blocked} onAct={() => ask(what)}>
            {WORDS[what]}…
          </ActionButton>
        ))}
      </div>
    </section>
  );
}

function WorkDialog({ what, order, twin, close }: { what: Doing; order?: WorkOrder; twin: string; close: () => void }) {
  const [text, setText] = useState("");
  const [items, setItems] = useState("");
  const [problem, setProblem] = useState("");
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const said = text.trim();
    if (NEEDED.has(what) && !said) return setProblem("Write something first.");
    try {
      const checklist = items.split("\n").map((item) => item.trim()).filter(Boolean);
      if (what === "create") await post("/work-orders", { twin, title: said, ...(checklist.length && { checklist }) });
      else if (what === "note") await patch(`/work-orders/${encodeURIComponent(order!.id)}`, { note: said });
      else await post(`/work-orders/${encodeURIComponent(order!.id)}/acts`, { act: what, note: said });
      close();
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <Dialog title={WORDS[what]} close={close} testId="work-dialog">
      <form class="stack" style={{ gap: "12px" }} onSubmit={(event) => void submit(event)}>
        {order && <p class="soft">{order.title}</p>}
        <div class="field">
          <label for="work-text">{what === "create" ? "What is to be done" : NEEDED.has(what) ? "Note" : "Note (optional)"}</label>
          <textarea id="work-text" class="input" autofocus value={text} onInput={(event) => setText(event.currentTarget.value)} onKeyDown={(event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && void submit(event)} aria-describedby="work-problem" />
          <span id="work-problem" class="problem" role="alert">
            {problem}
          </span>
        </div>
        {what === "create" && (
          <div class="field">
            <label for="work-items">Checklist, an item a line (optional)</label>
            <textarea id="work-items" class="input" value={items} onInput={(event) => setItems(event.currentTarget.value)} />
          </div>
        )}
        <div class="row" style={{ justifyContent: "flex-end" }}>
          <button type="button" class="button" onClick={close}>
            Back
          </button>
          <button type="submit" class="button primary" data-testid="work-send">
            {WORDS[what]}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
