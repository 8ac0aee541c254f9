import { effect, signal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import { alarmsLoaded, announcement, loadAlarms } from "@/core/alarms.ts";
import { get, me, whoAmI } from "@/core/api.ts";
import { loadWaitingCommands } from "@/core/commands.ts";
import { serverTimeIs } from "@/core/clock.ts";
import { singleKeys, isTyping, useKeys } from "@/core/keys.ts";
import { startOffline } from "@/core/offline.ts";
import { loadTwins, rowsLoaded } from "@/core/plant.ts";
import { go, href, place } from "@/core/router.ts";
import { routeAt, routeOf, type Route } from "@/core/routes.ts";
import { dismiss, toasts } from "@/core/toasts.ts";
import type { Status } from "@/core/types.ts";
import { link, refetches, startLive, status, stopLive } from "@/live/client.ts";
import { Header } from "./header.tsx";
import { Icon } from "./icon.tsx";
import { Login } from "./login.tsx";
import { More, Nav, isNavNarrow } from "./nav.tsx";
import { Palette } from "./palette.tsx";
import { Shortcuts } from "./shortcuts.tsx";
import { OfflineStrip, StatusBar } from "./status.tsx";
import { TimeBar } from "./timebar.tsx";
import { Lazy } from "./lazy.tsx";

export const layer = signal<"none" | "palette" | "shortcuts" | "more" | "scan">("none");

export function App() {
  if (me.value === null) return <Login />;
  return <Shell />;
}

function Shell() {
  useEffect(() => {
    startLive();
    const stop = effect(() => {
      void refetches.value;
      void loadAlarms();
      void loadTwins();
      void loadStatus();
      void loadWaitingCommands().catch(() => undefined); // the counter then stays as it is
      if (me.peek() === undefined) void whoAmI().catch(() => undefined);
    });
    return () => {
      stop();
      stopLive();
    };
  }, []);
  useGlobalKeys();
  const where = place.value;
  const page = routeOf(where.route);
  const isSetting = where.search.has("settings");
  const isReady = rowsLoaded.value && alarmsLoaded.value && status.value !== null;
  useEffect(() => {
    if (!isReady) return;
    document.documentElement.dataset["ready"] = "true";
    startOffline(); // its downloads come after what is looked at
  }, [isReady]);
  useTitle();
  return (
    <>
      <div class={`shell${isNavNarrow.value ? " narrow-nav" : ""}`} inert={layer.value !== "none" || isSetting}>
        <a class="visually-hidden" href="#main" onClick={(event) => (event.preventDefault(), document.getElementById("main")?.focus())}>
          Skip to the content
        </a>
        <Header />
        <Nav />
        <OfflineStrip />
        <main id="main" class="main" tabIndex={-1}>
          {page ? <Lazy key={page.route} of={page} id={where.id} /> : <Unknown />}
        </main>
        <TimeBar />
        <StatusBar />
      </div>
      {layer.value === "palette" && <Palette close={closeLayer} />}
      {layer.value === "shortcuts" && <Shortcuts close={closeLayer} />}
      {layer.value === "scan" && <Lazy of={SCAN} id="" />}
      {layer.value === "more" && <More close={closeLayer} />}
      {isSetting && <Lazy of={SETTINGS} id="" />}
      <Toasts />
      <div class="visually-hidden" aria-live="assertive" data-testid="announcer">
        {announcement.value}
      </div>
    </>
  );
}

/** No page of its own: a sheet over any page, and in its address. */
const SETTINGS: Route = { route: "settings", words: "Settings", letter: "", icon: "settings", load: async () => (await import("@/settings/sheet.tsx")).SettingsSheet };

const SCAN: Route = { route: "scan", words: "Scan", letter: "", icon: "scan", load: async () => scanWith((await import("@/field/scan.tsx")).Scan) };
const scanWith = (Scan: ComponentType<{ close: () => void }>) => () => <Scan close={closeLayer} />;

function closeLayer(): void {
  layer.value = "none";
}

async function loadStatus(): Promise<void> {
  try {
    const now = await get<Status>("/status");
    serverTimeIs(Date.parse(now.time));
    status.value = now;
  } catch {
    // The strip says that the server does not answer; the live stream brings the next one.
  }
}

let isGoing = false;
let goingTimer = 0;

function useGlobalKeys(): void {
  useKeys((event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      layer.value = layer.value === "palette" ? "none" : "palette";
      return true;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event) || !singleKeys.value || layer.value !== "none") return false;
    if (event.key === "?") {
      layer.value = "shortcuts";
      return true;
    }
    if (isGoing) {
      isGoing = false;
      const route = routeAt(event.key);
      if (route) go(href(route));
      return route !== undefined;
    }
    if (event.key === "g") {
      isGoing = true;
      clearTimeout(goingTimer);
      goingTimer = setTimeout(() => (isGoing = false), 1200) as unknown as number;
      return true;
    }
    return false;
  });
}

function useTitle(): void {
  const plant = status.value?.plant ?? "";
  const page = routeOf(place.value.route)?.words ?? "Not found";
  const lost = link.value.state === "offline" ? "Offline - " : "";
  useEffect(() => {
    document.title = `${lost}${place.value.id || page}${plant ? ` - ${plant}` : ""} - Gemel`;
  }, [plant, page, lost, place.value.id]);
}

function Unknown() {
  return (
    <div class="notice center">
      <h3>There is no page at this address</h3>
      <a class="button" href={href("overview")}>
        Go to the overview
      </a>
    </div>
  );
}

function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map((one) => (
        <div key={one.id} class="toast" data-testid="toast">
          <Icon name={one.isError ? "alarms" : "check"} />
          <span class="grow">{one.text}</span>
          <button class="button quiet square" aria-label="Dismiss" onClick={() => dismiss(one.id)}>
            <Icon name="close" small />
          </button>
        </div>
      ))}
    </div>
  );
}
