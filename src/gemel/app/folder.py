"""The data folder: all state in one place, opened by one server at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import orjson

from gemel.core.document import Json
from gemel.core.errors import Unavailable

INCOMPLETE = "incomplete"
"""A file of this name stands in a folder that is being restored."""


class InUse(Unavailable):
    """A server has the folder open."""


class DataFolder:
    """Made with mode 0700; locked while it is open."""

    def __init__(self, path: Path) -> None:
        """Opens the folder.

        Raises:
            InUse: another server has it open.
            Unavailable: it cannot be written, or was not restored to the end.
        """
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise Unavailable(
                f"the data folder {path} cannot be used: {error.strerror}",
                hint="name another with --data",
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise InUse(
                f"another Gemel uses the data folder {path}",
                hint="stop it, or name another folder with --data",
            ) from error
        if (path / INCOMPLETE).exists():
            os.close(self._lock)
            raise Unavailable(
                f"the data folder {path} was not restored to the end",
                hint="delete it and run gemel restore again",
            )

    def announce(self, doc: Json) -> None:
        """Tells other programs on this machine where the server listens."""
        announce_file(self.path).write_bytes(orjson.dumps(doc))

    def close(self) -> None:
        announce_file(self.path).unlink(missing_ok=True)
        os.close(self._lock)


def is_in_use(path: Path) -> bool:
    """Whether a server, of any version, has a folder open."""
    try:
        handle = os.open(path / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def announce_file(path: Path) -> Path:
    return path / "server.json"


def announced(path: Path) -> Json | None:
    """Where the server of this folder listens, or None when none runs."""
    try:
        found = orjson.loads(announce_file(path).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return found if isinstance(found, dict) else None
