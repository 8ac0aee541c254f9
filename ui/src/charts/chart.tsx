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
import { align, fetchColumns, follow, type Columns, type Signal } from "./history.ts";
import type { Limit } from "./plot.ts";

interface Props {
  signals: Signal[];
  /** Seconds of the sliding window that ends now, or fixed edges in ms. */
  window: number | [number, number];
  limits?: Limit[];
  marks?: { time: number; label: string }[];
  onZoom?: (from: number, to: number) => void;
  label: string;
  testId?: string;
}

type State = "loading" | "ready" | "empty" | ApiError;

export function Chart(props: Props) {
  const { signals, limits = [], marks = [], label } = props;
  const window = windowAt(props.window, moment.value);
  const box = useRef<HTMLDivElement>(null);
  const columns = useRef<Columns[]>([]);
  const [state, setState] = useState<State>("loading");
  const [attempt, setAttempt] = useState(0);
  const [at, setAt] = useState<string | null>(null);
  const zoom = useRef(props.onZoom);
  zoom.current = props.onZoom;
  const isFixed = Array.isArray(window);
  const windowKey = isFixed ? window.join("-") : String(window);
  const signalKey = signals.map((one) => `${one.twin}\n${one.property}`).join("\n\n");
  const lookKey = JSON.stringify([limits, marks]);
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

  const redraw = useRef<((isNew: boolean) => void) | null>(null);
  const isReady = state === "ready";

  useEffect(() => {
    const home = box.current;
    if (!isReady || !home) return undefined;
    let plot: uPlot | null = null;
    let isGone = false;
    let frame = 0;
    const range = (): [number, number] => (isFixed ? [window[0] / 1000, window[1] / 1000] : [serverNow() / 1000 - window, serverNow() / 1000]);
    const draw = (isNew = true): void => {
      if (frame || isGone) return;
      frame = requestAnimationFrame(() => {
        frame = 0;
        plot?.setData(align(columns.current) as uPlot.AlignedData, true);
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
      const series = signals.map((one) => ({ label: one.label, unit: unitAsRead(one.unit) }));
      plot = makePlot(home, align(columns.current) as uPlot.AlignedData, { series, limits: limits.map((one) => ({ ...one, value: asRead(one.value, signals[0]?.unit) })), marks, onZoom: zoom.current ? (from, to) => zoom.current?.(from, to) : undefined, onCursor: (index) => setAt(index === null || !plot ? null : words(plot, index, signals)) }, range);
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
      <div ref={box} class="chart-box" role="img" aria-label={summary(label, columns.current, signals, state)} />
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
  return `${formatMoment(time * 1000, serverNow())}  ${values.filter(Boolean).join("  ·  ")}`;
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
