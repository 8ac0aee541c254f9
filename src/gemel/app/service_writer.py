"""Writes what services give as readings with their provenance; what is not on disk yet waits."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from gemel.core.batch import F64, I32, I64, Batch
from gemel.core.errors import Unavailable
from gemel.core.quality import Quality
from gemel.core.series import SeriesKey, check_provenance, quantile_path
from gemel.services.contract import Series
from gemel.services.packing import pack, unpack

if TYPE_CHECKING:
    from gemel.app.platform import Platform

log = logging.getLogger("gemel.services")
LOW, HIGH = 0.05, 0.95
"""The quantiles that bound an interval: 90 of 100 true values lie within."""
ROWS_A_BATCH = 100_000


class ServiceWriter:
    """In order; when the disk is full it tries again with the next tick."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._waiting: deque[Batch] = deque()
        self._is_writing = False
        self._idle = asyncio.Event()
        self._idle.set()

    def queue(self, series: I32, time: I64, value: F64) -> None:
        """Adds values in the order in which they were found; NaN is left out."""
        is_there = np.isfinite(value)
        if is_there.any():
            quality = np.full(int(is_there.sum()), Quality.GOOD, np.uint8)
            now = self._platform.clock()
            batch = Batch(series[is_there], time[is_there], value[is_there], quality, now)
            self._waiting.append(batch)

    def write_soon(self) -> None:
        """Starts writing unless that is under way."""
        if self._waiting and not self._is_writing:
            self._is_writing = True
            self._idle.clear()
            self._platform.start_task(self._write())

    async def _write(self) -> None:
        try:
            while self._waiting:
                for provenance, batch in self._by_provenance(self._waiting[0]):
                    await self._platform.append(batch, provenance)
                self._waiting.popleft()
        except Unavailable as error:
            log.warning("outputs of services wait: %s", error)
        finally:
            self._is_writing = False
            self._idle.set()

    async def flush(self) -> None:
        """Returns when all that waits now is on disk, or cannot be written."""
        self.write_soon()
        await self._idle.wait()

    def _by_provenance(self, batch: Batch) -> list[tuple[str, Batch]]:
        keys = self._platform.series.keys
        numbers, places = np.unique(batch.series, return_inverse=True)
        words = [keys[n].provenance for n in numbers.tolist()]
        if len(set(words)) == 1:
            return [(words[0], batch)]
        of_row = np.array(words)[places]
        return [(word, batch.take(np.flatnonzero(of_row == word))) for word in sorted(set(words))]

    async def write_series(self, found: Iterable[Series]) -> None:
        """Writes what a run has given, and returns when it is on disk.

        Raises:
            Unavailable: it cannot be stored.
        """
        for one in found:
            check_provenance(one.provenance)
            for path, value in (
                (one.path, one.value),
                (quantile_path(one.path, LOW), one.low),
                (quantile_path(one.path, HIGH), one.high),
            ):
                if value is not None:
                    number = self._platform.series.id(one.twin, path, one.provenance)
                    await self._write_column(number, one.time, value, one.provenance)

    async def _write_column(self, number: int, time: I64, value: F64, provenance: str) -> None:
        for start in range(0, len(time), ROWS_A_BATCH):
            part = slice(start, start + ROWS_A_BATCH)
            keep = np.isfinite(value[part])
            count = int(keep.sum())
            await self._platform.append(
                Batch(
                    np.full(count, number, np.int32),
                    np.asarray(time[part][keep], np.int64),
                    np.asarray(value[part][keep], np.float64),
                    np.zeros(count, np.uint8),
                    self._platform.clock(),
                ),
                provenance,
            )

    # ---- checkpoint and restart ----------------------------------------------------------------

    def snapshot(self) -> bytes:
        """What waits, by names: their numbers may not be on disk yet."""
        numbers = np.concatenate([b.series for b in self._waiting] or [np.zeros(0, np.int32)])
        times = np.concatenate([b.time for b in self._waiting] or [np.zeros(0, np.int64)])
        values = np.concatenate([b.value for b in self._waiting] or [np.zeros(0)])
        used, places = np.unique(numbers, return_inverse=True)
        keys = [list(self._platform.series.keys[n]) for n in used.tolist()]
        return pack({"keys": keys}, {"place": places, "time": times, "value": values})

    def restore(self, data: bytes) -> None:
        document, arrays = unpack(data)
        numbers = [self._platform.series.id(*SeriesKey(*key)) for key in document["keys"]]
        if numbers:
            series = np.array(numbers, np.int32)[arrays["place"]]
            self.queue(series, arrays["time"], arrays["value"])

    def forget_stored(self) -> None:
        """After a replay: drops what was on disk already, by the newest time of each series."""
        state = self._platform.state
        waiting, self._waiting = self._waiting, deque()
        for batch in waiting:
            known = batch.series < len(state.time)
            newest = np.zeros(len(batch), np.int64)
            newest[known] = state.time[batch.series[known]]
            new = np.flatnonzero(batch.time > newest)
            if len(new):
                self._waiting.append(batch.take(new))
