"""A file of reserved room that is given up when the disk is full, so that sealing can free more."""

from __future__ import annotations

import errno
from pathlib import Path
from threading import Lock

from gemel.core.errors import Unavailable
from gemel.history.files import Files

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
SLACK = 1 << 20


class Ballast:
    """Tells whether the disk is full; it stays so until twice the reserve is free again."""

    def __init__(self, folder: Path, files: Files, size: int | None) -> None:
        """Sets `size` bytes aside; 0 is for none, None leaves what is there."""
        self._path = folder / "ballast"
        self._files = files
        self._size = size or 0
        self._is_left_alone = size is None
        self._lock = Lock()
        self.is_full = False
        self._reserve()

    def _reserve(self) -> bool:
        """Sets the room aside; False where there is none to spare."""
        if self._is_left_alone:
            return True
        if self._path.exists():
            if self._size and self._files.size(self._path) == self._size:
                return True
            self._files.remove(self._path)  # another size was wanted when it was made
        if self._size == 0:
            return True
        if self._files.free_bytes(self._path.parent) < 2 * self._size + SLACK:
            return False
        try:
            self._files.reserve(self._path, self._size)
        except OSError:
            self._files.remove(self._path)
            return False
        return True

    def release(self) -> None:
        """The disk is full: gives the reserve up to sealing."""
        with self._lock:
            self.is_full = True
            self._files.remove(self._path)

    def has_room(self, size: int) -> bool:
        """Whether `size` bytes more may be written; sets the reserve aside again once they may."""
        with self._lock:
            if not self.is_full:
                return True
            if self._files.free_bytes(self._path.parent) < 2 * self._size + SLACK + size:
                return False
            self.is_full = not self._reserve()
            return not self.is_full

    def refusal(self) -> Unavailable:
        return Unavailable(
            f"the disk that holds {self._path.parent} is full; nothing was stored",
            hint="free some room: storing goes on by itself; reading works meanwhile",
        )
