import { signal } from "@preact/signals";
import { counts } from "@/core/alarms.ts";
import { href, place, type RouteName } from "@/core/router.ts";
import { setTheme, theme, type Theme } from "@/core/theme.ts";
import { status } from "@/live/client.ts";
import { layer } from "./app.tsx";
import { Icon } from "./icon.tsx";

export const isNavNarrow = signal(readNarrow());

function readNarrow(): boolean {
  try {
    const kept = localStorage.getItem("gemel.nav");
    return kept ? kept === "narrow" : innerWidth < 1100;
  } catch {
    return false;
  }
}

function toggle(): void {
  isNavNarrow.value = !isNavNarrow.value;
  try {
    localStorage.setItem("gemel.nav", isNavNarrow.value ? "narrow" : "wide");
  } catch {
    // Lasts as long as the page.
  }
}

const ITEMS: { route: RouteName; words: string; more?: string; icon: string; keys: string }[] = [
  { route: "overview", words: "Overview", icon: "overview", keys: "g o" },
  { route: "plant", words: "Plant 3D", icon: "twins", keys: "g p" },
  { route: "twins", words: "Twins", icon: "nodes", keys: "g t" },
  { route: "alarms", words: "Alarms", icon: "alarms", keys: "g a" },
  { route: "commands", words: "Commands", icon: "send", keys: "g c" },
  { route: "value", words: "Value", more: "& fidelity", icon: "trend", keys: "g v" },
];

const NEXT: Record<Theme, Theme> = { system: "dark", dark: "light", light: "system" };
const THEME_ICON: Record<Theme, string> = { system: "system", dark: "moon", light: "sun" };

export function Nav() {
  const isNarrow = isNavNarrow.value;
  const discovered = status.value?.discovered ?? 0;
  const count = (route: RouteName): number => (route === "alarms" ? counts.value.total : route === "twins" ? discovered : 0);
  const now = theme.value;
  return (
    <nav class="nav" aria-label="Pages">
      {ITEMS.map((item) => (
        <a key={item.route} href={href(item.route)} aria-current={place.value.route === item.route ? "page" : undefined} title={isNarrow ? `${item.words} (${item.keys})` : undefined} data-testid={`nav-${item.route}`}>
          <Icon name={item.icon} />
          <span class="word">
            {item.words}
            {item.more && <span class="more"> {item.more}</span>}
          </span>
          {count(item.route) > 0 && (
            <span class="count">
              {count(item.route)}
              {item.route === "twins" && <span class="visually-hidden"> newly found devices</span>}
            </span>
          )}
        </a>
      ))}
      <div class="foot">
        <button class="button quiet square collapse" aria-label={isNarrow ? "Widen the list of pages" : "Narrow the list of pages"} title={isNarrow ? "Widen" : "Narrow"} onClick={toggle}>
          <Icon name="menu" />
        </button>
        <button class="button quiet square" aria-label={`Theme: ${now}. Change to ${NEXT[now]}`} title={`Theme: ${now}`} data-testid="theme" onClick={() => setTheme(NEXT[now])}>
          <Icon name={THEME_ICON[now]} />
        </button>
        <button class="button quiet square collapse" aria-label="Keyboard shortcuts" title="Keyboard shortcuts (?)" onClick={() => (layer.value = "shortcuts")}>
          <Icon name="keyboard" />
        </button>
      </div>
    </nav>
  );
}
