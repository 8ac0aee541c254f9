"""The only place where the history touches the disk, so that tests can break it at every call."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from gemel.core.errors import Unavailable

Bytes: TypeAlias = bytes | bytearray | memoryview

NO_LINKS = frozenset({errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK})
PIECES_A_WRITE = 512  # Linux takes at most 1,024


class Files:
    """Plain files of the operating system; a test's subclass raises where a disk would."""

    def create(self, path: Path) -> int:
        """A new empty file that every write appends to; an older one of this name is emptied."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        return os.open(path, flags, 0o640)

    def append_to(self, path: Path) -> int:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)

    def write(self, handle: int, pieces: Sequence[Bytes]) -> int:
        """Writes all pieces in order and returns how many bytes they are."""
        total = 0
        for first in range(0, len(pieces), PIECES_A_WRITE):
            total += self._write_some(handle, pieces[first : first + PIECES_A_WRITE])
        return total

    def _write_some(self, handle: int, pieces: Sequence[Bytes]) -> int:
        total = sum(len(piece) for piece in pieces)
        written = os.writev(handle, pieces)
        if written < total:  # rare: finish it from one flat copy
            rest = memoryview(b"".join(pieces))
            while written < total:
                written += os.write(handle, rest[written:])
        return total

    def sync(self, handle: int) -> None:
        """Data and size on disk when it returns."""
        os.fdatasync(handle)

    def sync_folder(self, folder: Path) -> None:
        """Names on disk when it returns."""
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def truncate(self, handle: int, size: int) -> None:
        os.ftruncate(handle, size)

    def close(self, handle: int) -> None:
        os.close(handle)

    def read(self, path: Path, offset: int = 0, length: int | None = None) -> bytes:
        """`length` bytes from `offset`, or all that follow; fewer where the file ends."""
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if length is None:
                length = max(0, os.fstat(handle).st_size - offset)
            pieces: list[bytes] = []
            while length > 0:
                piece = os.pread(handle, length, offset)
                if not piece:
                    break
                pieces.append(piece)
                offset += len(piece)
                length -= len(piece)
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)
        finally:
            os.close(handle)

    def size(self, path: Path) -> int:
        return path.stat().st_size

    def identity(self, path: Path) -> tuple[int, int]:
        """Differs when the file was changed or another one has taken its name."""
        found = path.stat()
        return found.st_ino, found.st_mtime_ns

    def rename(self, old: Path, new: Path) -> None:
        os.replace(old, new)

    def link(self, old: Path, new: Path) -> None:
        """A second name for a file that never changes; a copy where the disk knows no links."""
        try:
            os.link(old, new)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            shutil.copyfile(old, new)

    def remove(self, path: Path) -> None:
        with suppress(FileNotFoundError):
            path.unlink()

    def free_bytes(self, folder: Path) -> int:
        """Room left on the disk for an ordinary user."""
        state = os.statvfs(folder)
        return state.f_bavail * state.f_frsize

    def reserve(self, path: Path, size: int) -> None:
        """A file that occupies `size` bytes, to be given up when the disk is full."""
        handle = self.create(path)
        try:
            os.posix_fallocate(handle, 0, size)
        finally:
            self.close(handle)

    def lock(self, path: Path) -> int:
        """Keeps other processes out until the handle is closed.

        Raises:
            Unavailable: another process has this history open.
        """
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            raise Unavailable(
                f"the history in {path.parent} is in use by another process",
                hint="stop the other process, or give this one another folder",
            ) from error
        return handle

    def put(self, path: Path, pieces: Sequence[Bytes]) -> None:
        """Writes a whole file so that it is there completely or not at all, durably."""
        scratch = path.with_name(path.name + ".tmp")
        handle = self.create(scratch)
        try:
            self.write(handle, pieces)
            self.sync(handle)
        except OSError:
            self.close(handle)
            self.remove(scratch)
            raise
        self.close(handle)
        self.rename(scratch, path)
        self.sync_folder(path.parent)


def numbered(folder: Path, suffix: str) -> list[tuple[int, Path]]:
    """Files whose name is a number and a suffix, in order; others are none of ours."""
    found = ((path.name.removesuffix(suffix), path) for path in folder.glob("*" + suffix))
    return sorted((int(name), path) for name, path in found if name.isdecimal())
