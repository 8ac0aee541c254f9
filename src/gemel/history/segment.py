"""A sealed segment: an immutable file of readings in order of (series, time)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

from gemel.core.batch import I32, I64
from gemel.core.errors import Damaged
from gemel.history.block import MAGIC, Block, decode_block
from gemel.history.blockfile import BlockFile
from gemel.history.cache import Caches
from gemel.history.damage import Damage, DamageList
from gemel.history.files import Files
from gemel.history.index import Index
from gemel.history.keep import EARLIEST, LATEST, READINGS, Keep
from gemel.history.rollfile import ROLLED, RollFile, open_rolls
from gemel.history.table import NO_ROWS, Table, concatenate

BLOCK_ROWS = 16_384
SEALED, GONE = ".seg", ".gone"


def blocks(tables: Iterable[Table]) -> Iterator[Table]:
    """Cuts a stream of rows into blocks of BLOCK_ROWS; the last may be shorter."""
    rest = NO_ROWS
    for table in tables:
        at = min(len(table), (BLOCK_ROWS - len(rest)) % BLOCK_ROWS)
        rest = concatenate([rest, table.take(slice(0, at))])
        if len(rest) == BLOCK_ROWS:
            yield rest
            rest = NO_ROWS
        while len(table) - at >= BLOCK_ROWS:
            yield table.take(slice(at, at + BLOCK_ROWS))
            at += BLOCK_ROWS
        if at < len(table):
            rest = table.take(slice(at, len(table)))
    if len(rest):
        yield rest


class Segment(BlockFile[Block]):
    """The readings of some log files."""

    MAGIC: ClassVar[bytes] = MAGIC
    rolls: dict[int, RollFile]
    """Its roll-ups by width; see `open_segment`."""

    def decode(self, data: bytes) -> Block:
        return decode_block(data)

    def rows_in(self, block: Block) -> Table:
        return block.table()

    def shape(self, block: Block) -> tuple[I32, int]:
        return block.series, len(block.time)

    def find(self, series: int, start: int, end: int) -> list[Table]:
        """Parts of one series with start <= time < end, in order of time."""
        if series > self.highest_series or end <= self.time_min or start > self.time_max:
            return []
        index = self.index
        first, last = index.parts_of(series)
        found = []
        for part in range(first, last):
            number = index.block_of(part)
            if end <= index.time_min[number] or start > index.time_max[number]:
                continue
            block = self.block(number)
            if block is None:
                continue
            place = part - int(index.first_part[number])
            rows = slice(int(block.starts[place]), int(block.starts[place + 1]))
            low, high = np.searchsorted(block.time[rows], (start, end))
            if low < high:
                found.append(block.part(place, int(low), int(high)))
        return found

    def newest(self, series: int, at: int) -> int | None:
        """The latest time <= `at` of a series; None if there is none."""
        if series > self.highest_series or self.time_min > at:
            return None
        index = self.index
        first, last = index.parts_of(series)
        for part in range(last - 1, first - 1, -1):
            number = index.block_of(part)
            if index.time_min[number] > at or (block := self.block(number)) is None:
                continue
            place = part - int(index.first_part[number])
            time = block.time[int(block.starts[place]) : int(block.starts[place + 1])]
            count = int(np.searchsorted(time, at, "right"))
            if count:
                return int(time[count - 1])
        return None

    def tables(
        self, first_series: int, end_series: int, held: dict[str, tuple[int, Block]]
    ) -> list[Table]:
        """All rows of the series in a range, in order.

        Args:
            first_series: of the range.
            end_series: behind it.
            held: by segment, the block that the range before ended in; the next goes on there.

        Raises:
            Damaged: a block of them is lost.
        """
        index = self.index
        wanted = np.array((first_series, end_series), np.int32)
        first, last = (int(n) for n in np.searchsorted(index.series, wanted))
        found = []
        for number in dict.fromkeys(index.blocks_of(np.arange(first, last)).tolist()):
            before = held.get(self.name)
            block = before[1] if before and before[0] == number else self.block(number)
            if block is None:
                raise Damaged(f"block {number} of {self.name} is lost")
            held[self.name] = (number, block)
            start = int(index.first_part[number])
            stop = int(index.first_part[number + 1])
            found.append(block.table(max(first, start) - start, min(last, stop) - start))
        return found

    def block_times(self, series: int, start: int = EARLIEST, end: int = LATEST) -> I64:
        """The earliest time of each block that holds a series; none if all lie out of a span."""
        if series > self.highest_series or end <= self.time_min or start > self.time_max:
            return np.empty(0, np.int64)
        index = self.index
        first, last = index.parts_of(series)
        return index.time_min[index.blocks_of(np.arange(first, last))]

    def rows_of(self, series: int, start: int, end: int) -> int:
        """At most this many rows lie in a span: whole blocks are counted."""
        if series > self.highest_series or end <= self.time_min or start > self.time_max:
            return 0
        index = self.index
        first, last = index.parts_of(series)
        block = index.blocks_of(np.arange(first, last))
        near = (index.time_min[block] < end) & (index.time_max[block] >= start)
        return int(index.count[first:last][near].sum())

    def is_due(self, keep: Keep, *, fully: bool) -> bool:
        """Whether half of the readings or roll-ups, or with `fully` any, are too old to be kept.

        They are counted by the middle of their blocks.
        """
        if self.time_min < keep.latest(READINGS):
            index = self.index
            if _is_due(index, keep.times(READINGS, index.series), fully):
                return True
        for width, file in self.rolls.items():
            if file.time_min >= keep.latest(width):
                continue
            index = file.index
            times = keep.times(width, (index.series // 2).astype(np.int32))
            times[index.series % 2 == 1] = EARLIEST  # these go with their readings
            if _is_due(index, times, fully):
                return True
        return False


def _is_due(index: Index, times: I64, fully: bool) -> bool:
    """Whether too much of what an index tells of lies before the times of its parts."""
    low, high = np.repeat(index.time_min, index.parts), np.repeat(index.time_max, index.parts)
    if fully or not len(times):
        return bool((low < times).any())
    old = int(index.count[low // 2 + high // 2 < times].sum())
    return old * 2 >= max(1, int(index.count[times > EARLIEST].sum()))


def open_segment(
    path: Path, files: Files, damage: DamageList, caches: Caches | None = None
) -> Segment:
    """A segment with its roll-ups."""
    blocks, _, indexes = caches or (None, None, None)
    found = Segment(path, files, damage, blocks, indexes)
    found.rolls = open_rolls(path, files, damage, caches)
    if found.has_rolls and len(found.rolls) < len(ROLLED):
        damage.add(Damage(found.name, 0, 0, "its roll-ups are missing; readings stand in"))
    return found
