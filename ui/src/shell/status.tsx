import { me, signOut } from "@/core/api.ts";
import { wall } from "@/core/clock.ts";
import { isNewer, shownSince, takeNewer, waitingCount } from "@/core/offline.ts";
import { formatAge, formatClock, formatMoment, formatNumber, zoneName } from "@/core/words.ts";
import { link, retryLink, status } from "@/live/client.ts";
import { href } from "@/core/router.ts";
import { Icon } from "./icon.tsx";

const WORDS = { connecting: "Connecting", online: "Connected", offline: "Offline" };

export function StatusBar() {
  const now = status.value;
  const state = link.value.state;
  return (
    <footer class="status-bar" aria-label="Status">
      <span class="row" data-testid="connection" data-state={state}>
        <span class="link-dot" />
        {WORDS[state]}
        {state === "online" && now && <span data-testid="rate"> · {formatNumber(now.valuesPerSecond, 0)} values/s</span>}
      </span>
      <span data-testid="server-clock">
        Server clock {formatClock(wall.value)} {zoneName(wall.value)}
      </span>
      {now && (
        <span data-testid="abnormal">
          {now.abnormal} of {now.twins} twins abnormal{now.stale > 0 ? `, ${now.stale} stale` : ""}
        </span>
      )}
      {now?.killSwitch?.engaged && (
        <a class="stopped" href={href("commands")} data-testid="status-stopped">
          Automatic commands stopped
        </a>
      )}
      {now && now.behind > 1 && <span>Behind by {formatAge(now.behind)}</span>}
      <User />
    </footer>
  );
}

function User() {
  const who = me.value;
  if (!who) return null;
  const shift = status.value?.shift;
  return (
    <span class="row push" data-testid="user">
      {shift && (
        <a href={href("alarms", "", { show: "handover" })} title={`Until ${formatClock(Date.parse(shift.to))}; the handover`} data-testid="shift">
          {/shift/i.test(shift.name) ? shift.name : `Shift ${shift.name}`}
        </a>
      )}
      {shift && <span>·</span>}
      {who.name} · {who.role}
      <button class="button quiet square" style={{ minHeight: "24px", width: "24px" }} aria-label="Sign out" title="Sign out" onClick={() => void signOut()}>
        <Icon name="logout" small />
      </button>
    </span>
  );
}

/** A newer page is there: taken when its reader says so. */
function NewerStrip() {
  if (!isNewer.value) return null;
  return (
    <div class="strip" role="status" data-testid="newer-strip">
      <span class="grow">A newer version of this page is there.</span>
      <button class="button" onClick={takeNewer}>
        Reload
      </button>
    </div>
  );
}

export function OfflineStrip() {
  if (link.value.state !== "offline") return <NewerStrip />;
  const saved = shownSince.value;
  return (
    <div class="strip" role="status" data-testid="offline-strip">
      <Icon name="offline" />
      <span class="grow">Offline since {formatClock(link.value.since)}, {saved ? `showing saved data of ${formatMoment(saved, wall.value)}` : "showing last values"}
        {waitingCount.value > 0 && `, ${waitingCount.value} waiting to be sent`}
      </span>
      <button class="button" onClick={retryLink}>
        Retry now
      </button>
    </div>
  );
}
