"""One instance of a service that runs: which series it reads and writes, and what became of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gemel.app.service_documents import named
from gemel.app.service_writer import HIGH, LOW
from gemel.core.batch import I32, I64, Batch
from gemel.core.clock import to_iso
from gemel.core.document import Json
from gemel.core.errors import GemelError
from gemel.core.quality import Quality
from gemel.core.series import quantile_path
from gemel.services.contract import (
    NOTHING,
    Condition,
    Found,
    Instance,
    Kind,
    Live,
    Output,
    Outputs,
    Readings,
    Setup,
)

if TYPE_CHECKING:
    from gemel.app.platform import Platform

log = logging.getLogger("gemel.services")
DECIDES = ("kind", "model", "twins", "as", "parameters", "enabled")


def decides(old: Json, new: Json) -> bool:
    """Whether a change of the document makes the live part begin anew, without its alarms."""
    return any(old.get(name) != new.get(name) for name in DECIDES)


class Hosted:
    """A live part and its joints. A fault in it stops it alone, and it says why."""

    def __init__(
        self, kind: Kind, instance: Instance, document: Json, fit_version: int | None = None
    ) -> None:
        self.kind = kind
        self.instance = instance
        self.document = document
        self.version = int(document.get("version", 1))
        self.fit_version = fit_version
        self.live: Live | None = None
        self.problem = ""
        self.condition: Condition | None = None
        self.updates = self.readings = self.outputs = 0
        self.seconds = 0.0
        self.newest = 0
        self._slot_of: I32 = np.full(1, -1, np.int32)
        self._read: set[tuple[str, str]] = set()
        self._writes: dict[float | None, I32] = {}
        """By quantile, None for the value itself: the series of each twin and output."""

    @property
    def is_running(self) -> bool:
        return self.live is not None and not self.problem

    def is_of(self, document: Json, instance: Instance, fit_version: int | None) -> bool:
        """Whether nothing has changed."""
        same = self.document == document and self.fit_version == fit_version
        return same and self.instance == instance

    def goes_on_as(self, document: Json, fit_version: int | None) -> bool:
        """Whether its successor goes on where it stands: at most twins, or a version, differ."""
        same = self.is_running and (self.fit_version == fit_version or self.kind.remembers)
        return same and not decides(self.document, document)

    def begin(self, platform: Platform, before: bytes | None) -> None:
        """Makes the live part and finds its series."""
        if self.kind.make is None:
            return
        fits = platform.services.fits
        series = platform.series
        self._read = {(s.twin, s.path) for s in self.instance.signals}
        reads = [series.id(s.twin, s.path) for s in self.instance.signals]
        self._slot_of = np.full(max(reads, default=0) + 1, -1, np.int32)
        self._slot_of[reads] = np.arange(len(reads), dtype=np.int32)
        outputs, twins = self._outputs(), self.instance.twins
        for level in (None, LOW, HIGH) if any(o.has_interval for o in outputs) else (None,):
            numbers = [
                [
                    series.id(t, _path(o, level), o.provenance) if self._writes_to(t, o) else -1
                    for o in outputs
                ]
                for t in twins
            ]
            self._writes[level] = np.array(numbers, np.int32).reshape(len(twins), len(outputs))
        try:
            fit = fits.current(self.instance.id)
            self.live = self._made(Setup(self.instance, fit, self.fit_version), before)
            self.condition = self._condition(self.live.condition())
        except Exception as error:  # noqa: BLE001 - told by the status; the others go on
            self._failed("cannot be started", error)

    def _made(self, setup: Setup, before: bytes | None) -> Live:
        """The live part, with what it remembers; it begins anew where that cannot be read."""
        assert self.kind.make is not None
        live = self.kind.make(setup)
        if not before:
            return live
        try:
            live.restore(before)
        except Exception as error:  # noqa: BLE001 - of another version or kind, or damaged
            log.error("the service '%s' begins anew: %r", self.instance.id, error)
            return self.kind.make(setup)
        return live

    def _outputs(self) -> tuple[Output, ...]:
        """Those of its kind, as the document names them."""
        own = self.kind.own_outputs
        if own is not None:
            return own(self.instance)
        return tuple(replace(one, name=named(self.document, one.name)) for one in self.kind.outputs)

    def _writes_to(self, twin: str, output: Output) -> bool:
        return self.kind.own_outputs is None or (twin, output.name) in self._read

    def _condition(self, given: Condition | None) -> Condition | None:
        return given and replace(given, output=named(self.document, given.output))

    def update(self, batches: Sequence[Batch]) -> Found:
        """Gives the live part the readings that are its own."""
        if self.live is None or self.problem:
            return NOTHING
        readings = self._own(batches)
        if not len(readings):
            return NOTHING
        begin = time.perf_counter()
        try:
            found = self.live.update(readings)
        except Exception as error:  # noqa: BLE001 - told by the status; the others go on
            self._failed("has failed", error)
            return NOTHING
        self.seconds += time.perf_counter() - begin
        self.updates += 1
        self.readings += len(readings)
        self.outputs += len(found.outputs)
        self.newest = max(self.newest, int(readings.time.max()))
        return found

    def _own(self, batches: Sequence[Batch]) -> Readings:
        slots, times, values = [], [], []
        size = len(self._slot_of)
        for batch in batches:
            known = batch.series < size
            slot = np.where(known, self._slot_of[np.where(known, batch.series, 0)], -1)
            keep = (slot >= 0) & (batch.quality < Quality.BAD) & np.isfinite(batch.value)
            rows = _in_time(np.flatnonzero(keep), batch.time)
            if len(rows):
                slots.append(slot[rows])
                times.append(batch.time[rows])
                values.append(batch.value[rows])
        if not slots:
            return Readings(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0))
        return Readings(
            np.concatenate(slots).astype(np.int32), np.concatenate(times), np.concatenate(values)
        )

    def series_of(self, outputs: Outputs, level: float | None) -> I32:
        """The series of each row, of a quantile or (None) of the value itself."""
        found: I32 = self._writes[level][outputs.twin, outputs.output]
        return found

    def snapshot(self) -> bytes | None:
        if self.live is None or self.problem:
            return None
        try:
            return self.live.snapshot()
        except Exception as error:  # noqa: BLE001 - told by the status; the others go on
            self._failed("cannot be saved", error)
            return None

    def _failed(self, what: str, error: Exception) -> None:
        self.problem = f"it {what}: {type(error).__name__}: {error}"
        trace = None if isinstance(error, GemelError) else error
        log.error("the service '%s' %s: %s", self.instance.id, what, error, exc_info=trace)

    def status(self) -> Json:
        """How it fares; see docs/reference/services.md."""
        known: Json = {}
        if self.live is not None and not self.problem:
            known = self.live.status()
        return {
            "isRunning": self.is_running,
            "problem": self.problem,
            "twins": len(self.instance.twins),
            "signals": len(self.instance.signals),
            "updates": self.updates,
            "readings": self.readings,
            "outputs": self.outputs,
            "microsecondsAReading": (
                round(self.seconds / self.readings * 1e6, 3) if self.readings else None
            ),
            "newest": to_iso(self.newest) if self.newest else None,
            "knows": known,
        }


def _path(output: Output, level: float | None) -> str:
    return output.name if level is None else quantile_path(output.name, level)


def _in_time(rows: NDArray[np.intp], time: I64) -> NDArray[np.intp]:
    """Rows that were received together in order of time: a message may bring them by column."""
    if len(rows) > 1 and (np.diff(time[rows]) < 0).any():
        rows = rows[np.argsort(time[rows], kind="stable")]
    return rows
