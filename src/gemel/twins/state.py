"""The last value of every series: a struct of arrays into which batches are folded.

The reading with the newest source time wins; of equal times the one received later; of equal
times in one batch the later row. So the order in which batches arrive does not matter, and a
batch applied twice changes nothing: replay after a restart gives the same state.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from gemel.core.batch import F64, I32, I64, U8, Batch, Columns
from gemel.core.errors import Damaged

NEVER = 0
"""The time of a series that has had no reading; ingest lets none from before 1970 in."""

MAGIC = b"GMLSTATE"
VERSION = 1
Rows = NDArray[np.intp]


class LastValue(NamedTuple):
    """The newest reading of one series; `text` is JSON where the value is not a number."""

    time: int
    value: float
    quality: int
    received: int
    text: str | None


@dataclass(frozen=True, slots=True)
class Changed:
    """What one batch did: row i of every array is one series whose last value is new.

    `rows` are the winning rows of the batch; `old_time` is `NEVER` where there was no value.
    A reading that repeats the last one (same time, value and quality) is no change.
    """

    series: I32
    rows: Rows
    old_time: I64
    old_value: F64
    old_quality: U8
    old_text: dict[int, str]
    """Series number to the text it had; only of the series in `series`."""

    def __len__(self) -> int:
        return len(self.series)


class State:
    """Last values, indexed by series number; arrays beyond `size` hold nothing."""

    __slots__ = (
        "_has_text",
        "_position",
        "_quality",
        "_received",
        "_time",
        "_value",
        "size",
        "text",
    )

    def __init__(self, capacity: int = 1024) -> None:
        self.size = 0
        self.text: dict[int, str] = {}
        self._allocate(max(1, capacity))

    def __len__(self) -> int:
        return self.size

    @property
    def time(self) -> I64:
        """A view of (size,), ns; `NEVER` where no reading has come."""
        return self._time[: self.size]

    @property
    def value(self) -> F64:
        return self._value[: self.size]

    @property
    def quality(self) -> U8:
        return self._quality[: self.size]

    @property
    def received(self) -> I64:
        return self._received[: self.size]

    def get(self, series: int) -> LastValue | None:
        """The last value of one series, or None if it has had none."""
        if not 0 <= series < self.size or self._time[series] == NEVER:
            return None
        return LastValue(
            int(self._time[series]),
            float(self._value[series]),
            int(self._quality[series]),
            int(self._received[series]),
            self.text.get(series),
        )

    def has_any(self, series: range) -> bool:
        """Whether one of some series that follow each other has a last value."""
        found = self._time[series.start : min(series.stop, self.size)]
        return bool(len(found)) and bool(found.max() != NEVER)

    def apply(self, batch: Batch, received: I64 | None = None) -> Changed:
        """Folds a batch in and says which series have a new last value.

        Args:
            batch: readings in the order in which they came.
            received: of each row, where batches were joined (n,), never falling; else
                `batch.received`.

        Cost: O(n) numpy; Python work only for rows with text. A sort happens only when a series
        stands several times in the batch and not in order of time.
        """
        rows = self._winners(batch)
        series, time = batch.series[rows], batch.time[rows]
        old_time = self._time[series]
        came = batch.received if received is None else received[rows]
        is_newer = (time > old_time) | ((time == old_time) & (came >= self._received[series]))
        if not is_newer.all():
            rows, series, time = rows[is_newer], series[is_newer], time[is_newer]
            old_time = old_time[is_newer]
            came = batch.received if received is None else received[rows]
        value, quality = batch.value[rows], batch.quality[rows]
        old_value, old_quality = self._value[series], self._quality[series]
        is_same = (time == old_time) & (quality == old_quality)
        is_same &= (value == old_value) | (np.isnan(value) & np.isnan(old_value))
        has_text = self._has_text[series]
        old_text = self._replace_text(batch, rows, series)
        has_text |= self._has_text[series]
        self._time[series] = time
        self._value[series] = value
        self._quality[series] = quality
        self._received[series] = came
        if is_same.any():
            for i in np.flatnonzero(is_same & has_text).tolist():
                number = int(series[i])
                is_same[i] = self.text.get(number) == old_text.get(number)
            keep = ~is_same
            rows, series, old_time = rows[keep], series[keep], old_time[keep]
            old_value, old_quality = old_value[keep], old_quality[keep]
            if old_text:
                old_text = {n: old_text[n] for n in series.tolist() if n in old_text}
        return Changed(series, rows, old_time, old_value, old_quality, old_text)

    def recall(self, series: I32, newest: Columns) -> None:
        """Takes over the newest reading of some series: row i is of `series[i]`.

        Each has none here yet, and stands there once.
        """
        if not len(series):
            return
        self._grow(int(series.max()) + 1)
        self._time[series], self._value[series] = newest.time, newest.value
        self._quality[series], self._received[series] = newest.quality, newest.received
        for row, text in newest.text.items():
            number = int(series[row])
            self.text[number] = text
            self._has_text[number] = True

    def _winners(self, batch: Batch) -> Rows:
        """The row of each series that stands in the batch: newest time, then the later row."""
        series, count = batch.series, len(batch)
        if count == 0:
            return np.empty(0, np.intp)
        if int(series.min()) < 0:
            raise ValueError("a batch names a negative series number")
        self._grow(int(series.max()) + 1)
        position = self._position
        position[series] = np.arange(count, dtype=np.int32)  # of repeated numbers the last stays
        last = position[series]
        if (batch.time <= batch.time[last]).all():
            return np.flatnonzero(last == np.arange(count, dtype=np.int32))
        order = np.lexsort((batch.time, series))  # stable: of equal times the later row is last
        is_last = np.empty(count, np.bool_)
        is_last[-1] = True
        ordered = series[order]
        np.not_equal(ordered[1:], ordered[:-1], out=is_last[:-1])
        return order[is_last]

    def _replace_text(self, batch: Batch, rows: Rows, series: I32) -> dict[int, str]:
        """Sets and clears texts of the winning rows; returns the texts there were."""
        old: dict[int, str] = {}
        text = self.text
        for number in series[self._has_text[series]].tolist():
            old[number] = text.pop(number)
            self._has_text[number] = False
        if batch.text:
            at = np.fromiter(batch.text.keys(), np.intp, len(batch.text))
            for row in at[np.isin(at, rows)].tolist():
                number = int(batch.series[row])
                text[number] = batch.text[row]
                self._has_text[number] = True
        return old

    def _allocate(self, capacity: int) -> None:
        """Columns of which nothing is written: what is not used yet takes no memory."""
        self._time: I64 = np.zeros(capacity, np.int64)
        self._value: F64 = np.empty(capacity, np.float64)
        self._quality: U8 = np.zeros(capacity, np.uint8)
        self._received: I64 = np.zeros(capacity, np.int64)
        self._has_text = np.zeros(capacity, np.bool_)
        self._position: I32 = np.empty(capacity, np.int32)

    def _grow(self, size: int) -> None:
        if size > len(self._time):
            old = self._columns()
            self._allocate(max(size, 2 * len(self._time)))
            for source, target in zip(old, self._columns(), strict=True):
                target[: self.size] = source[: self.size]
        if size > self.size:
            self._value[self.size : size] = np.nan
            self.size = size

    def _columns(self) -> tuple[NDArray[Any], ...]:
        return self._time, self._value, self._quality, self._received, self._has_text

    def snapshot(self) -> bytes:
        """All last values as bytes: a header with a checksum, the columns, the texts as JSON."""
        columns = (self.time, self.value, self.quality, self.received)
        body = b"".join(column.tobytes() for column in columns) + orjson.dumps(
            {str(number): text for number, text in self.text.items()}
        )
        head = np.array([VERSION, self.size, zlib.crc32(body)], "<u8").tobytes()
        return MAGIC + head + body

    def restore(self, data: bytes) -> None:
        """Takes over what `snapshot` gave; everything here before is forgotten.

        Raises:
            Damaged: the bytes are not a snapshot; this state is as it was.
        """
        size, texts, body = _read_snapshot(data)
        self.text = texts
        self._allocate(max(1024, size))
        self.size = size
        start = 0
        for target in (self._time, self._value, self._quality, self._received):
            column = np.frombuffer(body, target.dtype, size, start)
            target[:size] = column
            start += column.nbytes
        self._has_text[list(texts)] = True


def _read_snapshot(data: bytes) -> tuple[int, dict[int, str], bytes]:
    """Checks a snapshot and returns its size, texts and body."""
    start = len(MAGIC) + 24
    if len(data) < start or data[: len(MAGIC)] != MAGIC:
        raise _damaged("it does not begin as one")
    version, size, checksum = (int(n) for n in np.frombuffer(data, "<u8", 3, len(MAGIC)))
    body = data[start:]
    if version != VERSION:
        raise _damaged(f"it has version {version}; this program knows {VERSION}")
    if zlib.crc32(body) != checksum or len(body) < 25 * size:
        raise _damaged("its checksum does not match")
    texts = orjson.loads(body[25 * size :])
    return size, {int(number): text for number, text in texts.items()}, body


def _damaged(what: str) -> Damaged:
    return Damaged(
        f"the snapshot of last values cannot be used: {what}",
        hint="delete it: the state is rebuilt from history",
    )
