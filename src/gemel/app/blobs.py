"""Files in the data folder, stored whole or not at all; `Blobs` are those of import jobs.

A blob has a [sum](sums.py) beside it, as no document says what it holds.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import BinaryIO
from zlib import crc32

from gemel.app import sums
from gemel.core.clock import to_iso
from gemel.core.document import Json
from gemel.core.errors import Damaged, InvalidInput, NotFound, TooLarge, Unavailable

log = logging.getLogger("gemel.blobs")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
MOST_BYTES = 1 << 30
PART = ".part"


def store_file(folder: Path, name: str, content: bytes, what: str) -> None:
    """Stores a file under a name that is safe; it is durable, or not there.

    Raises:
        Unavailable: the disk does not take `what`.
    """
    part = folder / f"{name}{PART}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(folder / name)
        sync_folder(folder)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise Unavailable(
            f"{what} cannot be stored: {error.strerror}", hint="free some space on the disk"
        ) from error


def sync_folder(folder: Path) -> None:
    """Makes durable which names a folder has."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def stored_file(path: Path, digest: str) -> bytes:
    """The bytes of a file, if they are those of which a document has the SHA-256.

    Raises:
        FileNotFoundError: it is gone.
        Damaged: it is not what was stored.
    """
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise Damaged(f"'{path}' is not what was stored (SHA-256)", hint="restore it from a backup")
    return content


@contextmanager
def naming(path: Path, *unusable: type[Exception]) -> Iterator[None]:
    """Damage found in what a file holds is damage of that file.

    Args:
        path: the file.
        unusable: what else reading its content comes to where it is not what was written.

    Raises:
        Damaged: with the file in its message.
    """
    try:
        yield
    except Damaged as error:
        raise Damaged(f"'{path}': {error.message}", hint=error.hint) from error
    except unusable as error:
        log.exception("what '%s' holds cannot be used", path)
        what, hint = f"'{path}' holds what cannot be used: {error!r}", "gemel check says what it is"
        raise Damaged(what, hint=hint) from error


class Blobs:
    """`imports/`, one flat folder; a name never leads out of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()
        """Held while a file and its sum are not those of each other."""

    def path(self, name: str) -> Path:
        """Where a file lies.

        Raises:
            InvalidInput: the name is none of a file here.
        """
        if not NAME.fullmatch(name) or name.endswith(PART):
            what = "an address" if "/" in name else "not a file name"
            raise InvalidInput(
                f"'{name[:100]}' is {what}, not a file of this server",
                hint="send the file with PUT /imports/{file} and give its name (A-Z a-z 0-9 . _ -)",
                code="ValidationFailed",
            )
        return self._folder / name

    def existing(self, name: str) -> Path:
        """As `path`, of a file that is there.

        Raises:
            NotFound: it is not.
        """
        found = self.path(name)
        if not found.is_file():
            raise NotFound(
                f"there is no file '{name}' in imports/", hint="send it with PUT /imports/{file}"
            )
        return found

    def listing(self) -> list[Json]:
        if not self._folder.is_dir():
            return []
        found = []
        for entry in sorted(self._folder.iterdir()):
            if entry.is_file() and NAME.fullmatch(entry.name) and not entry.name.endswith(PART):
                stat = entry.stat()
                found.append(
                    {"name": entry.name, "bytes": stat.st_size, "time": to_iso(stat.st_mtime_ns)}
                )
        return found

    async def read(self, name: str) -> Path:
        """As `existing`, of a file that is what was stored.

        Raises:
            NotFound: there is none.
            Damaged: it is not.
        """
        found = self.existing(name)
        await asyncio.to_thread(sums.verify, found)
        return found

    async def put(self, name: str, chunks: AsyncIterator[bytes]) -> int:
        """Stores a file whole or not at all, durable on return; the number of its bytes.

        Raises:
            TooLarge: larger than `MOST_BYTES`.
            Unavailable: the disk does not take it.
        """
        path = self.path(name)
        part = path.with_name(f"{name}{PART}")
        size = crc = 0
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            with part.open("wb") as file:
                async for chunk in chunks:
                    size, crc = size + len(chunk), crc32(chunk, crc)
                    if size > MOST_BYTES:
                        raise TooLarge(
                            f"the file is larger than {MOST_BYTES:,} bytes",
                            hint="send it in parts",
                        )
                    file.write(chunk)
                await asyncio.to_thread(self._take, file, path, sums.Sum(size, crc))
        except OSError as error:
            raise Unavailable(
                f"'{name}' cannot be stored: {error.strerror}", hint="free some space on the disk"
            ) from error
        finally:
            part.unlink(missing_ok=True)
        return size

    def _take(self, part: BinaryIO, path: Path, found: sums.Sum) -> None:
        part.flush()
        os.fsync(part.fileno())
        with self._lock:
            sums.forget(path)
            Path(part.name).replace(path)
            sums.write(path, found)
            sync_folder(self._folder)

    def append(self, name: str, lines: bytes) -> None:
        """Adds lines to a log; `seal` makes them durable."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        with self.path(name).open("ab") as file:
            file.write(lines)

    def seal(self, name: str) -> None:
        """Makes what was appended durable, and sums it."""
        try:
            with self._lock:
                sums.seal(self.path(name))
                sync_folder(self._folder)
        except FileNotFoundError:
            return
        except (Damaged, OSError) as error:
            log.error("the file 'imports/%s' gets no checksum: %s", name, error)

    def seal_all(self) -> None:
        """After a kill, and in a folder of before there were sums."""
        for one in self.listing():
            self.seal(one["name"])

    def delete(self, name: str) -> None:
        path = self.existing(name)
        with self._lock:
            sums.forget(path)
            path.unlink(missing_ok=True)
