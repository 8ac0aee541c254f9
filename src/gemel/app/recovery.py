"""Restart: state is the last checkpoint plus the log after it; replay applies and sends nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from gemel.app.results import without_supposed
from gemel.core.batch import Batch, join, live_part
from gemel.core.series import MEASURED
from gemel.twins.state import State

if TYPE_CHECKING:
    from gemel.app.platform import Platform

MOST_ROWS = 65_536
"""Replayed readings that are joined before the state takes them."""


def rebuild(platform: Platform) -> None:
    """Brings state and rules to where they were when the last reading became durable."""
    blobs = platform.history.checkpoints()
    if "state" in blobs:
        platform.state.restore(blobs["state"])
        platform.reactions.restore(blobs)
        platform.services.restore(blobs)
        platform.derived.restore(blobs)
    elif platform.history.statistics().segments:  # none yet, or damaged
        _recall_values(platform)
        platform.reactions.forget_told()
        platform.reactions.assume_standing()
    platform.services.changed()
    platform.derived.begin()
    named = platform.reactions.means.is_named
    values = _Values(platform.state, platform.ingest_stage.remember)
    for batch in platform.history.replay():
        if (live := live_part(batch)) is not batch:
            platform.ingest_stage.remember(batch)
            batch = live
        values.take(batch)
        believed = without_supposed(batch, platform.series, named)
        platform.reactions.replay(believed)
        platform.derived.react(believed)
        platform.services.replay(batch)
    values.apply()
    platform.reactions.recall()
    platform.services.after_replay()
    platform.derived.after_replay()
    _recall_presence(platform)


class _Values:
    """Replayed batches on their way into the state: many small ones cost little more than one.

    Nothing else that is replayed looks at the state. What devices send again after a crash is known
    as a repetition.
    """

    def __init__(self, state: State, remember: Callable[[Batch], None]) -> None:
        self._state = state
        self._remember = remember
        self._waiting: list[Batch] = []
        self._rows = 0

    def take(self, batch: Batch) -> None:
        if self._waiting and batch.received < self._waiting[-1].received:
            self.apply()  # the clock was set back: of equal times the first one stays
        self._waiting.append(batch)
        self._rows += len(batch)
        if self._rows >= MOST_ROWS:
            self.apply()

    def apply(self) -> None:
        waiting, self._waiting, self._rows = self._waiting, [], 0
        if not waiting:
            return
        received = np.array([batch.received for batch in waiting], np.int64)
        together = join(waiting)
        self._remember(together)
        self._state.apply(together, np.repeat(received, [len(batch) for batch in waiting]))


def _recall_values(platform: Platform) -> None:
    """Without a checkpoint the last values are read from the history."""
    every = np.arange(len(platform.series), dtype=np.int32)
    platform.state.recall(*platform.history.last_of_many(every))


def _recall_presence(platform: Platform) -> None:
    """When each twin was last heard of: the newest receipt among its series."""
    received, series = platform.state.received, platform.series
    known = series.has_provenance(MEASURED)[: len(received)] & (received > 0)
    newest = np.zeros(len(series.twins), np.int64)
    np.maximum.at(newest, series.twin_of()[: len(received)][known], received[known])
    rows = np.flatnonzero(newest).tolist()
    platform.presence.seen({series.twins[row]: int(newest[row]) for row in rows})


def checkpoint(platform: Platform) -> dict[str, bytes]:
    """The state after everything that was applied so far."""
    services = platform.services.snapshot()  # may add to what the reactions keep
    rest = {**platform.reactions.snapshot(), **platform.derived.snapshot()}
    return {"state": platform.state.snapshot(), **rest, **services}
