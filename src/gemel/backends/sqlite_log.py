"""Damage in the write-ahead log of SQLite, which SQLite itself takes for the end of the log.

What was committed behind a damaged frame is gone as soon as somebody opens the database, without a
word. Each frame proves itself by the checksum of the one before it, so a damaged frame with a later
transaction behind it is told from an end that was torn by a crash: nothing follows that.

Source: https://www.sqlite.org/fileformat2.html#walformat
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple

MAGIC = 0x377F0682
HEADER, FRAME = 32, 24
Sum = tuple[int, int]


class Fault(NamedTuple):
    offset: int
    length: int
    what: str
    is_torn_tail: bool = False
    """It may as well be what the machine was writing when it stopped: nothing proves more."""


def fault_in(path: Path) -> Fault | None:
    """The first damage that hides what was committed, or may; None too where there is no log."""
    try:
        data = path.read_bytes()
        with path.open("rb") as again:
            if again.read(HEADER) != data[:HEADER]:
                return None  # it was begun anew while it was read: all of it is in the database
    except FileNotFoundError:
        return None
    if len(data) < HEADER + FRAME:
        return None
    magic, _, page = struct.unpack_from(">3I", data)
    order = ">" if magic & 1 else "<"
    begin = _sum(data[:FRAME], (0, 0), order)
    is_header = magic & ~1 == MAGIC and begin == struct.unpack_from(">2I", data, FRAME)
    if not is_header or not 512 <= page <= 65_536:
        return Fault(0, HEADER, "its header is damaged; what was committed in it is lost")
    return _Frames(data, page, order, begin).fault()


class _Frames:
    """The frames of a log, each a header and a page."""

    def __init__(self, data: bytes, page: int, order: str, begin: Sum) -> None:
        self.data, self.page, self.order, self.begin = data, page, order, begin
        self.size = FRAME + page
        self.count = (len(data) - HEADER) // self.size
        self.salts = data[16:24]

    def at(self, number: int) -> int:
        return HEADER + number * self.size

    def is_whole(self, number: int) -> bool:
        """Whether a frame is of this log, and as it was written behind the one before it."""
        at = self.at(number)
        if self.data[at + 8 : at + 16] != self.salts:
            return False
        before = self.stored(number - 1) if number else self.begin
        found = _sum(self.data[at : at + 8], before, self.order)
        page = self.data[at + FRAME : at + self.size]
        return _sum(page, found, self.order) == self.stored(number)

    def stored(self, number: int) -> Sum:
        first, second = struct.unpack_from(">2I", self.data, self.at(number) + 16)
        return first, second

    def ends_transaction(self, number: int) -> bool:
        at = self.at(number)
        is_own = self.data[at + 8 : at + 16] == self.salts
        return is_own and self.data[at + 4 : at + 8] != bytes(4)

    def fault(self) -> Fault | None:
        bad = next((n for n in range(self.count) if not self.is_whole(n)), self.count)
        is_over = False
        for number in range(bad, self.count):
            if is_over and self.is_whole(number):
                what = "a page in it is damaged; what was committed there and behind is lost"
                return Fault(self.at(bad), self.size, what)
            is_over |= self.ends_transaction(number)
        rest = range(self.at(bad), len(self.data), self.size)
        if not any(self.data[at + 8 : at + 16] == self.salts for at in rest):
            return None
        what = "what was committed last was being written when the machine stopped, or is damaged"
        return Fault(self.at(bad), len(self.data) - self.at(bad), what, True)


def _sum(data: bytes, before: Sum, order: str) -> Sum:
    """The checksum of SQLite's logs, going on from another."""
    first, second = before
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for one, other in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + other + first) & 0xFFFFFFFF
    return first, second
