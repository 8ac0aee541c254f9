/**
 * One chart of the workspace, outside of component state: it owns its plot, its lines and its questions to the server.
 * A newer question ends the one before it, so a late answer is never drawn.
 */

import { effect, signal } from "@preact/signals";
import type uPlot from "uplot";
import { ApiError } from "@/core/api.ts";
import { moment, serverNow, tick } from "@/core/clock.ts";
import { themeVersion } from "@/core/theme.ts";
import { system } from "@/core/units.ts";
import { refetches } from "@/live/client.ts";
import { align, follow } from "@/charts/history.ts";
import type { Limit } from "@/charts/plot.ts";
import { attach } from "./gestures.ts";
import { eventLayer, selectionLayer } from "./layers.ts";
import { bandsOf } from "@/charts/forecast.ts";
import { nowLayer } from "@/charts/now.ts";
import { fetchLines, firstAfter, type Line, type Subject } from "./lines.ts";
import { change, cursor, edges, hold, look, shown, tool } from "./store.ts";
import { within, type Event } from "./events.ts";

export type ChartState = "loading" | "ready" | "empty" | ApiError;
export type ChartLimit = Limit & { unit: string | null };

const REST = 60;
const LIVE_EVERY = 250;
const MOST_PX = 1400;

export class TrendChart {
  readonly state = signal<ChartState>("loading");
  /** Grows with what is drawn: legend and table read `lines` again. */
  readonly version = signal(0);
  lines: Line[] = [];

  #home: HTMLElement;
  #subjects: Subject[];
  #limits: ChartLimit[] = [];
  #events: Event[] = [];
  #plot: uPlot | null = null;
  #made = "";
  #isGone = false;
  #abort = new AbortController();
  #timer = 0;
  #frame = 0;
  #drawn = 0;
  #stops: (() => void)[] = [];
  #detach: () => void = () => undefined;

  constructor(home: HTMLElement, subjects: Subject[]) {
    this.#home = home;
    this.#subjects = subjects;
    const resize = new ResizeObserver(() => this.#resize());
    resize.observe(home);
    this.#stops.push(
      () => resize.disconnect(),
      this.#followWindow(),
      effect(() => this.#point(cursor.value)),
      effect(() => {
        void shown.value.selection;
        this.#plot?.redraw(false);
      }),
      this.#followLive(),
    );
  }

  /** Limits and events may come later than the values. */
  decorate(limits: ChartLimit[], events: Event[]): void {
    const isSame = JSON.stringify(limits) === JSON.stringify(this.#limits);
    [this.#limits, this.#events] = [limits, events];
    if (isSame) this.#plot?.redraw(false);
    else void this.#draw(true);
  }

  reload(): void {
    this.#ask(0);
  }

  get canvas(): HTMLCanvasElement | null {
    return this.#home.querySelector("canvas");
  }

  /** The next moment (ms) with a value after, or before, another. */
  next(at: number, step: 1 | -1): number | null {
    let best: number | null = null;
    for (const { columns, role } of this.lines) {
      if (role !== "value") continue;
      const after = firstAfter(columns.time, at / 1000 + (step > 0 ? 0.0005 : -0.0005));
      const found = columns.time[step > 0 ? after : after - 1];
      if (found === undefined) continue;
      const ms = found * 1000;
      if (best === null || (step > 0 ? ms < best : ms > best)) best = ms;
    }
    return best;
  }

  destroy(): void {
    this.#isGone = true;
    this.#abort.abort();
    clearTimeout(this.#timer);
    cancelAnimationFrame(this.#frame);
    for (const stop of this.#stops) stop();
    this.#detach();
    this.#plot?.destroy();
  }

  /** The window moves the axis at once; what is drawn in it is asked for when it rests. */
  #followWindow(): () => void {
    let asked = "";
    return effect(() => {
      void tick.value;
      const now = shown.value;
      void refetches.value;
      const isSliding = !Array.isArray(now.window);
      const every = isSliding ? Math.max(30, (now.window as number) / 20) * 1000 : 1;
      const slot = isSliding ? (moment.value === null ? Math.floor(serverNow() / every) : moment.value) : 0;
      const key = JSON.stringify([now.window, now.earlier, now.ahead, slot, refetches.value, themeVersion.value, system.value]);
      if (key !== asked) {
        this.#ask(asked ? REST : 0);
        asked = key;
      }
      this.#slide();
    });
  }

  #followLive(): () => void {
    const live = this.#subjects.filter((one) => !one.tag.provenance);
    let last = 0;
    return follow(
      live.map(({ tag, label, unit }) => ({ twin: tag.twin, property: tag.property, label, unit })),
      () => (Array.isArray(shown.peek().window) ? [] : live.map((one) => this.#columnsOf(one))),
      () => (shown.peek().window as number) * 1.1,
      () => {
        if (document.hidden || performance.now() - last < LIVE_EVERY) return;
        last = performance.now();
        this.#schedule();
      },
    );
  }

  #columnsOf(subject: Subject): Line["columns"] {
    const index = this.#subjects.indexOf(subject);
    return this.lines.find((one) => one.role === "value" && one.tag === index)?.columns ?? { time: [Infinity], value: [null] };
  }

  #ask(wait: number): void {
    clearTimeout(this.#timer);
    this.#abort.abort();
    this.#timer = setTimeout(() => void this.#load(), wait) as unknown as number;
  }

  async #load(): Promise<void> {
    const abort = (this.#abort = new AbortController());
    const { window, earlier } = shown.peek();
    const now = moment.peek() ?? serverNow();
    const px = Math.min(MOST_PX, this.#plot ? this.#plot.bbox.width / devicePixelRatio : this.#home.clientWidth || 800);
    const span = edges();
    try {
      const found = await fetchLines({ subjects: this.#subjects, edges: span, until: Array.isArray(window) ? span[1] : now, now, px, earlier }, abort.signal);
      if (abort.signal.aborted || this.#isGone) return;
      this.lines = found;
      await this.#draw(false);
      this.#home.dataset["drawn"] = span.map(Math.round).join("~");
      this.state.value = found.some((one) => one.columns.time.length > 0) ? "ready" : "empty";
      this.version.value += 1;
    } catch (error) {
      if (abort.signal.aborted) return;
      this.state.value = error instanceof ApiError ? error : new ApiError(0, "PageError", String(error));
    }
  }

  /** The plot is made anew when other lines, limits or colours are to be drawn; else it takes the values. */
  async #draw(isOther: boolean): Promise<void> {
    if (this.lines.length === 0) return;
    const [{ makePlot }] = await Promise.all([import("@/charts/plot.ts"), document.fonts.load('12px "Inter"')]);
    if (this.#isGone) return;
    const key = JSON.stringify([this.lines.map(({ label, unit, style }) => [label, unit, style]), themeVersion.peek()]);
    const data = align(this.lines.map((one) => one.columns)) as uPlot.AlignedData;
    if (this.#plot && key === this.#made && !isOther) {
      this.#plot.setData(data, true);
      return;
    }
    this.#made = key;
    this.#detach();
    this.#plot?.destroy();
    const layers = [selectionLayer(() => shown.peek().selection), eventLayer(() => within(this.#events, edges()), edges), nowLayer(edges)];
    this.#plot = makePlot(this.#home, data, { series: this.lines, bands: bandsOf(this.lines), layers, limits: this.#limits, marks: [] }, () => {
      const [from, to] = edges();
      return [from / 1000, to / 1000];
    });
    this.#attach(this.#plot);
    this.#point(cursor.peek());
  }

  #attach(plot: uPlot): void {
    this.#detach = attach({
      over: plot.over,
      edges,
      look,
      select: (from, to) => change({ selection: [from, to] }),
      isSelecting: () => tool.peek() === "select",
      hover: (at) => (cursor.value = at),
      mark: (left, width) => plot.setSelect({ left, width, top: 0, height: width ? plot.over.clientHeight : 0 }, false),
      hold,
      pick: (at) => (cursor.value = at),
    });
  }

  #point(at: number | null): void {
    const plot = this.#plot;
    if (!plot) return;
    const [from, to] = edges();
    const left = at === null || at < from || at > to ? -10 : plot.valToPos(at / 1000, "x");
    plot.setCursor({ left, top: left < 0 ? -10 : 1 }, false);
  }

  #slide(): void {
    const [from, to] = edges();
    this.#plot?.setScale("x", { min: from / 1000, max: to / 1000 });
    this.#point(cursor.peek());
  }

  #schedule(): void {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      if (this.#isGone) return;
      this.#plot?.setData(align(this.lines.map((one) => one.columns)) as uPlot.AlignedData, true);
      if (performance.now() - this.#drawn > 1000) {
        this.#drawn = performance.now();
        this.version.value += 1;
      }
    });
  }

  #resize(): void {
    if (this.#home.clientWidth) this.#plot?.setSize({ width: this.#home.clientWidth, height: this.#home.clientHeight });
  }
}
