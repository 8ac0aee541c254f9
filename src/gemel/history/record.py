"""Framing of the log: records that prove themselves, and a scan that survives damage.

A record is a 32-byte header, its payload, and zeros up to a multiple of 8 bytes. The header has a
checksum of its own, so damage in a payload costs that record only; after damage in a header the
scan looks for the next header that proves itself.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

from gemel.history.damage import Damage
from gemel.history.files import Bytes

FILE_MAGIC = b"GEMELWAL"
RECORD_MAGIC = b"\xf5GmR"
VERSION = 1
FILE_HEADER = struct.Struct("<8sIIQII")  # magic, version, number, first sequence, zero, crc32
HEADER = struct.Struct("<4sBBHIIQII")  # magic, kind, version, zero, length, crc, sequence, 0, crc
LARGEST_PAYLOAD = 1 << 30
ZEROS = bytes(8)


class Kind(IntEnum):
    SERIES = 1
    READINGS = 2
    REJECTS = 3
    CHECKPOINT = 4
    OTHER = 5
    """Free for later: readers skip it."""
    PACKED = 6
    """A checkpoint blob as a zstd frame."""


class Record(NamedTuple):
    kind: int
    sequence: int
    payload: memoryview
    offset: int


def file_header(number: int, first_sequence: int) -> bytes:
    head = FILE_HEADER.pack(FILE_MAGIC, VERSION, number, first_sequence, 0, 0)[:-4]
    return head + zlib.crc32(head).to_bytes(4, "little")


def frame(kind: int, sequence: int, payload: Sequence[Bytes]) -> list[Bytes]:
    """The pieces of one record, ready to be written one after the other."""
    length = 0
    crc = 0
    for piece in payload:
        length += len(piece)
        crc = zlib.crc32(piece, crc)
    padding = ZEROS[: -length % 8]
    crc = zlib.crc32(padding, crc)
    head = HEADER.pack(RECORD_MAGIC, kind, VERSION, 0, length, crc, sequence, 0, 0)[:-4]
    return [head + zlib.crc32(head).to_bytes(4, "little"), *payload, padding]


def header_fault(data: bytes) -> str:
    """What is wrong with the file header at the start of `data`; "" if nothing."""
    if len(data) < FILE_HEADER.size:
        return "the file ends inside its header"
    if zlib.crc32(data[: FILE_HEADER.size - 4]) != int.from_bytes(
        data[FILE_HEADER.size - 4 : FILE_HEADER.size], "little"
    ):
        return "the file header is damaged"
    magic, version, *_ = FILE_HEADER.unpack_from(data)
    if magic != FILE_MAGIC:
        return "the file does not start with GEMELWAL"
    return "" if version == VERSION else f"format version {version} is not known here"


def first_sequence(data: bytes) -> int | None:
    """The number of the first record of a log file, from its header; None if that is damaged."""
    return None if header_fault(data) else int(FILE_HEADER.unpack_from(data)[3])


def file_number(data: bytes) -> int | None:
    """The number of a log file, from its header; None if that is damaged."""
    return None if header_fault(data) else int(FILE_HEADER.unpack_from(data)[2])


def scan(data: bytes, file: str) -> Iterator[Record | Damage]:
    """Every whole record of a log file in order, and every stretch between that is damaged."""
    fault = header_fault(data)
    if fault:
        torn = len(data) < FILE_HEADER.size
        yield Damage(file, 0, min(len(data), FILE_HEADER.size), fault, is_torn_tail=torn)
    yield from records(data, FILE_HEADER.size, file)


def records(data: bytes, at: int, file: str) -> Iterator[Record | Damage]:
    """As `scan`, of any stretch of a log file that begins where a record does, from an offset."""
    view = memoryview(data)
    previous: int | None = None
    while at < len(data):
        found = _read(view, at)
        if isinstance(found, Record):
            if previous is not None and found.sequence != previous + 1:
                missing = found.sequence - previous - 1
                yield Damage(file, at, 0, f"{missing} records before this one are missing")
            previous = found.sequence
            yield found
            at += size_of(len(found.payload))
            continue
        end, what, lost = found
        torn = end >= len(data) and _next_header(data, at + 1) is None
        if not torn and lost and previous is not None:
            previous += 1
        elif not torn:
            previous = None
        yield Damage(file, at, end - at, what, is_torn_tail=torn)
        at = end


def size_of(length: int) -> int:
    """Bytes that a record takes with a payload of this length."""
    return HEADER.size + length + (-length % 8)


def _read(view: memoryview, at: int) -> Record | tuple[int, str, bool]:
    """The record at `at`, or (where to go on, what is wrong, whether exactly one is lost)."""
    head = _header(view, at)
    if head is None:
        end = _next_header(view.obj, at + 1)  # type: ignore[arg-type]
        what = "no record starts here; what stood here is lost"
        return len(view) if end is None else end, what, False
    kind, length, crc, sequence = head
    start = at + HEADER.size
    end = at + size_of(length)
    if end > len(view):
        following = _next_header(view.obj, at + 1)  # type: ignore[arg-type]
        return following or len(view), f"record {sequence} is cut off", False
    if zlib.crc32(view[start:end]) != crc:
        return end, f"the checksum of record {sequence} is wrong; it is lost", True
    return Record(kind, sequence, view[start : start + length], at)


def _header(view: memoryview, at: int) -> tuple[int, int, int, int] | None:
    if at + HEADER.size > len(view):
        return None
    head = view[at : at + HEADER.size]
    if head[:4] != RECORD_MAGIC:
        return None
    _, kind, version, _, length, crc, sequence, _, own = HEADER.unpack(head)
    if zlib.crc32(head[:-4]) != own or version != VERSION or length > LARGEST_PAYLOAD:
        return None
    return kind, length, crc, sequence


def _next_header(data: bytes, at: int) -> int | None:
    """The next place where a header proves itself; records start at multiples of 8."""
    view = memoryview(data)
    while True:
        at = data.find(RECORD_MAGIC, at)
        if at < 0:
            return None
        if at % 8 == 0 and _header(view, at) is not None:
            return at
        at += 1
