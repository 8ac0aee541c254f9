/**
 * The pages, in the order of the side bar: a page is one line here and a folder beside `core`.
 * The letter goes there after `g`; `isOnPhone` are the four of the phone's bar, the rest stand under More.
 */

import type { ComponentType } from "preact";

export interface Route {
  route: string;
  words: string;
  letter: string;
  icon: string;
  isOnPhone?: boolean;
  /** Stands above it in the side bar. */
  heading?: string;
  load: () => Loaded;
}

/** What a page is given: the part of the address after its name. */
export type PageView = ComponentType<{ id: string }>;
type Loaded = Promise<PageView>;

// Each `load` says what it gives, so that the types of the pages do not lead back to the names of the routes.
export const ROUTES = [
  { route: "overview", words: "Overview", letter: "o", icon: "overview", isOnPhone: true, load: (): Loaded => import("@/overview/page.tsx").then((one) => one.OverviewPage) },
  { route: "plant", words: "Plant 3D", letter: "p", icon: "twins", load: (): Loaded => import("@/plant/page.tsx").then((one) => one.PlantPage) },
  { route: "twins", words: "Twins", letter: "t", icon: "nodes", isOnPhone: true, load: (): Loaded => import("@/twins/page.tsx").then((one) => one.TwinsPage) },
  { route: "trends", words: "Trends", letter: "r", icon: "trend", load: (): Loaded => import("@/trends/page.tsx").then((one) => one.TrendsPage) },
  { route: "alarms", words: "Alarms", letter: "a", icon: "alarms", isOnPhone: true, load: (): Loaded => import("@/alarms/page.tsx").then((one) => one.AlarmsPage) },
  { route: "what-if", words: "What-if", letter: "w", icon: "branch", heading: "Decide", load: (): Loaded => import("@/whatif/page.tsx").then((one) => one.WhatIfPage) },
  { route: "commands", words: "Commands", letter: "c", icon: "send", isOnPhone: true, load: (): Loaded => import("@/commands/page.tsx").then((one) => one.CommandsPage) },
  { route: "value", words: "Value and fidelity", letter: "v", icon: "coins", load: (): Loaded => import("@/value/page.tsx").then((one) => one.ValuePage) },
] as const satisfies readonly Route[];

export type RouteName = (typeof ROUTES)[number]["route"];

const BY_NAME: ReadonlyMap<string, Route> = new Map(ROUTES.map((one) => [one.route, one]));

export const routeOf = (name: string): Route | undefined => BY_NAME.get(name);
export const isRoute = (name: string): name is RouteName => BY_NAME.has(name);
/** The page that a letter after `g` goes to. */
export const routeAt = (letter: string): RouteName | undefined => ROUTES.find((one) => one.letter === letter)?.route;
