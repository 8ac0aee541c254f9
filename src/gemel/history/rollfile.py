"""Files of roll-ups beside a segment: `.1m` has its minutes, `.1h` its hours.

Like a segment they hold blocks in order of (series, time) and an index. The series is doubled, plus
1 for rows whose readings are in the segment too; rows of which the readings have grown too old and
are gone stand under the even number.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, NamedTuple, TypeVar

import numpy as np

from gemel.core.batch import I32, I64
from gemel.history.block import (
    COUNT,
    SERIES,
    TIME,
    pack,
    parts_of,
    starts_of,
    unpack,
)
from gemel.history.blockfile import BlockFile, BlockWriter
from gemel.history.cache import BlockCache, Caches
from gemel.history.codec import Codec, decode, encode_numbers
from gemel.history.damage import DamageList, reading
from gemel.history.files import Files
from gemel.history.index import Index
from gemel.history.rollup import HOUR, MINUTE, NO_ROLLS, Rolls, stacked

ROLLED = {MINUTE: ".1m", HOUR: ".1h"}
MAGIC = b"GmRo"
BLOCK_ROWS = 8_192
LEVEL = 6
COLUMNS = (
    (16, "count"),
    (17, "first_time"),
    (18, "first"),
    (19, "last_time"),
    (20, "last"),
    (21, "low_time"),
    (22, "low"),
    (23, "high_time"),
    (24, "high"),
    (25, "total"),
    (26, "deviation"),
)
TIMES = frozenset({"first_time", "last_time", "low_time", "high_time"})


Number = TypeVar("Number", int, I32)


def gone(series: Number) -> Number:
    """The number under which rows stand whose readings are gone."""
    return 2 * series


def kept(series: Number) -> Number:
    """The number under which rows stand whose readings are there."""
    return 2 * series + 1


class RollBlock(NamedTuple):
    """Part i holds rows `starts[i]` to `starts[i + 1]` of `series[i]`."""

    series: I32
    starts: I64
    rolls: Rolls


@np.errstate(over="ignore")
def encode_rolls(rolls: Rolls, codec: Codec) -> bytes:
    """The bytes of a block; `rolls` are sorted and not empty."""
    series, counts = parts_of(rolls.series)
    columns = [
        (SERIES, *encode_numbers(series, codec=codec, level=LEVEL, is_ordered=True)),
        (COUNT, *encode_numbers(counts, codec=codec, level=LEVEL)),
        (TIME, *encode_numbers(rolls.time, codec=codec, level=LEVEL, is_ordered=True)),
    ]
    for number, name in COLUMNS:
        column = getattr(rolls, name)
        if name in TIMES:
            column = column - rolls.time
        elif name == "deviation":
            column = column.astype(np.float32)
        columns.append((number, *encode_numbers(column, codec=codec, level=LEVEL)))
    return pack(MAGIC, len(rolls), len(series), columns)


def decode_rolls(data: bytes) -> RollBlock:
    """Raises Damaged when the bytes are not what was written."""
    rows, parts, columns = unpack(data, MAGIC, 3 + len(COLUMNS))
    series = decode(*columns[SERIES], parts, np.int32)
    counts = decode(*columns[COUNT], parts, np.int32)
    starts = starts_of(counts, rows)
    time = decode(*columns[TIME], rows, np.int64)
    found = {}
    for number, name in COLUMNS:
        if name in TIMES:
            found[name] = decode(*columns[number], rows, np.int64) + time
        elif name == "count":
            found[name] = decode(*columns[number], rows, np.int64)
        elif name == "deviation":
            found[name] = decode(*columns[number], rows, np.float32).astype(np.float64)
        else:
            found[name] = decode(*columns[number], rows, np.float64)
    return RollBlock(series, starts, Rolls(np.repeat(series, counts), time, **found))


class RollFile(BlockFile[RollBlock]):
    """The roll-ups of one width that belong to one segment."""

    MAGIC: ClassVar[bytes] = MAGIC

    def __init__(
        self,
        path: Path,
        files: Files,
        damage: DamageList,
        cache: BlockCache[RollBlock] | None = None,
        indexes: BlockCache[Index] | None = None,
    ) -> None:
        super().__init__(path, files, damage, cache, indexes)
        self.has_gone = bool((self.index.series % 2 == 0).any())
        """Whether the readings of any of its rows are gone."""

    def decode(self, data: bytes) -> RollBlock:
        return decode_rolls(data)

    def rows_in(self, block: RollBlock) -> Rolls:
        return block.rolls

    def shape(self, block: RollBlock) -> tuple[I32, int]:
        return block.series, len(block.rolls)

    def has(self, number: int) -> bool:
        """Whether there are rows under this number."""
        if number % 2 == 0 and not self.has_gone:
            return False
        first, last = self.index.parts_of(number)
        return first < last

    def find(self, number: int, start: int, end: int) -> Rolls | None:
        """Rows under a number that begin at start <= time < end; None if some are damaged."""
        index = self.index
        first, last = index.parts_of(number)
        found = []
        for part in range(first, last):
            place = index.block_of(part)
            if end <= index.time_min[place] or start > index.time_max[place]:
                continue
            block = self.block(place)
            if block is None:
                return None
            own = part - int(index.first_part[place])
            begin, stop = int(block.starts[own]), int(block.starts[own + 1])
            low, high = np.searchsorted(block.rolls.time[begin:stop], (start, end))
            found.append(block.rolls.take(slice(begin + int(low), begin + int(high))))
        return stacked(found)

    def gone(self, first: int, end: int) -> Rolls:
        """All rows whose readings are gone, of series of a range."""
        if not self.has_gone:
            return NO_ROLLS
        index = self.index
        borders = np.array((gone(first), gone(end)), np.int32)
        low, high = (int(n) for n in np.searchsorted(index.series, borders))
        parts = low + np.flatnonzero(index.series[low:high] % 2 == 0)
        found = []
        for place in dict.fromkeys(index.blocks_of(parts).tolist()):
            block = self.block(place)
            if block is not None:
                rolls = block.rolls
                inside = (rolls.series >= borders[0]) & (rolls.series < borders[1])
                rows = rolls.take(inside & (rolls.series % 2 == 0))
                found.append(rows.numbered(rows.series // 2))
        return stacked(found)


class RollWriter:
    """Makes one file of roll-ups from rows in order of (number, time)."""

    def __init__(self, files: Files, path: Path, logs: tuple[int, int], codec: Codec) -> None:
        self.file = BlockWriter(files, path, logs)
        self._codec = codec
        self._waiting: list[Rolls] = []
        self._rows = 0

    def add(self, rolls: Rolls) -> None:
        self._waiting.append(rolls)
        self._rows += len(rolls)
        if self._rows >= BLOCK_ROWS:
            self._write(least=BLOCK_ROWS)

    def complete(self) -> None:
        self._write(least=1)
        self.file.complete()

    def _write(self, least: int) -> None:
        rolls = stacked(self._waiting)
        at = 0
        while len(rolls) - at >= least:
            block = rolls.take(slice(at, at + BLOCK_ROWS))
            self.file.add(encode_rolls(block, self._codec), block)
            at += len(block)
        rest = rolls.take(slice(at, len(rolls)))
        self._waiting, self._rows = [rest], len(rest)


def roll_paths(path: Path) -> dict[int, Path]:
    """Where the roll-ups of a segment are, by width."""
    return {width: path.with_name(path.name + suffix) for width, suffix in ROLLED.items()}


def open_rolls(
    path: Path, files: Files, damage: DamageList, caches: Caches | None = None
) -> dict[int, RollFile]:
    """The roll-ups of a segment that are there and can be read, by width."""
    found = {}
    _, blocks, indexes = caches or (None, None, None)
    for width, roll_path in roll_paths(path).items():
        with reading(damage, f"{roll_path.parent.name}/{roll_path.name}"):
            if roll_path.exists():
                found[width] = RollFile(roll_path, files, damage, blocks, indexes)
    return found
