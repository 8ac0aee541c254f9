"""Which station holds a line back, and which buffer is worth its places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gemel.core.document import Json
from gemel.services.lines.draws import Draws
from gemel.services.lines.line import Line
from gemel.services.lines.serial import Outcome, Variant, simulate

FASTER = 0.10
PLACES = 4


@dataclass(frozen=True, slots=True)
class Change:
    """A station faster by a share, or a buffer with more places."""

    kind: str
    """`station` or `buffer`."""
    at: int
    amount: float

    def of(self, line: Line) -> Variant:
        pace, buffers = [1.0] * len(line.stations), list(line.buffers)
        if self.kind == "station":
            pace[self.at] = 1 - self.amount
        else:
            buffers[self.at] += int(self.amount)
        return Variant(tuple(buffers), tuple(pace))

    def words(self, line: Line) -> str:
        names = [one.name for one in line.stations]
        if self.kind == "station":
            return f"{names[self.at]} {self.amount:.0%} faster"
        return f"{int(self.amount)} places more between {names[self.at]} and {names[self.at + 1]}"


@dataclass(frozen=True, slots=True)
class Tried:
    """Of one change: the gain in jobs a second, paired over repetitions, with its 95 % interval."""

    change: Change
    gain: float
    low: float
    high: float


def changes(line: Line, kind: str, amount: float) -> list[Change]:
    count = len(line.stations) if kind == "station" else len(line.buffers)
    return [Change(kind, at, amount) for at in range(count)]


def tried(
    line: Line, draws: Draws, options: Sequence[Change], warmup: int
) -> tuple[Outcome, list[Tried]]:
    """The line as it is, and every change on the same draws, the best first."""
    base = Variant(line.buffers, (1.0,) * len(line.stations))
    found = simulate(draws, [base, *(one.of(line) for one in options)], warmup)
    gains = found.throughput[1:] - found.throughput[:1]
    half = 1.96 * gains.std(axis=1, ddof=1) / np.sqrt(gains.shape[1])
    mean = gains.mean(axis=1)
    rows = [
        Tried(one, float(m), float(m - h), float(m + h))
        for one, m, h in zip(options, mean, half, strict=True)
    ]
    return found, sorted(rows, key=lambda row: -row.gain)


def report(line: Line, found: Outcome, rows: Sequence[Tried]) -> Json:
    """For people: per hour, shares of time, gains in percent."""
    throughput = float(found.throughput[0].mean())
    return {
        "throughputAnHour": throughput * 3600,
        "boundAnHour": line.bound * 3600,
        "jobsInside": float(found.inside[0].mean()),
        "secondsInside": float(found.stay[0].mean()),
        "stations": [
            {
                "name": one.name,
                "busy": float(found.busy[0, i].mean()),
                "down": float(found.down[0, i].mean()),
                "blocked": float(found.blocked[0, i].mean()),
                "starved": max(float(found.starved[0, i].mean()), 0.0),
                "cycle": one.cycle,
                "effective": one.effective,
            }
            for i, one in enumerate(line.stations)
        ],
        "changes": [
            {
                "change": row.change.words(line),
                "kind": row.change.kind,
                "at": row.change.at,
                "gainAnHour": row.gain * 3600,
                "gainShare": row.gain / throughput,
                "low": row.low * 3600,
                "high": row.high * 3600,
                "isSure": row.low > 0,
            }
            for row in rows
        ],
    }
