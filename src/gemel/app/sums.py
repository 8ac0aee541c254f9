"""Sums beside files of which no document says what they were: files of import jobs, logs of runs.

`.NAME.sum` beside `NAME` says how many bytes of it are durable and what their CRC-32 is. A file
that grew since has an end without one until it is sealed. The sum is removed before its file is
put in place and written after it: one that is the same before and after a look belongs to the
file that was looked at.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar
from zlib import crc32

import orjson

from gemel.core.errors import Damaged

T = TypeVar("T")
PATTERN = ".*.sum"
CHUNK = 1 << 20
LOOKS = 20
HINT = "send it again, or restore it from a backup"


class Sum(NamedTuple):
    """The first bytes of a file, and their CRC-32."""

    bytes: int
    crc32: int


def place(path: Path) -> Path:
    """Where the sum of a file lies."""
    return path.with_name(f".{path.name}.sum")


def read(path: Path) -> Sum | None:
    """The sum of a file; None where there is none.

    Raises:
        Damaged: it is not what was written.
    """
    return _sum(path, _raw(path))


def _raw(path: Path) -> bytes | None:
    try:
        return place(path).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Damaged(f"'{place(path)}' cannot be read: {error}", hint=HINT) from error


def _sum(path: Path, content: bytes | None) -> Sum | None:
    if content is None:
        return None
    try:
        doc = orjson.loads(content)
        found = Sum(int(doc["bytes"]), int(doc["crc32"]))
        if _written(found) != content:
            raise ValueError("other bytes than are ever written")
        return found
    except (ValueError, TypeError, KeyError) as error:
        raise Damaged(f"'{place(path)}' is not what was written", hint=HINT) from error


def write(path: Path, found: Sum) -> None:
    """Durable but for the folder's entry, which is the caller's."""
    part = place(path).with_suffix(".part")
    with part.open("wb") as file:
        file.write(_written(found))
        file.flush()
        os.fsync(file.fileno())
    part.replace(place(path))


def _written(found: Sum) -> bytes:
    return orjson.dumps(found._asdict())


def forget(path: Path) -> None:
    """Before the file is removed, or another takes its name."""
    place(path).unlink(missing_ok=True)


def seal(path: Path) -> None:
    """Makes a file durable and sums what it has grown by; its damage, if any, stays damage.

    Raises:
        FileNotFoundError: there is no such file.
        Damaged: its sum cannot be read.
        OSError: the disk does not take it.
    """
    known = read(path)
    begin, crc = known or (0, 0)
    with path.open("r+b") as file:
        os.fsync(file.fileno())
        size = os.fstat(file.fileno()).st_size
        if known is None or size > begin:
            file.seek(begin)
            write(path, Sum(size, _crc(file, size - begin, crc)))


def fault(path: Path) -> str:
    """What is wrong with a file that has a sum; "" if nothing is, or nothing is known.

    Raises:
        Damaged: its sum cannot be read.
    """
    return _settled(path, lambda known: _fault(path, _sum(path, known)))


def _fault(path: Path, known: Sum | None) -> str:
    if known is None:
        return ""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < known.bytes:
                return f"ends after {size} bytes; it had {known.bytes}"
            is_same = _crc(file, known.bytes, 0) == known.crc32
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return "" if is_same else "is not what was stored (CRC-32)"


def verify(path: Path) -> None:
    """Raises Damaged unless a file is what was stored, as far as that is known."""
    if what := fault(path):
        raise Damaged(f"'{path}' {what}", hint=HINT)


def unsummed(path: Path) -> int:
    """How many bytes at the end of a file have no sum yet, where the rest has one."""
    known = read(path)
    return max(0, path.stat().st_size - known.bytes) if known and path.exists() else 0


def copy(source: str | Path, target: str | Path) -> None:
    """Copies a file with the sum that belongs to what is copied."""
    from_, to = Path(source), Path(target)

    def work(known: bytes | None) -> None:
        shutil.copy2(from_, to)
        forget(to)
        if known is not None:
            place(to).write_bytes(known)

    _settled(from_, work)


def of(folder: Path) -> Iterator[Path]:
    """Files in a folder and those below it that have a sum, there or not."""
    for one in sorted(folder.rglob(PATTERN)):
        yield one.with_name(one.name[1:].removesuffix(".sum"))


def _settled(path: Path, work: Callable[[bytes | None], T]) -> T:
    """Does it again where the sum changed meanwhile: it then may be that of another file."""
    for _ in range(LOOKS):
        known = _raw(path)
        found = work(known)
        if _raw(path) == known:
            break
    return found


def _crc(file: BinaryIO, size: int, crc: int) -> int:
    while size > 0 and (chunk := file.read(min(size, CHUNK))):
        crc, size = crc32(chunk, crc), size - len(chunk)
    return crc
