"""Restart: state is the last checkpoint plus the log after it; replay applies and sends nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gemel.app.results import without_supposed
from gemel.core.series import MEASURED

if TYPE_CHECKING:
    from gemel.app.platform import Platform


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
        platform.reactions.assume_standing()
    platform.services.changed()
    platform.derived.begin()
    named = platform.reactions.means.is_named
    for batch in platform.history.replay():
        platform.state.apply(batch)
        platform.reactions.replay(without_supposed(batch, platform.series, named))
        platform.derived.react(without_supposed(batch, platform.series))
        platform.services.replay(batch)
    platform.reactions.recall()
    platform.services.after_replay()
    platform.derived.after_replay()
    _recall_presence(platform)


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
