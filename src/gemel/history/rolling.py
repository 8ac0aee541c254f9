"""Writing a segment together with its roll-ups: one pass over the readings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gemel.history.block import encode_block
from gemel.history.blockfile import LIGHT, ROLLED, BlockWriter
from gemel.history.codec import Codec
from gemel.history.files import Files
from gemel.history.keep import EARLIEST, READINGS, Keep, keep_all_from
from gemel.history.rollfile import RollWriter, gone, kept, roll_paths
from gemel.history.rollup import (
    HOUR,
    MINUTE,
    NO_ROLLS,
    ROWS_THAT_PAY,
    WIDTHS,
    Rolls,
    coarsened,
    roll,
    stacked,
)
from gemel.history.segment import SEALED, blocks
from gemel.history.table import NO_ROWS, Table, concatenate

Before: TypeAlias = Callable[[int, int, int], Rolls]
"""(width, first series, end series): rows made before, of readings that are gone."""
KEEP_ALL = keep_all_from(EARLIEST)
MOST_SERIES = (1 << 30) - 1
LIGHT_LEVEL = 0


def nothing_before(_: int, __: int, ___: int) -> Rolls:
    return NO_ROLLS


class Roller:
    """Makes roll-ups of readings that pass by in order of (series, time).

    A row is made when its hour is complete, and goes out when its series is: only then it is known
    whether it stands for enough readings to be worth keeping beside them.
    """

    def __init__(
        self,
        writers: dict[int, RollWriter],
        keep: Keep,
        revised: Collection[int],
        before: Before,
    ) -> None:
        self._writers = writers
        self._keep = keep
        self._revised = revised
        self._before = before
        self._rest = NO_ROWS
        self._pending: list[Rolls] = []
        self._odd: set[int] = set()
        self._done = 0
        """Series below this number have gone out."""

    def add(self, table: Table) -> None:
        """The next readings, those that are too old to be kept too."""
        if not len(table):
            return
        whole = concatenate([self._rest, table])
        last = whole.series[-1]
        first = int(np.searchsorted(whole.series, last))
        hour = int(whole.time[-1]) // HOUR * HOUR
        cut = first + int(np.searchsorted(whole.time[first:], hour))
        self._rest = whole.take(slice(cut, len(whole)))
        self._take(whole.take(slice(0, cut)), int(last))

    def complete(self) -> None:
        """There are no more."""
        rest, self._rest = self._rest, NO_ROWS
        self._take(rest, MOST_SERIES)

    def _take(self, table: Table, unfinished: int) -> None:
        """Complete hours; rows of series below `unfinished` go out."""
        if len(table):
            minutes, odd = roll(table, MINUTE, self._revised)
            self._pending.append(minutes)
            self._odd.update(odd.tolist())
        if unfinished <= self._done:
            return
        minutes = stacked(self._pending)
        cut = int(np.searchsorted(minutes.series, unfinished))
        self._pending = [minutes.take(slice(cut, len(minutes)))]
        minutes = minutes.take(slice(0, cut))
        for width in WIDTHS:
            rolls = minutes if width == MINUTE else coarsened(minutes, width)
            self._put(width, rolls, unfinished)
        self._odd = {series for series in self._odd if series >= unfinished}
        self._done = unfinished

    def _put(self, width: int, rolls: Rolls, end: int) -> None:
        is_gone = rolls.time < self._keep.times(READINGS, rolls.series)
        worthy = ~is_gone & self._is_worthy(rolls)
        before = self._before(width, self._done, end)
        away = stacked([before, rolls.take(is_gone)])
        if len(away):
            away = coarsened(away.take(away.time >= self._keep.times(width, away.series)), width)
        beside = rolls.take(worthy)
        both = stacked(
            [
                away.numbered(gone(away.series)),
                beside.numbered(kept(beside.series)),
            ]
        )
        if len(away):
            both = both.take(np.lexsort((both.time, both.series)))
        self._writers[width].add(both)

    def _is_worthy(self, rolls: Rolls) -> NDArray[np.bool_]:
        """Rows of series whose rows stand for enough readings, all of which are numbers."""
        if not len(rolls):
            return np.zeros(0, bool)
        starts = np.flatnonzero(np.diff(rolls.series, prepend=-1))
        rows = np.diff(np.append(starts, len(rolls)))
        dense = np.add.reduceat(rolls.count, starts) >= ROWS_THAT_PAY * rows
        if self._odd:
            dense &= ~np.isin(rolls.series[starts], np.array(sorted(self._odd), np.int32))
        return np.repeat(dense, rows)


def write_segment(
    files: Files,
    folder: Path,
    logs: tuple[int, int],
    tables: Iterable[Table],
    *,
    codec: Codec = Codec.PCODEC,
    level: int = 6,
    suffix: str = SEALED,
    rolled: bool = True,
    light: bool = False,
    keep: Keep = KEEP_ALL,
    revised: Collection[int] = (),
    before: Before = nothing_before,
) -> tuple[Path, int]:
    """Seals readings into `folder` under their final name, durably, or leaves nothing behind.

    Args:
        files: the disk.
        folder: where segments lie.
        logs: first and last log file whose readings these are.
        tables: sorted by (series, time), each going on where the one before ended.
        codec: of times, values and lags.
        level: of pcodec.
        suffix: of the name: SEALED, or GONE, which takes the place of the other.
        rolled: whether roll-ups are made.
        light: whether it is packed in haste, at LIGHT_LEVEL, as a merge is to come.
        keep: readings that are older are left out; of those, roll-ups may stay.
        revised: series whose later values take the place of earlier ones.
        before: roll-ups of readings that are gone already.

    Returns:
        The path, and how many readings were left out.
    """
    path = folder / f"{logs[0]:08d}-{logs[1]:08d}{suffix}"
    writers: list[BlockWriter] = []
    try:
        segment = BlockWriter(files, path, logs, ROLLED * rolled + LIGHT * light)
        writers.append(segment)
        rollers: dict[int, RollWriter] = {}
        for width, place in roll_paths(path).items() if rolled else ():
            rollers[width] = RollWriter(files, place, logs, codec)
            writers.append(rollers[width].file)
        roller = Roller(rollers, keep, revised, before) if rolled else None
        expired = 0

        latest = keep.latest(READINGS)

        def staying() -> Iterable[Table]:
            nonlocal expired
            for table in tables:
                if roller is not None:
                    roller.add(table)
                if not len(table) or int(table.time.min()) >= latest:
                    yield table
                    continue
                stays = table.time >= keep.times(READINGS, table.series)
                expired += int(len(table) - np.count_nonzero(stays))
                yield table if stays.all() else table.take(stays)

        for block in blocks(staying()):
            segment.add(encode_block(block, codec, LIGHT_LEVEL if light else level), block)
        if roller is not None:
            roller.complete()
        for one in rollers.values():
            one.complete()
        segment.complete()
        for writer in reversed(writers):  # the segment last: what stands is whole
            writer.publish()
    except BaseException:
        for writer in writers:
            writer.abort()
        raise
    files.sync_folder(folder)
    return path, expired
