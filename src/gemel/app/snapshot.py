"""A data folder at one moment, as a folder beside it that nobody writes to any more.

The server makes it below its own `backups/`, where the command line, which owns the files too,
copies it from. Files of the history that never change get a second name there; databases and the
few small files are copied. Whoever uses a snapshot holds a lock on it; one without a lock is
removed when the next is made.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from gemel.app import sums
from gemel.app.audit import KEY_FILE
from gemel.app.blobs import PART
from gemel.app.event_cursors import FILE as CURSORS
from gemel.app.export_cursors import FILE as EXPORT_CURSORS
from gemel.app.fits import FOLDER as FITS
from gemel.app.foreign import FOLDER as MODELS
from gemel.app.geometries import FOLDER as GEOMETRIES
from gemel.app.runs import FOLDER as RUNS
from gemel.app.scenarios import FOLDER as SCENARIOS
from gemel.backends.upkeep import Pinned
from gemel.connect.mqtt import spool
from gemel.connect.opcua.settings import FOLDER as OPCUA
from gemel.core.clock import to_iso
from gemel.core.document import Json
from gemel.core.errors import Conflict, InvalidInput, Unavailable
from gemel.history import History

FOLDER = "backups"
NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}", re.ASCII)
DOCUMENTS, SESSIONS, HISTORY, IMPORTS = "gemel.sqlite", "mqtt.sqlite", "history", "imports"
ATTACHMENTS = "attachments"
BESIDES = ("tls", OPCUA, CURSORS, FITS, RUNS, SCENARIOS, MODELS, ATTACHMENTS, GEOMETRIES, KEY_FILE)
SLACK = 16 << 20
LOCK = ".lock"


def compact_name(now: int) -> str:
    """A moment as a name that sorts: 20261122T101500Z."""
    return re.sub(r"[-:]|\.\d+", "", to_iso(now))


def take(data: Path, history: History, name: str) -> Json:
    """Makes the snapshot `backups/NAME` and tells what is in it.

    The documents are as of a moment just before that of the readings, as after a crash: what a
    reading led to may be missing, never the reading itself.

    Raises:
        InvalidInput: the name would lead elsewhere.
        Conflict: there is one of this name.
        Unavailable: no room, or the history cannot be written.
    """
    if not NAME.fullmatch(name):
        raise InvalidInput(f"'{name[:80]}' is no name for a snapshot", hint="A-Z a-z 0-9 and -")
    place = data / FOLDER / name
    if place.exists():
        raise Conflict(f"there is a snapshot '{name}' already", hint="give another name")
    try:
        place.parent.mkdir(mode=0o700, exist_ok=True)
        tidy(place.parent, besides=name)
        need_room(place.parent, _copied_bytes(data))
        place.mkdir(mode=0o700)
        return _fill(data, history, place)
    except BaseException as error:
        shutil.rmtree(place, ignore_errors=True)
        if isinstance(error, OSError):
            raise Unavailable(
                f"the snapshot {place} cannot be made: {error}",
                hint="look after that disk; the data is as it was",
            ) from error
        raise


def _fill(data: Path, history: History, place: Path) -> Json:
    with ExitStack() as stack:
        pinned = [
            stack.enter_context(closing(Pinned(data / name)))
            for name in (DOCUMENTS, SESSIONS)
            if (data / name).exists()
        ]
        spool.copy(data, place)  # first: what is taken over meanwhile is in the history
        with suppress(FileNotFoundError):  # before the history, so that none is ahead of it
            shutil.copy2(data / EXPORT_CURSORS, place)
        found = history.statistics()
        history.snapshot(place / HISTORY)
        for one in pinned:
            one.copy_to(place / one.path.name)
        _copy_besides(data, place)
        return {
            "counts": {
                "readings": found.readings,
                "series": found.series,
                "segments": found.segments,
                "rejects": found.rejects,
                "documents": pinned[0].counts(),
            },
            "damage": [str(one) for one in found.damage if not one.is_torn_tail],
        }


def _copy_besides(data: Path, place: Path) -> None:
    for name in BESIDES:
        if (data / name).is_dir():
            shutil.copytree(
                data / name,
                place / name,
                ignore=shutil.ignore_patterns(sums.PATTERN),
                copy_function=sums.copy,
            )
        elif (data / name).exists():
            shutil.copy2(data / name, place / name)
    for path in sorted((data / IMPORTS).glob("*")):
        if path.is_file() and not path.match(sums.PATTERN) and not path.name.endswith(PART):
            (place / IMPORTS).mkdir(exist_ok=True)
            sums.copy(path, place / IMPORTS / path.name)


def _copied_bytes(data: Path) -> int:
    """What a snapshot takes: everything but the history."""
    paths = [data / f"{name}{end}" for name in (DOCUMENTS, SESSIONS) for end in ("", "-wal")]
    paths += (data / spool.FOLDER).rglob("*.log")
    paths += [data / CURSORS, *(data / "tls").glob("*"), *(data / IMPORTS).glob("*")]
    folders = (OPCUA, FITS, RUNS, SCENARIOS, MODELS, ATTACHMENTS, GEOMETRIES)
    paths += [path for name in folders for path in (data / name).rglob("*")]
    return sum(path.stat().st_size for path in paths if path.is_file())


def need_room(folder: Path, size: int) -> None:
    """Raises Unavailable where a disk has no room for so many bytes and a little more."""
    state = os.statvfs(folder)
    free = state.f_bavail * state.f_frsize
    if free < size + SLACK:
        raise Unavailable(
            f"{size:,} bytes are needed and {free:,} are free on the disk of {folder}",
            hint="free some room there, or name another folder; nothing was written",
        )


def tidy(folder: Path, besides: str = "") -> None:
    """Removes snapshots that nobody holds: of a backup that was killed, or fetched by now."""
    for place in {path.with_name(path.name.removesuffix(LOCK)) for path in folder.iterdir()}:
        if place.name != besides:
            with suppress(Unavailable), held(place):
                shutil.rmtree(place, ignore_errors=True)


@contextmanager
def held(place: Path) -> Iterator[None]:
    """Keeps a snapshot (or a folder of backups) for oneself; its lock lies beside it.

    Raises:
        Unavailable: another process holds it.
    """
    lock = place.with_name(place.name + LOCK)
    lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(handle).st_ino != os.stat(lock).st_ino:
                raise BlockingIOError("another had it and has just removed it")
        except OSError as error:
            raise Unavailable(
                f"another process works on {place}", hint="wait until it is done, then try again"
            ) from error
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
    finally:
        os.close(handle)
