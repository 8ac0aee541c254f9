"""What rules cost: a tick at 1,000 to 50,000 instances, back-tests, plain Python, and Bytewax.

scripts/bench rules [--json] [--quick] [--only NAME]

One run, the same rules everywhere. A tick is all that a second of 50,000 readings costs: they are
taken in and every instance is judged. Times are of the processor. What a hand-written loop and
Bytewax find in the same readings must be what Gemel finds, else the exit code is 1.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from against import rules_plain as plain
from against.rows import parser, tell

import peers
from gemel.core.batch import Batch
from gemel.core.clock import SECOND
from gemel.services.rules.compiler import PropertyShape
from gemel.services.rules.engine import RuleEngine
from gemel.services.rules.rule import Rule, load_rule
from gemel.services.rules.whole import Span

SIGNALS = 50_000
SIZES = (1_000, 10_000, 50_000)
BEGIN = 1_700_000_040
"""A whole number of minutes, in seconds."""
FILL, TICKS = 64, 40
"""Seconds until the windows of a minute are full, and those that are measured then."""
RESTLESS = 0.01
"""Share of the signals that make alarms while ticks are measured."""
COMPARED, SPAN = 500, 240
"""Twins and seconds of the comparison with other ways."""
MEMBERS = 3
"""Relatives of a twin: itself and those that follow."""
BYTEWAX = "bytewax==0.21.1"
SHAPES = {
    "temperature": PropertyShape("number", "degreeCelsius"),
    "temperature@predicted": PropertyShape("number", "degreeCelsius"),
}


@dataclass(frozen=True)
class Construct:
    name: str
    when: str
    make: plain.Make
    """The same rule by hand."""
    in_bytewax: bool = False
    has_gaps: bool = False
    has_predictions: bool = False


def members(twin: int) -> list[int]:
    return [(twin + i) % COMPARED for i in range(MEMBERS)]


CONSTRUCTS = [
    Construct("threshold", "temperature > 80 °C", lambda _: plain.Threshold(80), True),
    Construct(
        "duration", "temperature > 79 °C for 10 s", lambda _: plain.Threshold(79, hold=10), True
    ),
    Construct(
        "deadband",
        "temperature > 80 °C deadband 5 °C",
        lambda _: plain.Threshold(80, band=5),
        True,
    ),
    Construct(
        "on- and off-delay",
        "temperature > 80 °C for 5 s, off for 20 s",
        lambda _: plain.Threshold(80, hold=5, off=20),
        True,
    ),
    Construct("rate", "rate of temperature > 39.9 °C/min", lambda _: plain.Slope(60, 39.9 / 60)),
    Construct(
        "mean", "mean of temperature over 1 min > 72.1 °C", lambda _: plain.Mean(60, 72.1), True
    ),
    Construct(
        "sd", "sd of temperature over 1 min > 8.13 °C", lambda _: plain.Deviation(60, 8.13), True
    ),
    Construct(
        "percentile",
        "95th percentile of temperature over 1 min > 80 °C",
        lambda _: plain.Percentile(60, 80, 0.95),
        True,
    ),
    Construct(
        "median",
        "median of temperature over 1 min > 72 °C",
        lambda _: plain.Percentile(60, 72, 0.5),
    ),
    Construct(
        "slope",
        "slope of temperature over 2 min > 0.2501 °C/s",
        lambda _: plain.Slope(120, 0.2501),
        True,
    ),
    Construct(
        "count",
        "(temperature > 80 °C) happens at least 3 times within 1 min",
        lambda _: plain.Happens(60, 80, 3),
        True,
    ),
    Construct("silence", "no temperature for 8 s", lambda _: plain.Silence(8), has_gaps=True),
    Construct(
        "deviation",
        "temperature deviates from its prediction by more than 10 °C for 10 s",
        lambda _: plain.AwayFromPrediction(10, 10),
        has_predictions=True,
    ),
    Construct(
        "relatives",
        "at least 2 of temperature in beside > 80 °C",
        lambda twin: plain.SomeRelatives(members(twin), 80, 2),
    ),
]


# -- readings and engines ----------------------------------------------------------------------


def readings(seconds: int, signals: int, restless: float = 1.0) -> Iterator[np.ndarray]:
    """Whole degrees that swing about 65, each signal at its own pace, a row a second.

    Args:
        seconds: rows.
        signals: columns.
        restless: the share of signals that swing so far that rules raise.
    """
    chance = np.random.default_rng(7)
    phase, period = chance.uniform(0, 6.28, signals), chance.uniform(90, 400, signals)
    height = np.where(np.arange(signals) < restless * signals, 16, 5)
    for second in range(seconds):
        swing = height * np.sin(phase + 6.28 * second / period)
        yield np.round(65 + swing + chance.normal(0, 1, signals))


def silent(second: int, row: np.ndarray, restless: float = 1.0) -> np.ndarray:
    """Which signals say nothing: of the restless ones each for 12 s of each 100."""
    number = np.arange(len(row))
    return ((number * 7 + second) % 100 < 12) & (number < restless * len(row))


def batch_of(series: np.ndarray, second: int, value: np.ndarray) -> Batch:
    size, now = len(series), (BEGIN + second) * SECOND
    return Batch(series.astype(np.int32), np.full(size, now), value, np.zeros(size, np.uint8), now)


def rule_of(construct: Construct) -> Rule:
    document = {"model": "dtmi:bench:Motor;1", "when": construct.when}
    return load_rule("measured", document, SHAPES, stale_after=30.0, kin=lambda _: SHAPES)


def engine_of(construct: Construct, instances: int, twins: int) -> RuleEngine:
    """A rule on some of the twins; each twin has a signal and its prediction."""

    def series_of(twin: int) -> dict[str, int]:
        return {"temperature": twin, "temperature@predicted": twins + twin}

    def kin(twin: str, _relation: object) -> list[tuple[str, dict[str, int]]]:
        return [(str(n), series_of(n)) for n in ((int(twin) + i) % twins for i in range(MEMBERS))]

    engine = RuleEngine()
    engine.set_rule(rule_of(construct), [(str(n), series_of(n)) for n in range(instances)], kin)
    return engine


def batches(
    construct: Construct, seconds: int, twins: int, restless: float = 1.0
) -> Iterator[Batch]:
    every = np.arange(twins)
    for second, row in enumerate(readings(seconds, twins, restless)):
        if construct.has_predictions and second % 30 == 0:
            value = np.full(twins, 65.0 + second % 7)
            both = np.concatenate((every, every + twins))
            yield batch_of(both, second, np.concatenate((row, value)))
            continue
        if construct.has_gaps:
            heard = ~silent(second, row, restless)
            yield batch_of(every[heard], second, row[heard])
            continue
        yield batch_of(every, second, row)


# -- what is measured --------------------------------------------------------------------------


def ticks(construct: Construct, instances: int, fill: int, count: int) -> dict[str, float]:
    engine = engine_of(construct, instances, SIGNALS)
    taken, flips = [], 0
    for number, batch in enumerate(batches(construct, fill + count, SIGNALS, RESTLESS)):
        before = time.process_time()
        found = engine.react(batch)
        found += engine.tick(batch.received)
        if number >= fill:
            taken.append(1_000 * (time.process_time() - before))
            flips += len(found)
    return {
        "median_ms": round(median(taken), 2),
        "p95_ms": round(float(np.percentile(taken, 95)), 2),
        "worst_ms": round(max(taken), 2),
        "transitions_a_tick": round(flips / count, 1),
    }


def backtest(construct: Construct, count: int) -> float:
    """Readings a second of one core, without reading the history."""
    at = (BEGIN + np.arange(count)) * SECOND
    found = np.concatenate([row for row in readings(count // 1_000, 1_000)])
    read = {"temperature": (at, found), "temperature@predicted": (at[::30], found[::30] * 0 + 65)}
    rule, taken = rule_of(construct), 0.0
    total = 0

    def given(_twin: str, path: str) -> tuple[np.ndarray, np.ndarray]:
        nonlocal total
        total += len(read[path][0])
        return read[path]

    span = Span(given, int(at[0]), int(at[-1]), kin=lambda twin, _: [twin, "y", "z"])
    before = time.process_time()
    span.judge(rule, "x")
    taken = time.process_time() - before
    return total / taken


def by_gemel(construct: Construct, seconds: int) -> tuple[list[plain.Flip], float]:
    engine = engine_of(construct, COMPARED, COMPARED)
    prepared = list(batches(construct, seconds, COMPARED))
    engine.tick(prepared[0].received)  # lays the columns out
    found, before = [], time.process_time()
    for batch in prepared:
        found += engine.react(batch)
        found += engine.tick(batch.received)
    found += engine.tick(prepared[-1].received + 5 * SECOND)  # the lateness
    taken = time.process_time() - before
    return [(int(t.twin), t.kind, t.time // SECOND) for t in found], taken


def compared(
    construct: Construct, run_peer: Callable[..., object] | None, seconds: int
) -> dict[str, object]:
    """ns a reading of three ways on the same readings, and whether all found the same."""
    rows = np.array(list(readings(seconds, COMPARED)))
    ahead: dict[int, np.ndarray] = {}
    if construct.has_gaps:
        for second, row in enumerate(rows):
            row[silent(second, row)] = np.nan
    if construct.has_predictions:
        ahead = {s: np.full(COMPARED, 65.0 + s % 7) for s in range(0, seconds, 30)}
    count = int(np.isfinite(rows).sum())
    ours, taken = by_gemel(construct, seconds)
    expected = sorted(one for one in ours if one[2] < BEGIN + seconds)
    theirs, by_loop = plain.run_loop(construct.make, BEGIN, rows, ahead)
    found: dict[str, object] = {
        "transitions": len(expected),
        "gemel_ns": round(1e9 * taken / count),
        "loop_ns": round(1e9 * by_loop / count),
        "bytewax_ns": None,
        "same": sorted(theirs) == expected,
    }
    if run_peer is not None and construct.in_bytewax:
        flips, took = run_peer(construct.make, BEGIN, rows)
        found["bytewax_ns"] = round(1e9 * took / count)
        found["same"] = found["same"] and sorted(flips) == expected
    return found


def measured(only: str, *, is_quick: bool) -> Iterator[dict[str, Any]]:
    folder, why_not = (None, "--quick") if is_quick else peers.pip("bytewax", BYTEWAX)
    run_peer = None
    if folder is not None:
        run_peer = lambda *words: plain.run_bytewax(folder, *words)  # noqa: E731
    sizes = (1_000,) if is_quick else SIZES
    fill, count = (4, 4) if is_quick else (FILL, TICKS)
    for construct in CONSTRUCTS:
        if only not in ("", construct.name):
            continue
        row: dict[str, Any] = {"name": construct.name, "when": construct.when}
        row["ticks"] = {str(size): ticks(construct, size, fill, count) for size in sizes}
        row["backtest_million_a_second"] = round(
            backtest(construct, 10_000 if is_quick else 1_000_000) / 1e6, 2
        )
        row |= compared(construct, run_peer, 90 if is_quick else SPAN)
        yield row | ({"without_bytewax": why_not} if why_not else {})


def line(row: dict[str, Any]) -> str:
    """Milliseconds of a tick by how many instances, million readings/s, ns a reading."""
    ticks = "".join(
        f"  {int(size):,}: {one['median_ms']:.2f} ({one['worst_ms']:.1f})"
        for size, one in row["ticks"].items()
    )
    peer = "-" if row["bytewax_ns"] is None else f"{row['bytewax_ns']:,}"
    told = f"{row['transitions']:,}, " + ("the same" if row["same"] else "NOT THE SAME")
    return (
        f"{row['name']:18} ms a tick{ticks}"
        f"  back-test {row['backtest_million_a_second']:.1f} million/s"
        f"  ns: Gemel {row['gemel_ns']:,} loop {row['loop_ns']:,} Bytewax {peer}  found {told}"
    )


def main() -> int:
    made = parser(__doc__)
    made.add_argument("--quick", action="store_true", help="little of all, without Bytewax")
    made.add_argument("--only", default="", metavar="NAME", help="one construct")
    wanted = made.parse_args()
    rows = tell(measured(wanted.only, is_quick=wanted.quick), wanted.json, line)
    return 0 if rows and all(row["same"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
