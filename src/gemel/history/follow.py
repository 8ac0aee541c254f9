"""Readings in the order of the log, from a place on: for another process that copies them out.

It only reads. Log files are read as far as the history says that they are durable; where one is
sealed and gone, the segment that holds it is read, by series and time. Who follows tells the
history where it is (`followers`).
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gemel.core.batch import Batch, join
from gemel.core.errors import Damaged
from gemel.history.damage import Damage, DamageList
from gemel.history.files import Files
from gemel.history.followers import Position
from gemel.history.keep import EARLIEST
from gemel.history.log import decode_record, log_numbers, log_path
from gemel.history.opening import segment_paths
from gemel.history.payload import Stack
from gemel.history.record import FILE_HEADER, records, size_of
from gemel.history.segment import Segment
from gemel.history.table import MILLISECOND, NO_ROWS, Table, concatenate, to_columns

SLICE_BYTES = 4 << 20
ROWS_A_PART = 16_384
LISTINGS = 5
"""A file may be given another name while a folder is listed, and so be missed once."""


class Part(NamedTuple):
    """Some readings, and where it goes on behind them."""

    batch: Batch
    received: int
    """When the latest of them came, ns; 0 where they are not in the order of arrival."""
    next: Position


class Follower:
    """Reads on from a position.

    Args:
        folder: of the history, which another process may have open.
        position: where to begin.
        since: readings of an earlier time are left out, and segments that hold no others skipped.
        files: the disk.

    Cost: of log files 0.1 us a reading and of segments the same; memory of one slice or block.
    """

    def __init__(
        self, folder: Path, position: Position, since: int = EARLIEST, files: Files | None = None
    ) -> None:
        self._folder = folder
        self._since = since
        self._files = files if files is not None else Files()
        self.position = position
        """Behind the last part that was given."""
        self._damage = DamageList()
        self._told = 0
        self._parts: deque[Part] = deque()
        self._segment: Segment | None = None
        self._next_block = 0
        self._newest = 0
        """When the latest reading of the segment came, as far as it is read."""

    def damage(self) -> list[Damage]:
        """What could not be read, since this was last asked; a torn end is none."""
        found = [one for one in self._damage if not one.is_torn_tail]
        new, self._told = found[self._told :], len(found)
        return new

    def read(self, durable: tuple[int, int]) -> Part | None:
        """The next part; None at the end.

        Args:
            durable: the log file that is written, and how many bytes of it are on disk.
        """
        while not self._parts:
            if self.position.last:
                self._read_segment(durable[0])
            elif not self._read_log(*durable):
                return None
        part = self._parts.popleft()
        self.position = part.next
        return part

    # ---- log files -----------------------------------------------------------------------

    def _read_log(self, written: int, good: int) -> bool:
        """Reads on in a log file; False at the end of all that is durable."""
        number, offset = self.position[:2]
        if number > written:
            return False
        path = log_path(self._folder / "log", number)
        try:
            end = good if number == written else self._files.size(path)
            begin = max(offset if offset <= end else 0, FILE_HEADER.size)
            stacks, reached = self._slice(path, begin, end)
        except FileNotFoundError:
            if number == written:
                return False
            self._without_log(number, written)
            return True
        if stacks:
            self._add(number, stacks)
        elif reached > begin:
            self.position = Position(number, reached)
        elif number < written:
            self.position = Position(number + 1)
        else:
            return False
        return True

    def _slice(self, path: Path, begin: int, end: int) -> tuple[list[tuple[Stack, int]], int]:
        """Readings with the offsets behind them, and how far the file was read."""
        size = SLICE_BYTES
        while begin < end:
            data = self._files.read(path, begin, min(size, end - begin))
            is_whole = len(data) < size or begin + size >= end
            found, reached = self._decoded(data, begin, path, is_whole)
            if reached > begin:
                return found, reached
            size *= 2  # one record is larger than that
        return [], begin

    def _decoded(
        self, data: bytes, begin: int, path: Path, is_whole: bool
    ) -> tuple[list[tuple[Stack, int]], int]:
        name = f"log/{path.name}"
        found: list[tuple[Stack, int]] = []
        reached = begin
        for record in records(data, 0, name):
            if isinstance(record, Damage):
                end = record.offset + record.length
                if end >= len(data) and not is_whole:
                    break  # it goes on in the next slice
                reached = max(reached, begin + end)
                if not record.is_torn_tail:
                    self._note(name, begin + record.offset, record.length, record.what)
                continue
            reached = begin + record.offset + size_of(len(record.payload))
            try:
                entry = decode_record(record)
            except (Damaged, ValueError, KeyError, TypeError, struct.error) as error:
                what = f"record {record.sequence} cannot be read: {error}"
                self._note(name, begin + record.offset, len(record.payload), what)
                continue
            if isinstance(entry, Stack) and len(entry.columns):
                found.append((entry, reached))
        return found, reached

    def _add(self, number: int, stacks: Sequence[tuple[Stack, int]]) -> None:
        """Small records together, large ones alone."""
        group: list[Stack] = []
        rows = 0
        for stack, reached in stacks:
            group.append(stack)
            rows += len(stack.columns)
            if rows >= ROWS_A_PART or reached == stacks[-1][1]:
                received = int(group[-1].received[-1])
                batch = self._recent(join([one.columns for one in group]))
                self._parts.append(Part(batch, received, Position(number, reached)))
                group, rows = [], 0

    def _recent(self, batch: Batch) -> Batch:
        if self._since == EARLIEST or not len(batch) or int(batch.time.min()) >= self._since:
            return batch
        return batch.take(np.flatnonzero(batch.time >= self._since))

    # ---- segments ------------------------------------------------------------------------

    def _without_log(self, number: int, written: int) -> None:
        """A log file is gone: goes on in the segment that holds it, or behind what is lost."""
        for _ in range(LISTINGS):
            segments = segment_paths(self._folder / "segments")
            holding = [last for first, last, _ in segments if first <= number <= last]
            if holding:
                self.position = Position(number, last=holding[0])
                return
            if log_path(self._folder / "log", number).exists():
                return
        later = [first for first, _, _ in segments if first > number]
        later += [one for one in log_numbers(self._folder / "log") if one > number]
        following = min([*later, written])
        what = f"log files {number} to {following - 1} are missing"
        self._note(f"log/{number:08d}.wal", 0, 0, what)
        self.position = Position(following)

    def _read_segment(self, written: int) -> None:
        """Reads on to another place in the segment, or to its end."""
        at = self.position
        try:
            segment = self._segment or self._open(at, written)
            if segment is None:
                return
            tables = []
            while self._next_block < len(segment.index.rows):
                number, self._next_block = self._next_block, self._next_block + 1
                table = self._wanted(segment, number, at)
                if not len(table):
                    continue
                tables.append(table)
                if (int(table.series[-1]), int(table.time[-1])) > (at.series, at.time):
                    break
            is_over = self._next_block == len(segment.index.rows)
        except FileNotFoundError:  # written anew meanwhile, under another name
            self._segment = None
            return
        table = concatenate(tables)
        if is_over:
            self._segment = None
            reached = Position(at.last + 1)
        else:
            series, time = int(table.series[-1]), int(table.time[-1])
            reached = Position(at.log, last=at.last, series=series, time=time)
        self._parts.append(Part(batch_of(table), self._newest if is_over else 0, reached))

    def _open(self, at: Position, written: int) -> Segment | None:
        """The segment of a position; elsewhere it is begun anew."""
        for first, last, path in segment_paths(self._folder / "segments"):
            if first <= at.log <= last:
                self._segment = Segment(path, self._files, self._damage)
                self._next_block, self._newest = 0, 0
                if last != at.last:
                    self.position = Position(at.log, last=last)
                    return None
                return self._segment
        self._without_log(at.log, written)
        return None

    def _wanted(self, segment: Segment, number: int, at: Position) -> Table:
        """The rows of a block from a position on, the one at the position once more."""
        index = segment.index
        lowest, highest = (
            int(index.series[int(place)])
            for place in index.first_part[number : number + 2] - (0, 1)
        )
        is_before = highest < at.series or int(index.time_max[number]) < self._since
        if lowest == highest == at.series:
            is_before |= int(index.time_max[number]) < at.time
        block = None if is_before else segment.block(number)
        if block is None:
            return NO_ROWS
        table = block.table()
        self._newest = max(self._newest, int(table.received.max()) * MILLISECOND)
        if lowest <= at.series:
            is_there = (table.series == at.series) & (table.time >= at.time)
            table = table.take(np.flatnonzero(is_there | (table.series > at.series)))
        if self._since > EARLIEST:
            table = table.take(np.flatnonzero(table.time >= self._since))
        return table

    def _note(self, file: str, offset: int, length: int, what: str) -> None:
        self._damage.add(Damage(file, offset, length, what))


def batch_of(table: Table) -> Batch:
    """Rows of a segment as they were appended."""
    columns = to_columns(table)
    series = np.ascontiguousarray(table.series)
    return Batch(series, columns.time, columns.value, columns.quality, 0, columns.text)
