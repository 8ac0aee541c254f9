/** One command: what was asked against what was read, its life, who approved, and its audit trail. */

import { get } from "@/core/api.ts";
import { STEP_WORDS } from "@/core/commands.ts";
import { nameOf } from "@/core/plant.ts";
import { useResource } from "@/core/resource.ts";
import { href } from "@/core/router.ts";
import type { AuditRow, Command } from "@/core/types.ts";
import { formatClock, parseTime } from "@/core/words.ts";
import { Failed } from "@/shell/notices.tsx";
import { Icon } from "@/shell/icon.tsx";
import { Life } from "@/twins/command.tsx";
import { Foretold } from "./effect.tsx";
import { CommandActs, type Act } from "./line.tsx";
import { asked, short, waitsFor } from "./words.ts";

export function CommandDetail({ command, act, close }: { command: Command; act: (what: Act, command: Command) => void; close: () => void }) {
  return (
    <div class="command-detail" data-testid="command-detail" data-id={command.id} data-state={command.state}>
      <div class="panel-head">
        <h2 class="grow">
          {command.command} {asked(command)} <span class="soft">to</span> <a href={href("twins", command.twin)}>{nameOf(command.twin)}</a>
        </h2>
        <button class="button quiet square" aria-label="Close the details" onClick={close}>
          <Icon name="close" />
        </button>
      </div>
      <section class="panel-part">
        <p>{waitsFor(command) || STEP_WORDS[command.state] || command.state}</p>
        <CommandActs command={command} act={act} />
      </section>
      {command.confirm && <Comparison command={command} />}
      <Foretold command={command} />
      <section class="panel-part" aria-label="What happened">
        <h3>What happened</h3>
        <Life command={command} />
      </section>
      <Facts command={command} />
      <Trail command={command} />
    </div>
  );
}

/** What was asked beside what was read. */
function Comparison({ command }: { command: Command }) {
  const check = command.confirm!;
  const seen = parseTime(check.seenTime);
  return (
    <section class="panel-part" aria-label="Asked and read" data-testid="comparison">
      <h3>Asked and read</h3>
      <dl class="compare">
        <div>
          <dt>{check.property} asked</dt>
          <dd>
            {short(check.asked)}
            {check.tolerance > 0 && <span class="meta"> ± {check.tolerance}</span>}
          </dd>
        </div>
        <div>
          <dt>read</dt>
          <dd>
            {seen === null ? "—" : short(check.seen)}
            {seen !== null && <span class="meta"> at {formatClock(seen)}</span>}
          </dd>
        </div>
      </dl>
      <p class={command.state === "unconfirmed" ? "problem" : "soft"}>
        {command.state === "confirmed" ? "A reading agrees." : command.state === "unconfirmed" ? "The device says that it was done, and no reading agrees." : `Confirmed when a reading agrees within ${check.within} s of the device's answer.`}
      </p>
    </section>
  );
}

function Facts({ command }: { command: Command }) {
  const approval = command.approval;
  return (
    <section class="panel-part" aria-label="Facts">
      <dl class="facts">
        {approval && approval.needed > 0 && (
          <div class="fact">
            <dt>Approved by</dt>
            <dd>
              {approval.by.length ? approval.by.join(", ") : "nobody yet"} ({approval.by.length} of {approval.needed})
            </dd>
          </div>
        )}
        {approval?.takenBy && (
          <div class="fact">
            <dt>Taken over by</dt>
            <dd>{approval.takenBy}</dd>
          </div>
        )}
        {command.service && (
          <div class="fact">
            <dt>Asked by itself</dt>
            <dd>{command.service}</dd>
          </div>
        )}
        <div class="fact">
          <dt>Hash of what is asked</dt>
          <dd class="hash" title={command.hash}>
            {command.hash.slice(0, 16)}
          </dd>
        </div>
      </dl>
    </section>
  );
}

function Trail({ command }: { command: Command }) {
  const found = useResource(`audit ${command.id}`, (abort) => get<{ value: AuditRow[] }>(`/audit?kind=command&key=${encodeURIComponent(command.id)}&limit=50`, abort), command.steps.length);
  return (
    <section class="panel-part" aria-label="Audit trail" data-testid="trail">
      <h3>Audit trail</h3>
      {found.error && !found.data && <Failed error={found.error} what="The audit trail" retry={found.retry} />}
      <ol class="trail">
        {(found.data?.value ?? []).map((row) => (
          <li key={row.seq}>
            <span class="meta">{row.seq}</span>
            <span class="grow">
              {row.why} <span class="soft">{row.who}</span>
            </span>
            <span class="hash" title={row.hash ?? ""}>
              {row.hash?.slice(0, 10)}
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}
