"""A ledger held against history: every acknowledged reading is there, once, with its value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from gemel.core.batch import F64, I64
from gemel.core.clock import to_iso
from gemel.core.errors import NotFound
from gemel.load.ledger import Ledger

Call = Callable[..., Any]
"""`call(method, path, **query)` of a server's HTTP API; the JSON of the answer."""
SERIES = 100
ROWS = 1_000_000
"""Rows asked for at once, over all series of a question."""
EXAMPLES = 20


@dataclass(slots=True)
class Verdict:
    """Counts of readings."""

    acknowledged: int = 0
    found: int = 0
    lost: int = 0
    """Acknowledged, and not there."""
    doubled: int = 0
    """There more than once."""
    wrong: int = 0
    """There with another value, or at a time at which none was sent."""
    unacknowledged: int = 0
    """There and right without an acknowledgement that the ledger saw."""
    examples: list[str] = field(default_factory=list)

    @property
    def is_right(self) -> bool:
        return not (self.lost or self.doubled or self.wrong)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def note(self, text: str, times: I64) -> None:
        if len(times) and len(self.examples) < EXAMPLES:
            self.examples.append(f"{text} at {to_iso(int(times[0]) * 1_000)}")


class Verifier:
    """Asks a server for what a ledger says."""

    def __init__(self, ledger: Ledger, call: Call) -> None:
        self._ledger = ledger
        self._plan = ledger.plan
        self._call = call
        self._values = ledger.plan.values()
        self.verdict = Verdict()

    def run(self) -> Verdict:
        """Compares all; raises what `call` raises."""
        plan = self._plan
        for connection in range(plan.connections):
            acknowledged = self._ledger.acknowledged.get(connection, np.empty(0, np.int64))
            if not len(acknowledged):
                continue
            for device in plan.devices_of(connection):
                for at in range(0, plan.readings, SERIES):
                    signals = range(at, min(at + SERIES, plan.readings))
                    self._device(device, acknowledged, signals)
        return self.verdict

    def _device(self, device: int, acknowledged: I64, signals: range) -> None:
        """All readings of some signals of a device, in spans that one answer can hold."""
        connection, place, count = self._plan.connection_of(device)
        # what was sent after the last acknowledgement may be there too: it must be right
        end = int(acknowledged[-1]) + 1 + 65_535
        width = max(1, ROWS // len(signals)) * count
        mine = acknowledged[acknowledged % count == place]
        for first in range(0, end, width):
            last = min(first + width, end)
            bounds = self._plan.times(connection, np.array([first, last], np.int64))
            span = (bounds - self._plan.step // 2 - 1).tolist()
            wanted = mine[(mine >= first) & (mine < last)]
            self._span(device, span, wanted, signals)

    def _span(self, device: int, span: list[int], wanted: I64, signals: range) -> None:
        plan, verdict = self._plan, self.verdict
        names = [plan.signals[i] for i in signals]
        try:
            answer = self._call(
                "GET", "/history", twin=plan.name(device), property=",".join(names),
                **{"from": to_iso(span[0] * 1_000), "to": to_iso(span[1] * 1_000)},
                limit=2 * ROWS,
            )["series"]  # fmt: skip
        except NotFound:  # the only series that was asked for is not there at all
            answer = [{"time": [], "value": []} for _ in signals]
        for signal, found in zip(signals, answer, strict=True):
            milliseconds = np.asarray(found["time"], np.float64)
            times = np.rint(milliseconds * 1_000).astype(np.int64)
            values = np.array([np.nan if v is None else v for v in found["value"]], np.float64)
            verdict.acknowledged += len(wanted)
            verdict.found += len(times)
            self._series(device, signal, wanted, times, values)

    def _series(self, device: int, signal: int, wanted: I64, times: I64, values: F64) -> None:
        plan, verdict = self._plan, self.verdict
        connection, place, count = plan.connection_of(device)
        what = f"{plan.name(device)}.{plan.signals[signal]}"
        numbers, rest = np.divmod(times - plan.times(connection, np.zeros(1, np.int64)), plan.step)
        right = self._values[plan.rows(connection, numbers), signal]
        is_right = (rest == 0) & (numbers % count == place) & (values == right)
        verdict.wrong += int((~is_right).sum())
        verdict.note(f"{what} is wrong", times[~is_right])
        there, counts = np.unique(numbers[is_right], return_counts=True)
        verdict.doubled += int((counts - 1).sum())
        verdict.note(f"{what} is doubled", plan.times(connection, there[counts > 1]))
        lost = np.setdiff1d(wanted, there, assume_unique=True)
        verdict.lost += len(lost)
        verdict.note(f"{what} is lost", plan.times(connection, lost))
        verdict.unacknowledged += len(there) - (len(wanted) - len(lost))
