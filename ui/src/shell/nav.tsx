import { computed } from "@preact/signals";
import { Fragment } from "preact";
import { counts } from "@/core/alarms.ts";
import { waitingCommands } from "@/core/commands.ts";
import { kept } from "@/core/kept.ts";
import { href, place, setSearch } from "@/core/router.ts";
import { ROUTES, type Route, type RouteName } from "@/core/routes.ts";
import { setTheme, theme, type Theme } from "@/core/theme.ts";
import { status } from "@/live/client.ts";
import { layer } from "./app.tsx";
import { Dialog } from "./dialog.tsx";
import { Icon } from "./icon.tsx";

const width = kept<"narrow" | "wide">("gemel.nav", innerWidth < 1100 ? "narrow" : "wide", (text) => text === "narrow" || text === "wide");
export const isNavNarrow = computed(() => width.value === "narrow");

const toggle = (): void => {
  width.value = isNavNarrow.value ? "wide" : "narrow";
};

const NEXT: Record<Theme, Theme> = { system: "dark", dark: "light", light: "system" };
const THEME_ICON: Record<Theme, string> = { system: "system", dark: "moon", light: "sun" };

const isHere = (of: Route): boolean => place.value.route === of.route;

const COUNTED: Partial<Record<string, string>> = { alarms: "open", commands: "waiting for a person", twins: "newly found devices" };

function countOf(of: Route): number {
  if (of.route === "alarms") return counts.value.total;
  if (of.route === "commands") return waitingCommands.value.length;
  return of.route === "twins" ? (status.value?.discovered ?? 0) : 0;
}

/** The side bar; narrow windows show four pages of it at the bottom, and More. */
export function Nav() {
  const isNarrow = isNavNarrow.value;
  return (
    <nav class="nav" aria-label="Pages">
      {ROUTES.map((one: Route) => (
        <Fragment key={one.route}>
          {one.heading && <span class="heading">{one.heading}</span>}
          <PageLink of={one} isNarrow={isNarrow} />
        </Fragment>
      ))}
      <button class={`more-button${ROUTES.some((one: Route) => !one.isOnPhone && isHere(one)) ? " here" : ""}`} aria-haspopup="dialog" aria-expanded={layer.value === "more"} data-testid="nav-more" onClick={() => (layer.value = "more")}>
        <Icon name="more" />
        <span class="word">More</span>
      </button>
      <div class="foot">
        <button class="button quiet square" aria-label={isNarrow ? "Widen the list of pages" : "Narrow the list of pages"} title={isNarrow ? "Widen" : "Narrow"} onClick={toggle}>
          <Icon name="menu" />
        </button>
        <ThemeButton isSquare />
        <button class="button quiet square" aria-label="Settings" title="Settings" aria-haspopup="dialog" data-testid="settings-button" onClick={openSettings}>
          <Icon name="settings" />
        </button>
        <button class="button quiet square" aria-label="Keyboard shortcuts" title="Keyboard shortcuts (?)" onClick={() => (layer.value = "shortcuts")}>
          <Icon name="keyboard" />
        </button>
      </div>
    </nav>
  );
}

export const openSettings = (): void => setSearch({ settings: "look" });

function PageLink({ of, isNarrow = false, act }: { of: Route; isNarrow?: boolean; act?: () => void }) {
  const count = countOf(of);
  return (
    <a class={of.isOnPhone || act ? "" : "beyond"} href={href(of.route as RouteName)} aria-current={isHere(of) ? "page" : undefined} title={isNarrow ? `${of.words} (g ${of.letter})` : undefined} data-testid={`${act ? "more" : "nav"}-${of.route}`} onClick={act}>
      <Icon name={of.icon} />
      <span class="word">{of.words}</span>
      {count > 0 && (
        <span class="count">
          {count}
          <span class="visually-hidden"> {COUNTED[of.route]}</span>
        </span>
      )}
    </a>
  );
}

function ThemeButton({ isSquare = false }: { isSquare?: boolean }) {
  const now = theme.value;
  return (
    <button class={`button quiet${isSquare ? " square" : ""}`} aria-label={`Theme: ${now}. Change to ${NEXT[now]}`} title={`Theme: ${now}`} data-testid="theme" onClick={() => setTheme(NEXT[now])}>
      <Icon name={THEME_ICON[now]} />
      {!isSquare && <span class="word">Theme: {now}</span>}
    </button>
  );
}

/** What does not fit into the bar of a phone. */
export function More({ close }: { close: () => void }) {
  return (
    <Dialog title="More pages" close={close} testId="more" kind="sheet">
      <nav class="more-pages" aria-label="More pages">
        {ROUTES.filter((one: Route) => !one.isOnPhone).map((one) => (
          <PageLink key={one.route} of={one} act={close} />
        ))}
        <button class="button quiet" data-testid="more-search" onClick={() => (layer.value = "palette")}>
          <Icon name="search" />
          <span class="word">Find a twin or an alarm</span>
        </button>
        {"BarcodeDetector" in window && (
          <button class="button quiet" data-testid="more-scan" onClick={() => (layer.value = "scan")}>
            <Icon name="scan" />
            <span class="word">Scan a code</span>
          </button>
        )}
        <ThemeButton />
        <button class="button quiet" aria-haspopup="dialog" data-testid="more-settings" onClick={() => (close(), openSettings())}>
          <Icon name="settings" />
          <span class="word">Settings</span>
        </button>
      </nav>
    </Dialog>
  );
}
