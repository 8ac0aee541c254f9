/** The course of one series: every scenario with its band, the plant left alone, and what was measured. */

import { useEffect, useRef, useState } from "preact/hooks";
import type uPlot from "uplot";
import type { BandLine } from "@/charts/bands.ts";
import { ApiError } from "@/core/api.ts";
import { serverNow } from "@/core/clock.ts";
import { nameOf } from "@/core/plant.ts";
import { useResource } from "@/core/resource.ts";
import { themeVersion } from "@/core/theme.ts";
import { asRead, system, unitAsRead } from "@/core/units.ts";
import { formatMoment, formatNumber } from "@/core/words.ts";
import { Failed, Skeleton } from "@/shell/notices.tsx";
import { colour, loadSeries } from "./data.ts";
import type { ScenarioSeries, ScenariosCompared } from "@/core/types.ts";

export function Trend({ compared, wanted }: { compared: ScenariosCompared; wanted: string }) {
  const [chosen, setChosen] = useState("");
  const { scenarios } = compared;
  const names = scenarios[0]?.series.map(([twin, property]) => `${twin}.${property}`) ?? [];
  const name = names.includes(chosen) ? chosen : names.includes(wanted) ? wanted : (names[0] ?? "");
  useEffect(() => setChosen(""), [wanted]);
  const with_ = scenarios.filter((one) => one.series.some(([twin, property]) => `${twin}.${property}` === name));
  const key = name ? `series ${name} ${with_.map((one) => `${one.id} ${one.at}`).join(" ")}` : null;
  const found = useResource(key, (abort) => Promise.all(with_.map((one) => loadSeries(one.id, name, abort))));
  const unit = found.data?.[0]?.series[0]?.unit ?? "";
  return (
    <>
      <div class="row whatif-choice">
        <label for="whatif-series">
          <h3>Course</h3>
        </label>
        <select id="whatif-series" class="input" value={name} onChange={(event) => setChosen(event.currentTarget.value)}>
          {names.map((one) => (
            <option key={one} value={one}>
              {label(one)}
            </option>
          ))}
        </select>
        <span class="unit">{unitAsRead(unit)}</span>
      </div>
      {found.error && !found.data && <Failed error={found.error} what="The series" retry={found.retry} />}
      {!found.data && !found.error && <Skeleton height={260} />}
      {found.data && <Bands answers={found.data} titles={with_.map((one) => one.title)} label={`${label(name)} in ${unitAsRead(unit) || "no unit"}`} />}
    </>
  );
}

function label(name: string): string {
  const cut = name.indexOf(".");
  return `${nameOf(name.slice(0, cut))}: ${name.slice(cut + 1)}`;
}

/** Lines of all scenarios over the moments of the first, as they are read; others are placed by their own moments. */
export function linesOf(answers: ScenarioSeries[], titles: string[]): { time: number[]; lines: BandLine[] } {
  const time = [...new Set(answers.flatMap((one) => one.time))].sort((a, b) => a - b);
  const place = new Map(time.map((at, i) => [at, i]));
  const spread = (answer: ScenarioSeries, stored: (number | null)[]): (number | null)[] => {
    const values = stored.map((one) => (one === null ? null : asRead(one, answer.series[0]!.unit)));
    if (answer.time.length === time.length) return values;
    const all: (number | null | undefined)[] = Array.from({ length: time.length }, () => undefined);
    answer.time.forEach((at, i) => (all[place.get(at)!] = values[i] ?? null));
    return all as (number | null)[]; // undefined: no value here, and no gap
  };
  const lines: BandLine[] = [];
  const [first] = answers;
  if (first && answers.length === 1) {
    const { baseline } = first.series[0]!;
    lines.push({ label: "As it is", colour: "s6", dash: [6, 4], mean: spread(first, baseline.mean), low: spread(first, baseline.low), high: spread(first, baseline.high) });
  }
  answers.forEach((answer, i) => {
    const { scenario } = answer.series[0]!;
    lines.push({ label: answers.length === 1 ? "What if" : (titles[i] ?? answer.scenario), colour: colour(i), mean: spread(answer, scenario.mean), low: spread(answer, scenario.low), high: spread(answer, scenario.high) });
  });
  if (first && first.series[0]!.measured.some((value) => value !== null)) lines.push({ label: "Measured", colour: "fg1", mean: spread(first, first.series[0]!.measured) });
  return { time, lines };
}

function Bands({ answers, titles, label: words }: { answers: ScenarioSeries[]; titles: string[]; label: string }) {
  const box = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState<number | null>(null);
  const [failed, setFailed] = useState<Error | null>(null);
  const { time, lines } = linesOf(answers, titles);
  const colours = themeVersion.value;
  useEffect(() => {
    const home = box.current;
    if (!home) return undefined;
    let plot: uPlot | null = null;
    let isGone = false;
    const resize = new ResizeObserver(() => plot?.setSize({ width: home.clientWidth, height: home.clientHeight }));
    void Promise.all([import("@/charts/bands.ts"), document.fonts.load('12px "Inter"')])
      .then(([{ makeBands }]) => {
        if (isGone) return;
        plot = makeBands(home, { time, lines, onCursor: setAt });
        resize.observe(home);
        home.dataset["ready"] = "true";
      })
      .catch((error: unknown) => setFailed(error instanceof Error ? error : new ApiError(0, "PageError", String(error))));
    return () => {
      isGone = true;
      resize.disconnect();
      plot?.destroy();
    };
  }, [answers, colours, system.value]);
  if (failed) return <Failed error={failed} what="The chart" />;
  const shown = at ?? time.length - 1;
  return (
    <>
      <div ref={box} class="whatif-trend" role="img" data-testid="whatif-trend" aria-label={`${words}: ${lines.map((line) => ends(line)).join("; ")}`} />
      <ul class="whatif-legend">
        {lines.map((line) => (
          <li key={line.label}>
            <i class={`whatif-key ${line.colour}${line.dash ? " dashed" : ""}`} aria-hidden="true" /> {line.label}{" "}
            <span class="meta">
              {value(line.mean[shown])}
              {line.low && line.high && line.low[shown] != null && ` (${value(line.low[shown])} to ${value(line.high[shown])})`}
            </span>
          </li>
        ))}
        <li class="meta">{time[shown] === undefined ? "" : `at ${formatMoment(time[shown], serverNow())}`}</li>
      </ul>
    </>
  );
}

const value = (one: number | null | undefined): string => (one === null || one === undefined ? "—" : formatNumber(one));

function ends(line: BandLine): string {
  const known = line.mean.filter((one): one is number => typeof one === "number");
  return known.length ? `${line.label} from ${formatNumber(known[0]!)} to ${formatNumber(known[known.length - 1]!)}` : line.label;
}
