"""Files in the data folder, stored whole or not at all; `Blobs` are those of import jobs."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

from gemel.core.clock import to_iso
from gemel.core.document import Json
from gemel.core.errors import Damaged, InvalidInput, NotFound, TooLarge, Unavailable

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
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise Unavailable(
            f"{what} cannot be stored: {error.strerror}", hint="free some space on the disk"
        ) from error


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


class Blobs:
    """`imports/`, one flat folder; a name never leads out of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

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

    async def put(self, name: str, chunks: AsyncIterator[bytes]) -> int:
        """Stores a file whole or not at all; the number of its bytes.

        Raises:
            TooLarge: larger than `MOST_BYTES`.
            Unavailable: the disk does not take it.
        """
        path = self.path(name)
        part = path.with_name(f"{name}{PART}")
        size = 0
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            with part.open("wb") as file:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > MOST_BYTES:
                        raise TooLarge(
                            f"the file is larger than {MOST_BYTES:,} bytes",
                            hint="send it in parts",
                        )
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except OSError as error:
            raise Unavailable(
                f"'{name}' cannot be stored: {error.strerror}", hint="free some space on the disk"
            ) from error
        finally:
            part.unlink(missing_ok=True)
        return size

    def append(self, name: str, lines: bytes) -> None:
        """Adds lines to a log."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        with self.path(name).open("ab") as file:
            file.write(lines)

    def delete(self, name: str) -> None:
        self.existing(name).unlink(missing_ok=True)
