"""Readings in columns: the one form in which telemetry crosses every border between stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gemel.core.quality import HISTORICAL

I32: TypeAlias = NDArray[np.int32]
I64: TypeAlias = NDArray[np.int64]
F64: TypeAlias = NDArray[np.float64]
U8: TypeAlias = NDArray[np.uint8]

NO_TEXT: Mapping[int, str] = {}


@dataclass(frozen=True, slots=True)
class Batch:
    """Readings that were received together; row i of every column is one reading.

    Shapes: series, time, value and quality are all (n,).
    Units: time and received are ns since 1970 UTC; values are in the unit of their model.

    `text` maps a row to the JSON text of a value that is not a number (string, enumeration value,
    object, or an integer beyond 2**53); such a row's `value` is NaN. Booleans are 0.0 and 1.0.
    """

    series: I32
    time: I64
    value: F64
    quality: U8
    received: int
    text: Mapping[int, str] = field(default_factory=lambda: NO_TEXT)

    def __len__(self) -> int:
        return len(self.series)

    def take(self, rows: NDArray[np.intp]) -> Batch:
        """The given rows, in the given order."""
        text = NO_TEXT
        if self.text:
            text = {i: self.text[int(r)] for i, r in enumerate(rows) if int(r) in self.text}
        return Batch(
            self.series[rows],
            self.time[rows],
            self.value[rows],
            self.quality[rows],
            self.received,
            text,
        )


def live_part(batch: Batch) -> Batch:
    """A batch without what its source told afterwards: that changes no state and no alarm.

    Cost: 1 us where all of it is live.
    """
    if not len(batch) or not int(np.bitwise_or.reduce(batch.quality)) & HISTORICAL:
        return batch
    return batch.take(np.flatnonzero(batch.quality & HISTORICAL == 0))


def make_batch(
    rows: Sequence[tuple[int, int, float, int]],
    received: int,
    text: Mapping[int, str] = NO_TEXT,
) -> Batch:
    """A batch from (series, time, value, quality) tuples."""
    if not rows:
        return EMPTY
    series, time, value, quality = zip(*rows, strict=True)
    return Batch(
        np.array(series, np.int32),
        np.array(time, np.int64),
        np.array(value, np.float64),
        np.array(quality, np.uint8),
        received,
        text,
    )


def join(batches: Sequence[Batch]) -> Batch:
    """Batches one under the other, received when the first was; at least one."""
    if len(batches) == 1:
        return batches[0]
    text: dict[int, str] = {}
    if any(batch.text for batch in batches):
        first = 0
        for batch in batches:
            text.update((first + row, one) for row, one in batch.text.items())
            first += len(batch)
    return Batch(
        np.concatenate([batch.series for batch in batches]),
        np.concatenate([batch.time for batch in batches]),
        np.concatenate([batch.value for batch in batches]),
        np.concatenate([batch.quality for batch in batches]),
        batches[0].received,
        text or NO_TEXT,
    )


EMPTY = Batch(
    np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.float64), np.empty(0, np.uint8), 0
)


@dataclass(frozen=True, slots=True)
class Columns:
    """Readings of ONE series in order of time, as history returns them; `text` as in `Batch`."""

    time: I64
    value: F64
    quality: U8
    received: I64
    text: Mapping[int, str] = field(default_factory=lambda: NO_TEXT)

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True, slots=True)
class Reject:
    """Something that was received and could not become a reading: kept apart, with the reason."""

    time: int
    """Source time if it could be read, else `received`."""
    received: int
    twin: str
    """The twin or device it came for; "" when not even that is known."""
    field: str
    """Property or path inside the payload; "" for the whole payload."""
    raw: str
    """What was sent, cut to 1,000 characters."""
    reason: str
    """One of `REASONS`."""
    source: str = ""
    """The address: an MQTT topic or an HTTP path."""


REASONS: dict[str, str] = {
    "undecodable": "the payload could not be read",
    "wrong-type": "the value does not have the type that the model says",
    "wrong-unit": "its unit cannot be converted to the unit of the model",
    "not-a-number": "NaN and infinities are not values",
    "far-future": "its time is more than a minute ahead of ours",
    "before-1970": "its time lies before 1970 or cannot be expressed",
    "unknown-property": "the model has no such telemetry or property",
    "unknown-twin": "no twin has this name, and only what is measured may come before its twin",
    "not-allowed": "the sender may not write this twin",
    "too-many": "too many names from one unknown device",
}
