/** What a run came to, as a table where it is one: plan of a fleet, savings, advice, calibration, bottleneck. */

import { get } from "@/core/api.ts";
import { serverNow } from "@/core/clock.ts";
import { useResource } from "@/core/resource.ts";
import { href } from "@/core/router.ts";
import type { Json, ServiceRun } from "@/core/types.ts";
import { formatMoment, formatNumber, formatPlain, parseTime } from "@/core/words.ts";
import { Failed, SkeletonRows } from "@/shell/notices.tsx";
import { Table, type Cell, type Column } from "./table.tsx";

export type Row = Record<string, Json>;
interface Result {
  result: Row;
}

export const loadResult = (run: string) => (abort: AbortSignal): Promise<Result> => get<Result>(`/runs/${encodeURIComponent(run)}/result`, abort);

const text = (value: Json | undefined): string => (value === null || value === undefined ? "—" : typeof value === "object" ? JSON.stringify(value) : formatPlain(value));
const number = (value: Json | undefined, digits?: number): string => (typeof value === "number" ? formatNumber(value, digits) : "—");
export const percent = (value: Json | undefined): string => (typeof value === "number" ? `${formatNumber(value * 100, 1)} %` : "—");
const day = (value: Json | undefined): string => (typeof value === "string" ? formatMoment(parseTime(value) ?? 0, serverNow()).slice(0, 10) : "—");
const twinLink = (twin: string): Cell => (
  <a class="link" href={href("twins", twin)}>
    {twin}
  </a>
);
const between = (low: Json | undefined, high: Json | undefined, say: (value: Json | undefined) => string): string => `${say(low)} to ${say(high)}`;

/** A table of rows, and in a line what is true of all of them. */
interface Told {
  words: string;
  columns: Column[];
  rows: Cell[][];
}

type Teller = (result: Row) => Told;

function listed(value: Json | undefined): Row[] {
  return Array.isArray(value) ? (value as Row[]) : [];
}

/** `{twin: {...}}` as rows. */
function byTwin(value: Json | undefined): [string, Row][] {
  return value && typeof value === "object" && !Array.isArray(value) ? (Object.entries(value) as [string, Row][]) : [];
}

function plan(result: Row): Told {
  return {
    words: `${text(result.served)} of ${text(result.machines)} machines are served within the horizon.`,
    columns: ["Machine", "Begin", "In", "Fails before", "Life left", "Alone it would be", "Waiting costs"],
    rows: listed(result.plan).map((row) => [
      twinLink(String(row.twin)),
      day(row.begin),
      `${text(row.day)} d`,
      percent(row.failsBefore),
      `${number(row.median, 1)} d (${between(row.low, row.high, (v) => number(v, 1))})`,
      `${text(row.alone)} d`,
      number(row.expectedCost, 3),
    ]),
  };
}

function savings(result: Row): Told {
  return {
    words: `Against what would have been used without the change of ${day(result.change)}; intervals of 90 %.`,
    columns: ["Twin", "Measured", "Expected", "Saved", "Share", "CV(RMSE)", "NMBE", "Guideline 14"],
    rows: listed(result.twins).map((row) =>
      row.problem
        ? [twinLink(String(row.twin)), text(row.problem)]
        : [
            twinLink(String(row.twin)),
            `${number(row.measured)} ${text(row.unit)}`,
            `${number(row.expected)} ${text(row.unit)}`,
            `${number(row.saved)} (${between(row.low, row.high, number)})`,
            percent(row.share),
            percent(row.cvRmse),
            percent(row.nmbe),
            row.meetsGuideline14 ? "met" : "not met",
          ],
    ),
  };
}

function advice(result: Row): Told {
  const said = result.isSure ? "the bounds decide" : "the estimate decides, the bounds do not";
  const open = Array.isArray(result.undecided) && result.undecided.length > 1 ? ` Undecided between ${result.undecided.join(" and ")}: more recorded lives would tell, or they cost much the same.` : "";
  const cost = typeof result.cpuSeconds === "number" ? `, ${number(result.cpuSeconds, 1)} s of processor` : "";
  return {
    words: `Chosen: ${text(result.level)} (${said}); the best is ${text(result.best)}. A level may cost ${percent(result.tolerance)} more. ${text(result.scenarios ?? result.fleets)} scenarios${cost}.${open}`,
    columns: ["Level", "Cost", "Regret", "95 %", "Run time", "Data needed", "Chosen"],
    rows: listed(result.levels).map((row) => [
      `${text(row.name)}${row.behaviour ? ` (${text(row.behaviour)})` : ""}`,
      number(row.cost ?? row.costADay, 3),
      percent(row.regret),
      between(row.low, row.high, percent),
      typeof row.secondsADecision === "number" ? `${number(row.secondsADecision * 1000, 2)} ms a decision` : "next to none",
      typeof row.parameters === "number" ? `${row.parameters} parameters` : `lives for one limit (${number(row.limit, 2)})`,
      [row.name === result.level ? "chosen" : "", typeof row.chance === "number" ? `on ${percent(row.chance)} of the possible plants` : ""].filter(Boolean).join(", "),
    ]),
  };
}

/** Parameters as "name value ± deviation"; those that the data do not tell are said to be so. */
export function parametersOf(one: Row): string {
  const found = listed(one.report).filter((row) => !String(row.name).startsWith("start:"));
  if (!found.length) return Object.entries((one.parameters as Row | undefined) ?? {}).map(([name, value]) => `${name} ${text(value)}`).join(", ");
  return found.map((row) => `${text(row.name)} ${number(row.value)} ± ${number(row.deviation)}${row.atBound ? ", at its bound" : row.identifiable ? "" : ", not told by the data"}`).join("; ");
}

function calibration(result: Row): Told {
  const problems = byTwin(result.problems as Json);
  return {
    words: "Each twin's parameters with one deviation; judged by a free run over the part that was held out, beside the parameters in use before.",
    columns: ["Twin", "Parameters", "Held out", "In use before", "90 % covers", "Starts agree", "Gate"],
    rows: [
      ...byTwin(result.twins).map(([twin, one]) => [
        twinLink(twin),
        parametersOf(one),
        number(one.holdoutRmse),
        number(one.holdoutRmseInUse),
        percent(one.holdoutCoverage),
        Array.isArray(one.startsAgree) ? one.startsAgree.join(" of ") : "—",
        one.passed ? "passed" : "not passed",
      ]),
      ...problems.map(([twin, why]): Cell[] => [twinLink(twin), text(why as unknown as Json)]),
    ],
  };
}

function bottleneck(result: Row): Told {
  return {
    words: `${number(result.throughputAnHour, 1)} an hour; ${result.best ? `most is gained by ${text(result.best)}` : "no change gains for sure"}.`,
    columns: ["Change", "Gain an hour", "95 %"],
    rows: listed(result.changes).map((row) => [text(row.change), number(row.gainAnHour, 2), between(row.low, row.high, (v) => number(v, 2))]),
  };
}

const TELLERS: Record<string, Teller> = {
  "rul plan": plan,
  "forecast savings": savings,
  "fidelity advise": advice,
  "fidelity compare": advice,
  "behaviour calibrate": calibration,
  "line bottleneck": bottleneck,
};

/** Rows of a list of objects that nobody has a table for: their plain fields. */
function plain(result: Row): Told {
  const list = Object.values(result).find((value) => Array.isArray(value) && value.length > 0 && value.every((one) => one && typeof one === "object")) as Row[] | undefined;
  const simple = Object.entries(result).filter(([, value]) => value === null || typeof value !== "object");
  const words = simple.map(([name, value]) => `${name} ${text(value)}`).join(", ");
  const names = [...new Set((list ?? []).flatMap((row) => Object.keys(row).filter((name) => typeof row[name] !== "object" || row[name] === null)))];
  return { words, columns: names, rows: (list ?? []).map((row) => names.map((name) => text(row[name]))) };
}

/** The words and the table of what a run came to. */
export function toldOf(kind: string, run: string, result: Row): Told {
  return (TELLERS[`${kind} ${run}`] ?? plain)(result);
}

export function RunResult({ run }: { run: ServiceRun }) {
  const { data, error, retry } = useResource(`result ${run.id}`, loadResult(run.id));
  if (error && !data) return <Failed error={error} what="The result" retry={retry} />;
  if (!data) return <SkeletonRows count={3} />;
  const told = toldOf(run.kind, run.run, data.result);
  return (
    <div class="run-result" data-testid="run-result" data-run={run.run}>
      <p class="soft">{told.words || "It came to nothing that can be told in words."}</p>
      {told.rows.length > 0 && <Table caption={`What ${run.run} came to`} columns={told.columns} rows={told.rows} />}
    </div>
  );
}
