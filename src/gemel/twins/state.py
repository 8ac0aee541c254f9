"""The last value of every series: a struct of arrays into which batches are folded.

The reading with the newest source time wins; of equal times the one received later; of equal
times in one batch the later row. So the order in which batches arrive does not matter, and a
batch applied twice changes nothing: replay after a restart gives the same state.
"""

from __future__ import annotations

import zlib
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from gemel.core.batch import F64, I32, I64, U8, Batch, Columns
from gemel.core.errors import Damaged

NEVER = 0
"""The time of a series that has had no reading; ingest lets none from before 1970 in."""
FEW = 64
"""Numbers of which Python finds the largest sooner than numpy."""

MAGIC = b"GMLSTATE"
VERSION = 1
Rows = NDArray[np.intp]
Mask = NDArray[np.bool_]


class LastValue(NamedTuple):
    """The newest reading of one series; `text` is JSON where the value is not a number."""

    time: int
    value: float
    quality: int
    received: int
    text: str | None


class _New(NamedTuple):
    """What may become the last values: each row of a series of its own."""

    series: I32
    place: Rows
    """The same, as numpy wants it where it looks up."""
    time: I64
    value: F64
    quality: U8
    came: I64 | int

    def take(self, rows: Rows) -> _New:
        return _New(
            self.series[rows],
            self.place[rows],
            self.time[rows],
            self.value[rows],
            self.quality[rows],
            self.came[rows] if isinstance(self.came, np.ndarray) else self.came,
        )


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
        if series.start >= min(series.stop, self.size):
            return False
        found = self._time[series.start : min(series.stop, self.size)]
        if len(found) <= FEW:
            return bool(max(found.tolist()) != NEVER)
        return bool(found.max() != NEVER)

    def apply(self, batch: Batch, received: I64 | None = None) -> I32:
        """Folds a batch in and returns the series that have a new last value.

        A reading that repeats the last one (same time, value and quality) is no change.

        Args:
            batch: readings in the order in which they came.
            received: of each row, where batches were joined (n,), never falling; else
                `batch.received`.

        Cost: O(n) numpy; Python work only for rows with text. A sort happens only when a series
        stands several times in the batch and not in order of time. Where each series stands once,
        with a newer time, as it mostly does, what else there is to find out is left out.
        """
        if not len(batch):
            return batch.series
        index = self._index(batch.series)
        rows = self._winners(batch, index)
        came = batch.received if received is None else received
        new = _New(batch.series, index, batch.time, batch.value, batch.quality, came)
        if rows is not None:
            new = new.take(rows)
        is_repeated = None
        is_newer = new.time > self._time[new.place]
        if not is_newer.all():
            is_equal = new.time == self._time[new.place]
            is_newer |= is_equal & (new.came >= self._received[new.place])
            kept = np.flatnonzero(is_newer)
            rows = kept if rows is None else rows[kept]
            new = new.take(kept)
            is_repeated = is_equal[kept] & self._is_same(new)
        if self.text or batch.text:
            has_new_text = self._replace_text(batch, rows, new.place)
            if is_repeated is not None:
                is_repeated &= ~has_new_text
        self._time[new.place] = new.time
        self._value[new.place] = new.value
        self._quality[new.place] = new.quality
        self._received[new.place] = new.came
        return new.series if is_repeated is None else new.series[~is_repeated]

    def _is_same(self, new: _New) -> Mask:
        """Which rows have the value, texts aside, and the quality that are here."""
        value, old = new.value, self._value[new.place]
        is_same: Mask = (value == old) | (np.isnan(value) & np.isnan(old))
        is_same &= new.quality == self._quality[new.place]
        return is_same

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

    def _index(self, series: I32) -> Rows:
        """Where the series stand; makes room for them."""
        if int(series.min()) < 0:
            raise ValueError("a batch names a negative series number")
        self._grow(int(series.max()) + 1)
        return series.astype(np.intp)

    def _winners(self, batch: Batch, index: Rows) -> Rows | None:
        """The row of each series that stands in the batch: newest time, then the later row.

        None where each stands there once.
        """
        position, order = self._position, np.arange(len(batch), dtype=np.int32)
        position[index] = order  # of repeated numbers the last stays
        last = position[index]
        is_last = last == order
        if is_last.all():
            return None
        if (batch.time <= batch.time[last]).all():
            return np.flatnonzero(is_last)
        by_time = np.lexsort((batch.time, batch.series))  # stable: of equal ones the later is last
        ordered = batch.series[by_time]
        np.not_equal(ordered[1:], ordered[:-1], out=is_last[:-1])
        is_last[-1] = True
        rows: Rows = by_time[is_last]
        return rows

    def _replace_text(self, batch: Batch, rows: Rows | None, index: Rows) -> Mask:
        """Sets and clears texts of the winning rows (None: of all); which of them are new."""
        given = np.zeros(len(index), np.bool_)
        if batch.text:
            at = np.fromiter(batch.text, np.intp, len(batch.text))
            given[at if rows is None else np.isin(rows, at)] = True
        is_new = given | self._has_text[index]
        for place in np.flatnonzero(is_new).tolist():
            number = int(index[place])
            old = self.text.pop(number, None)
            text = batch.text.get(place if rows is None else int(rows[place]))
            if text is not None:
                self.text[number] = text
            is_new[place] = text != old
        self._has_text[index] = given
        return is_new

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
