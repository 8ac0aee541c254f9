/** A chart of one or more signals over a window: history first, then live values, then zoom refetches. */

import { useEffect, useRef, useState } from "preact/hooks";
import type uPlot from "uplot";
import { ApiError } from "@/core/api.ts";
import { moment, serverNow } from "@/core/clock.ts";
import { themeVersion } from "@/core/theme.ts";
import { asRead, system, unitAsRead } from "@/core/units.ts";
import { formatMoment, formatNumber } from "@/core/words.ts";
import { refetches, useTwins } from "@/live/client.ts";
import { Failed, Skeleton } from "@/shell/notices.tsx";
import { bandsOf, fetchForecast, forecastLines } from "./forecast.ts";
import { nowLayer } from "./now.ts";
import { align, fetchColumns, follow, type Columns, type Signal } from "./history.ts";
import type { Limit } from "./plot.ts";

interface Props {
  signals: Signal[];
  /** Seconds of the sliding window that ends now, or fixed edges in ms. */
  window: number | [number, number];
  /** Quantiles of the first signal's forecast: it is drawn behind a window that ends now, as far as it reaches and no wider than that. */
  levels?: number[] | null;
  limits?: Limit[];
  marks?: { time: number; label: string }[];
  onZoom?: (from: number, to: number) => void;
  label: string;
  testId?: string;
}

/** How often a forecast is asked for again. */
const FORECAST_MS = 60_000;

type State = "loading" | "ready" | "empty" | ApiError;

export function Chart(props: Props) {
  const { signals, limits = [], marks = [], label } = props;
  const window = windowAt(props.window, moment.value);
  const box = useRef<HTMLDivElement>(null);
  const columns = useRef<Columns[]>([]);
  const ahead = useRef<Columns[]>([]);
  const [state, setState] = useState<State>("loading");
  const [attempt, setAttempt] = useState(0);
  /** The middle of the forecast at its end, for who cannot see it. */
  const [forecastWords, setForecastWords] = useState("");
  const [at, setAt] = useState<string | null>(null);
  const zoom = useRef(props.onZoom);
  zoom.current = props.onZoom;
  const isFixed = Array.isArray(window);
  const levels = isFixed ? null : (props.levels ?? null);
  const windowKey = isFixed ? window.join("-") : String(window);
  const signalKey = signals.map((one) => `${one.twin}\n${one.property}`).join("\n\n");
  const lookKey = JSON.stringify([limits, marks, levels]);
  const epoch = `${refetches.value} ${system.value}`;
  const colors = themeVersion.value;
  useTwins(isFixed ? [] : signals.map((one) => one.twin));

  useEffect(() => {
    if (signals.length === 0) {
      setState("empty");
      return undefined;
    }
    const abort = new AbortController();
    const width = box.current?.clientWidth || 800;
    setState((old) => (old === "ready" ? old : "loading"));
    const [from, to] = isFixed ? window : [serverNow() - window * 1000, serverNow()];
    fetchColumns(signals, from, to, width, abort.signal)
      .then((found) => {
        columns.current = found;
        setState(found.some((one) => one.time.length > 0) ? "ready" : "empty");
        redraw.current?.(true);
      })
      .catch((error: unknown) => {
        if (!abort.signal.aborted) setState(error instanceof ApiError ? error : new ApiError(0, "PageError", String(error)));
      });
    return () => abort.abort();
  }, [signalKey, windowKey, attempt, epoch]);

  const levelKey = JSON.stringify(levels);
  useEffect(() => {
    ahead.current = [];
    setForecastWords("");
    const of = signals[0];
    if (!levels || !of || isFixed) return undefined;
    const abort = new AbortController();
    const load = (): void =>
      void fetchForecast(of, levels, serverNow(), serverNow() + window * 1000, 200, abort.signal).then(
        (found) => {
          ahead.current = found;
          setForecastWords(foreseenWords(found, of));
          redraw.current?.(false);
        },
        () => undefined, // what was measured is drawn all the same, and it is asked again
      );
    load();
    const timer = setInterval(() => !document.hidden && load(), FORECAST_MS);
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, [signalKey, windowKey, levelKey, attempt, epoch]);

  const redraw = useRef<((isNew: boolean) => void) | null>(null);
  const isReady = state === "ready";

  useEffect(() => {
    const home = box.current;
    if (!isReady || !home) return undefined;
    let plot: uPlot | null = null;
    let isGone = false;
    let frame = 0;
    const foreseen = levels && signals[0] ? forecastLines(signals[0], levels, 0) : [];
    const data = (): uPlot.AlignedData => align(foreseen.length ? [...columns.current, ...foreseen.map((_, i) => after(ahead.current[i], serverNow() / 1000))] : columns.current) as uPlot.AlignedData;
    const range = (): [number, number] => {
      if (isFixed) return [window[0] / 1000, window[1] / 1000];
      const now = serverNow() / 1000;
      return [now - window, Math.max(now, ahead.current[0]?.time.at(-1) ?? now)];
    };
    const draw = (isNew = true): void => {
      if (frame || isGone) return;
      frame = requestAnimationFrame(() => {
        frame = 0;
        plot?.setData(data(), true);
      });
      if (isNew) setAt(null);
    };
    redraw.current = draw;
    let last = 0;
    const stop = isFixed
      ? () => undefined
      : follow(signals, () => columns.current, () => window, () => {
          if (document.hidden || performance.now() - last < 250) return;
          last = performance.now();
          draw(false);
        });
    const slide = isFixed ? 0 : setInterval(() => !document.hidden && draw(false), 5000);
    const resize = new ResizeObserver(() => plot?.setSize({ width: home.clientWidth, height: home.clientHeight }));
    void Promise.all([import("./plot.ts"), document.fonts.load('12px "Inter"')]).then(([{ makePlot }]) => {
      if (isGone) return;
      const lines = signals.map((one, tag) => ({ label: one.label, unit: unitAsRead(one.unit), tag, role: "value" }));
      const series = [...lines, ...foreseen];
      const layers = foreseen.length ? [nowLayer(() => range().map((edge) => edge * 1000) as [number, number])] : [];
      plot = makePlot(home, data(), { series, layers, bands: bandsOf(series), limits: limits.map((one) => ({ ...one, value: asRead(one.value, signals[0]?.unit) })), marks, onZoom: zoom.current ? (from, to) => zoom.current?.(from, to) : undefined, onCursor: (index) => setAt(index === null || !plot ? null : words(plot, index, signals)) }, range);
      resize.observe(home);
    });
    return () => {
      isGone = true;
      cancelAnimationFrame(frame);
      clearInterval(slide);
      stop();
      resize.disconnect();
      plot?.destroy();
      redraw.current = null;
    };
  }, [isReady, signalKey, windowKey, lookKey, colors, epoch, attempt]);

  return (
    <div class="chart" data-testid={props.testId} data-chart-state={typeof state === "string" ? state : "failed"}>
      <div ref={box} class="chart-box" role="img" aria-label={[summary(label, columns.current, signals, state), forecastWords].filter(Boolean).join(". ")} />
      {state === "loading" && (
        <div class="chart-cover">
          <Skeleton height="100%" />
        </div>
      )}
      {state === "empty" && <div class="chart-cover notice center">No values in this time.</div>}
      {state instanceof ApiError && (
        <div class="chart-cover">
          <Failed error={state} what="The trend" retry={() => setAttempt((old) => old + 1)} />
        </div>
      )}
      <div class="chart-read meta" aria-hidden="true">
        {at}
      </div>
    </div>
  );
}

/** What is still to come. */
function after(columns: Columns | undefined, now: number): Columns {
  if (!columns) return { time: [], value: [] };
  const first = columns.time.findIndex((time) => time > now);
  return first < 0 ? { time: [], value: [] } : { time: columns.time.slice(first), value: columns.value.slice(first) };
}

/** A window that slides with now ends at the moment the clock shows, in steps that are worth a new answer. */
function windowAt(window: Props["window"], at: number | null): Props["window"] {
  if (Array.isArray(window) || at === null) return window;
  const step = window * 5;
  const end = Math.ceil(at / step) * step;
  return [end - window * 1000, end];
}

function words(plot: uPlot, index: number, signals: Signal[]): string | null {
  const time = plot.data[0][index];
  if (time === undefined) return null;
  const values = signals.map((one, i) => {
    const value = plot.data[i + 1]?.[index];
    return typeof value === "number" ? `${signals.length > 1 ? `${one.label} ` : ""}${formatNumber(value)} ${unitAsRead(one.unit) ?? ""}` : "";
  });
  values.push(banded(plot.data.slice(signals.length + 1).map((column) => column[index]), signals[0]));
  return `${formatMoment(time * 1000, serverNow())}  ${values.filter(Boolean).join("  ·  ")}`;
}

/** A middle and its quantiles as `forecast 7.2 (5.1 to 9.9) mm/s`; "" without a middle. */
function banded([middle, ...bounds]: (number | null | undefined)[], of: Signal | undefined): string {
  if (typeof middle !== "number") return "";
  const [low, high] = [bounds[0], bounds.at(-1)];
  const band = typeof low === "number" && typeof high === "number" ? ` (${formatNumber(low)} to ${formatNumber(high)})` : "";
  return `forecast ${formatNumber(middle)}${band} ${unitAsRead(of?.unit ?? null) ?? ""}`.trimEnd();
}

function foreseenWords(columns: Columns[], of: Signal): string {
  const end = columns[0]?.time.at(-1);
  return end === undefined ? "" : `At ${formatMoment(end * 1000, serverNow())} ${banded(columns.map((one) => one.value.at(-1)), of)}`;
}

function summary(label: string, columns: Columns[], signals: Signal[], state: State): string {
  if (state !== "ready") return label;
  const parts = columns.map((column, i) => {
    const numbers = column.value.filter((value): value is number => typeof value === "number");
    if (!numbers.length) return "";
    let [low, high] = [Infinity, -Infinity];
    for (const value of numbers) [low, high] = [Math.min(low, value), Math.max(high, value)];
    const unit = unitAsRead(signals[i]?.unit) ?? "";
    return `${signals[i]?.label}: now ${formatNumber(numbers[numbers.length - 1]!)} ${unit}, lowest ${formatNumber(low)}, highest ${formatNumber(high)}`;
  });
  return `${label}. ${parts.filter(Boolean).join("; ")}`;
}
