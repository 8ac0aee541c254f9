"""Files of blocks with an index behind them: written once, then immutable.

Blocks are read one at a time, and the index again where it was not asked for in a while: memory
does not grow with the number of files. When the index is damaged the blocks are found by walking
the file.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

import numpy as np

from gemel.core.batch import I32
from gemel.core.errors import Damaged
from gemel.history.block import HEADER, header_of
from gemel.history.cache import BlockCache
from gemel.history.damage import Damage, DamageList
from gemel.history.files import Files
from gemel.history.index import (
    FOOTER,
    FOOTER_MAGIC,
    INDEX_MAGIC,
    Entry,
    Index,
    Rows,
    decode_index,
    encode_index,
    entry,
    make_index,
)

_OPENED = itertools.count()
VERSION = 1
FILE_HEADER = struct.Struct("<8sIIIQI")  # magic, version, first and last log, form, crc32
FILE_MAGIC = b"GEMELSEG"


B = TypeVar("B")


INDEX = -1
"""Of a file, among its blocks in a cache."""
ROLLED, LIGHT = 1, 2
"""Roll-ups belong to the file; it is packed in haste and waits to be merged."""


def file_header(logs: tuple[int, int], form: int) -> bytes:
    """`form` is the sum of ROLLED and LIGHT as far as they hold."""
    head = FILE_HEADER.pack(FILE_MAGIC, VERSION, *logs, form, 0)[:-4]
    return head + zlib.crc32(head).to_bytes(4, "little")


class BlockWriter:
    """Makes one file: under its final name and durable at `finish`, or not at all."""

    def __init__(self, files: Files, path: Path, logs: tuple[int, int], form: int = 0) -> None:
        self.path = path
        self._files = files
        self._scratch = path.with_name(path.name + ".tmp")
        self._entries: list[Entry] = []
        self._handle: int | None = files.create(self._scratch)
        self._at = files.write(self._handle, [file_header(logs, form)])

    def add(self, data: bytes, rows: Rows) -> None:
        """One encoded block and what it holds."""
        assert self._handle is not None
        self._files.write(self._handle, [data])
        self._entries.append(entry(self._at, len(data), rows))
        self._at += len(data)

    def complete(self) -> None:
        """Writes the index; everything is on disk when it returns."""
        assert self._handle is not None
        self._files.write(self._handle, [encode_index(make_index(self._entries), self._at)])
        self._files.sync(self._handle)
        self._close()

    def publish(self) -> None:
        """Gives it its name; the caller syncs the folder."""
        self._files.rename(self._scratch, self.path)

    def abort(self) -> None:
        """Leaves nothing behind."""
        self._close()
        self._files.remove(self._scratch)

    def _close(self) -> None:
        if self._handle is not None:
            handle, self._handle = self._handle, None
            self._files.close(handle)


class BlockFile(ABC, Generic[B]):
    """One sealed file; reads from any thread."""

    MAGIC: ClassVar[bytes]
    """What its blocks begin with."""

    @abstractmethod
    def decode(self, data: bytes) -> B:
        """The block in these bytes.

        Raises:
            Damaged: they are not what was written.
        """

    @abstractmethod
    def rows_in(self, block: B) -> Rows:
        """All its rows, each with series and time."""

    @abstractmethod
    def shape(self, block: B) -> tuple[I32, int]:
        """The series of each part, and the number of rows."""

    def __init__(
        self,
        path: Path,
        files: Files,
        damage: DamageList,
        cache: BlockCache[B] | None = None,
        indexes: BlockCache[Index] | None = None,
    ) -> None:
        self.path = path
        self.name = f"{path.parent.name}/{path.name}"
        self._key = f"{self.name} {next(_OPENED)}"  # a name may come back with other content
        logs = path.name.partition(".")[0]
        self.first_log, self.last_log = (int(part) for part in logs.split("-"))
        self._files = files
        self._damage = damage
        self._cache: BlockCache[B] = cache if cache is not None else BlockCache(0)
        self._indexes = indexes
        self._found: Index | None = None
        """The index where it stays in memory: no cache was given, or it was found by walking."""
        self._identity = files.identity(path)
        self.bytes = files.size(path)
        self._foot = self._read_foot()
        self._lost: set[int] = set()
        self._read_head()
        index = self.index
        self.rows = int(index.rows.sum())
        self.time_min = int(index.time_min.min()) if len(index.rows) else 0
        self.time_max = int(index.time_max.max()) if len(index.rows) else -1
        self.highest_series = int(index.series.max()) if len(index.series) else -1

    @property
    def index(self) -> Index:
        """Where its readings are.

        Raises:
            FileNotFoundError: the file is gone, merged into a larger one.
        """
        if self._found is not None:
            return self._found
        key = (self._key, INDEX)
        found = self._indexes.get(key) if self._indexes is not None else None
        if found is None:
            found = self._load()
            if self._indexes is None:
                self._found = found
            else:
                self._indexes.put(key, found, found.bytes)
        return found

    def forget(self) -> None:
        """Lets its index go: nobody will ask for it."""
        if self._indexes is not None:
            self._indexes.drop((self._key, INDEX))

    def _read_head(self) -> None:
        head = self._files.read(self.path, 0, FILE_HEADER.size)
        logs = (self.first_log, self.last_log)
        form = next((one for one in range(4) if head == file_header(logs, one)), None)
        self.has_rolls = form is not None and bool(form & ROLLED)
        self.is_light = form is not None and bool(form & LIGHT)
        if form is None:
            self._report(0, FILE_HEADER.size, "the file header is damaged; nothing is lost by it")

    def _load(self) -> Index:
        at = max(0, self.bytes - FOOTER.size)
        foot = self._files.read(self.path, at, FOOTER.size)
        if self._is_another():
            raise FileNotFoundError(self.path)
        whole = len(foot) == FOOTER.size and zlib.crc32(foot[:-4]) == int.from_bytes(
            foot[-4:], "little"
        )
        if not whole or foot[:8] != FOOTER_MAGIC:
            self._report(at, len(foot), "the footer is damaged; the blocks were found without it")
            return self._walk()
        _, offset, length, _, _ = FOOTER.unpack(foot)
        data = self._files.read(self.path, offset, length)
        if self._is_another():
            raise FileNotFoundError(self.path)
        try:
            return decode_index(data)
        except Damaged as error:
            self._report(offset, length, f"{error.message}; the blocks were found without it")
            return self._walk()

    def _walk(self) -> Index:
        """Finds the blocks without an index; what is found stays in memory."""
        data = self._files.read(self.path)
        entries: list[Entry] = []
        at = FILE_HEADER.size
        while at < len(data):
            head = header_of(memoryview(data)[at : at + HEADER.size], self.MAGIC)
            if head is None:
                found = data.find(self.MAGIC, at + 1)
                end = found if found >= 0 else len(data)
                if data[at : at + 4] != INDEX_MAGIC:
                    self._report(at, end - at, "no block starts here; what stood here is lost")
                at = end
                continue
            length = head[2]
            try:
                block = self.decode(data[at : at + length])
                entries.append(entry(at, length, self.rows_in(block)))
            except Damaged as error:
                self._report(at, length, error.message)
            at += length
        self._found = make_index(entries)
        return self._found

    def _report(self, offset: int, length: int, what: str) -> None:
        self._damage.add(Damage(self.name, offset, length, what))

    def block(self, number: int) -> B | None:
        """A block's readings, or None (and the damage is named) if they are not what was written.

        Raises:
            FileNotFoundError: the file is gone, merged into a larger one.
        """
        if number in self._lost:
            return None
        cached = self._cache.get((self._key, number))
        if cached is not None:
            return cached
        index = self.index
        offset, length = int(index.offset[number]), int(index.length[number])
        try:
            data = self._files.read(self.path, offset, length)
            if self._is_another():
                raise FileNotFoundError(self.path)
            block = self.decode(data)
            self._agree(index, number, block)
        except FileNotFoundError:
            raise
        except (Damaged, OSError) as error:
            self._lost.add(number)
            what = error.message if isinstance(error, Damaged) else f"cannot be read: {error}"
            self._report(offset, length, f"{what} ({_contents(index, number)})")
            return None
        self._cache.put((self._key, number), block, self.shape(block)[1])
        return block

    def _read_foot(self) -> bytes:
        return self._files.read(self.path, max(0, self.bytes - FOOTER.size), FOOTER.size)

    def _is_another(self) -> bool:
        """Whether the file was rewritten twice since, and so is there under its name of before."""
        changed = self._files.identity(self.path) != self._identity
        return changed and self._read_foot() != self._foot

    def _agree(self, index: Index, number: int, block: B) -> None:
        first, last = index.first_part[number : number + 2]
        series, rows = self.shape(block)
        same = len(series) == last - first and np.array_equal(series, index.series[first:last])
        if not same or rows != index.rows[number]:
            raise Damaged("this block is not the one that the index tells of")

    @property
    def is_damaged(self) -> bool:
        return self._damage.touches(self.name)

    def raise_if_damaged(self) -> None:
        if self._lost:
            raise Damaged(f"block {min(self._lost)} of {self.name} is lost")

    def verify(self) -> None:
        """Reads every block afresh, so that all damage is named."""
        for number in range(len(self.index.rows)):
            self._lost.discard(number)
            self._cache.drop((self._key, number))
            self.block(number)


def _contents(index: Index, number: int) -> str:
    first, last = int(index.first_part[number]), int(index.first_part[number + 1])
    return (
        f"{index.rows[number]} readings of series {index.series[first]} to "
        f"{index.series[last - 1]}, times {index.time_min[number]} to {index.time_max[number]}"
    )
