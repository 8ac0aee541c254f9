"""What rules catch on recorded faults: thresholds alone, and with episodes and windows.

scripts/bench alarms_on_data --data FOLDER [--markdown | --json]

FOLDER holds `skab`, `tep` and `nab` as described in docs/reference/figures-alarms.md. Signals are
scaled by a stretch that is known to be good; the limit `k` is chosen for a false-alarm share on one
part of the data, and judged on another that the choice has not seen.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import numpy as np
from against.rows import parser, tell

from gemel.core.clock import SECOND
from gemel.services.rules.compiler import PropertyShape
from gemel.services.rules.rule import load_rule
from gemel.services.rules.whole import Span

LIMITS = [round(float(k), 3) for k in np.geomspace(0.5, 60, 97)]
TARGETS = (0.01, 0.05, 0.10)


@dataclass
class Run:
    """One recording: scaled signals, when it is judged, and when something was wrong."""

    name: str
    time: np.ndarray
    signals: dict[str, np.ndarray]
    begin: int
    events: list[tuple[int, int]] = field(default_factory=list)

    @property
    def end(self) -> int:
        return int(self.time[-1])


@dataclass
class Score:
    events: int = 0
    caught: int = 0
    alarms: int = 0
    right: float = 0.0
    wrong: float = 0.0
    bad: float = 0.0
    good: float = 0.0
    delays: list[float] = field(default_factory=list)

    @property
    def false_share(self) -> float:
        return self.wrong / self.good if self.good else 0.0


def scaled(columns: np.ndarray, reference: int) -> dict[str, np.ndarray]:
    """Distance from the mean of the reference rows in their standard deviations."""
    known = columns[:reference]
    sd = known.std(axis=0)
    keep = sd > 1e-12
    z = (columns[:, keep] - known.mean(axis=0)[keep]) / sd[keep]
    return {f"z{i}": np.ascontiguousarray(z[:, i]) for i in range(z.shape[1])}


def skab(folder: Path) -> tuple[list[Run], list[Run]]:
    runs = []
    for file in sorted((folder / "skab" / "valve1").glob("*.csv"), key=lambda f: int(f.stem)):
        rows = list(csv.reader(file.open(), delimiter=";"))[1:]
        time = np.array([nanoseconds(row[0]) for row in rows], np.int64)
        values = np.array([[float(v) for v in row[1:9]] for row in rows])
        wrong = np.array([float(row[9]) for row in rows]) > 0
        runs.append(Run(file.stem, time, scaled(values, 400), int(time[400]), spans(time, wrong)))
    return runs[::2], runs[1::2]


def tep(folder: Path) -> tuple[list[Run], list[Run]]:
    def load(name: str) -> np.ndarray:
        found = np.loadtxt(folder / "tep" / f"{name}.dat.gz")
        return found.T if found.shape[0] == 52 else found

    normal = load("d00")
    step = 180 * SECOND

    def run(name: str, rows: slice, fault_row: int | None) -> Run:
        values = np.vstack((normal, load(name)[rows]))
        time = 1_700_000_000 * SECOND + np.arange(len(values)) * step
        events = []
        if fault_row is not None:
            events = [(int(time[len(normal) + fault_row]), int(time[-1]))]
        return Run(name, time, scaled(values, len(normal)), int(time[len(normal)]), events)

    faults = sorted(p.name[:6] for p in (folder / "tep").glob("d*_te.dat.gz"))
    choose = [run("d00_te", slice(0, 480), None)]
    judge = [run("d00_te", slice(480, 960), None)]
    judge += [run(name, slice(None), 160) for name in faults if name != "d00_te"]
    return choose, judge


def nab(folder: Path) -> tuple[list[Run], list[Run]]:
    windows = json.loads((folder / "nab" / "windows.json").read_text())
    runs = []
    for key in sorted(windows):
        file = folder / "nab" / key
        if not file.exists() or not windows[key]:
            continue
        rows = list(csv.reader(file.open()))[1:]
        time = np.array([nanoseconds(row[0]) for row in rows], np.int64)
        values = np.array([[float(row[1])] for row in rows])
        reference = max(int(0.15 * len(rows)), 2)
        signals = scaled(values, reference)
        if not signals:
            continue
        events = [(nanoseconds(a[:19]), nanoseconds(b[:19])) for a, b in windows[key]]
        runs.append(Run(key, time, signals, int(time[reference]), events))
    return runs[::2], runs[1::2]


def nanoseconds(text: str) -> int:
    found = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return round(found.timestamp()) * SECOND


def spans(time: np.ndarray, wrong: np.ndarray) -> list[tuple[int, int]]:
    edge = np.diff(wrong.astype(int), prepend=0, append=0)
    begin, end = np.flatnonzero(edge == 1), np.flatnonzero(edge == -1) - 1
    return [(int(time[a]), int(time[b])) for a, b in zip(begin, end, strict=True)]


def text_of(form: str, run: Run) -> str:
    return form.replace(
        "WORST", "max(" + ", ".join(f"abs({name})" for name in run.signals) + ", 0)"
    )


def score(form: str, k: float, runs: list[Run]) -> Score:
    found = Score()
    for run in runs:
        shapes = dict.fromkeys(run.signals, PropertyShape("number"))
        document = {"model": "m", "when": text_of(form, run), "parameters": {"k": k}}
        rule = load_rule("r", document, shapes, stale_after=1e9)
        span = Span(lambda _, path, run=run: (run.time, run.signals[path]), run.begin, run.end)
        outcome = span.judge(rule, "x")
        raised = outcome.raised
        cleared = np.append(outcome.cleared, run.end)[: len(raised)]
        tally(found, run, list(zip(raised.tolist(), cleared.tolist(), strict=True)))
    return found


def tally(found: Score, run: Run, alarms: list[tuple[int, int]]) -> None:
    events = [(max(a, run.begin), b) for a, b in run.events if b >= run.begin]
    bad = sum(b - a for a, b in events) / SECOND
    active = sum(b - a for a, b in alarms) / SECOND
    right = 0.0
    for begin, end in events:
        mine = [(a, b) for a, b in alarms if a <= end and b >= begin]
        right += sum(min(b, end) - max(a, begin) for a, b in mine) / SECOND
        found.events += 1
        if mine:
            found.caught += 1
            found.delays.append(max(mine[0][0] - begin, 0) / SECOND)
    found.alarms += len(alarms)
    found.bad += bad
    found.good += (run.end - run.begin) / SECOND - bad
    found.right += right
    found.wrong += active - right


def chosen(form: str, target: float, runs: list[Run]) -> float:
    """The least limit whose false-alarm share on these runs is not above the target."""
    low, high = 0, len(LIMITS) - 1
    while low < high:
        middle = (low + high) // 2
        if score(form, LIMITS[middle], runs).false_share <= target:
            high = middle
        else:
            low = middle + 1
    return LIMITS[low]


SETS = {
    "SKAB valve1": (
        skab,
        {
            "threshold": "WORST > {k}",
            "threshold, episodes": "WORST > {k} for 3 s off for 60 s",
            "mean of 30 s, episodes": "mean of (WORST) over 30 s > {k} off for 60 s",
        },
    ),
    "Tennessee Eastman": (
        tep,
        {
            "threshold": "WORST > {k}",
            "threshold, episodes": "WORST > {k} for 3 min off for 1 h",
            "mean of 30 min, episodes": "mean of (WORST) over 30 min > {k} off for 1 h",
        },
    ),
    "NAB": (
        nab,
        {
            "threshold": "WORST > {k}",
            "threshold, episodes": "WORST > {k} off for 6 h",
            "mean of 2 h, episodes": "mean of (WORST) over 2 h > {k} off for 6 h",
        },
    ),
}


SAID = "60 to 70 %"
"""What is often said that thresholds alone catch."""


def totals_of(rows: list[list[str]]) -> list[str]:
    """Over all data sets: how many of the events were caught, alarms an event, false shares."""
    found = []
    for is_plain in (True, False):
        for target in TARGETS:
            mine = [
                row
                for row in rows
                if row[2] == f"{target:.0%}" and is_plain == (row[1] == "threshold")
                if is_plain or row[1] == "threshold, episodes"
            ]
            pairs = [tuple(map(int, row[6].split(" of "))) for row in mine]
            caught, events = (sum(pair[i] for pair in pairs) for i in (0, 1))
            alarms = sum(float(row[7]) * pair[1] for row, pair in zip(mine, pairs, strict=True))
            each = ", ".join(
                f"{row[0]} {a / b:.0%}" for row, (a, b) in zip(mine, pairs, strict=True)
            )
            false = ", ".join(row[4] for row in mine)
            found.append(
                f"{'thresholds alone' if is_plain else 'with episodes'}, {target:.0%} false wanted "
                f"({false} found): {caught} of {events} events, {caught / events:.0%} "
                f"({each}); {alarms / events:.1f} alarms an event"
            )
    return [*found, f"often said of thresholds alone: {SAID}"]


def rows_of(folder: Path) -> list[list[str]]:
    found = []
    for name, (load, forms) in SETS.items():
        choose, judge = load(folder)
        for rule, form in forms.items():
            for target in TARGETS:
                k = chosen(form, target, choose)
                one = score(form, k, judge)
                found.append(
                    [
                        name,
                        rule,
                        f"{target:.0%}",
                        f"{k:g}",
                        f"{one.false_share:.1%}",
                        f"{one.right / one.bad:.0%}" if one.bad else "-",
                        f"{one.caught} of {one.events}",
                        f"{one.alarms / one.events:.1f}" if one.events else "-",
                        f"{median(one.delays):,.0f} s" if one.delays else "-",
                    ]
                )
    return found


HEAD = (
    "data",
    "rule",
    "false share wanted",
    "k",
    "false share",
    "fault time covered",
    "events caught",
    "alarms per event",
    "median delay",
)


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--data", type=Path, required=True)
    made.add_argument("--markdown", action="store_true")
    given = made.parse_args()
    rows = rows_of(given.data)
    if given.markdown:
        print("| " + " | ".join(HEAD) + " |\n" + "|---" * len(HEAD) + "|")
        for row in rows:
            print("| " + " | ".join(row) + " |")
        print("\n" + "\n".join(f"- {line}" for line in totals_of(rows)))
        return
    named = [
        {"name": f"{one[0]}, {one[1]}, {one[2]}", **dict(zip(HEAD, one, strict=True))}
        for one in rows
    ]
    named += [{"name": "all", "found": one} for one in totals_of(rows)]
    tell(named, given.json, lambda one: "  ".join(f"{v:<22}" for v in list(one.values())[1:]))


if __name__ == "__main__":
    main()
