"""One backup at a time in a bucket: who works there leaves a mark, and looks for those of others.

Each puts its mark before it lists all of them, so of two that begin together at least one sees the
other, whatever the store: nothing but reading what was written is asked of it. A mark is renewed
each minute; one that was not for ten minutes, by the store's own clock, is of a process that died.
What it had stored is used by the next backup, or taken away by it.
"""

from __future__ import annotations

import os
import secrets
import socket
from contextlib import suppress
from threading import Event, Thread
from time import monotonic
from types import TracebackType

import orjson

from gemel.core.clock import SECOND, to_iso
from gemel.core.document import Json
from gemel.core.errors import Forbidden, GemelError, NotFound, Unavailable
from gemel.core.ports import ObjectFacts, Objects

UNFINISHED = "unfinished"
RENEW_SECONDS = 60.0
DEAD_SECONDS = 600.0
OURS: set[str] = set()
"""The marks of this process: one with its number that is not among them is of one before it."""


class Work:
    """The mark of this process at a place, for as long as the block lasts."""

    def __init__(self, objects: Objects, name: str, now: int) -> None:
        self._objects = objects
        self._mark = f"{UNFINISHED}/{name}-{secrets.token_hex(4)}.json"
        self._about: Json = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "since": to_iso(now),
            "state": "working",
        }
        self._over = Event()
        self._renewed = monotonic()
        self._thread = Thread(target=self._renew, name="backup-mark", daemon=True)
        self.left: list[str] = []
        """Marks of backups that did not come to their end: what they stored lies about."""

    def __enter__(self) -> Work:
        OURS.add(self._mark)
        is_there = False
        try:
            self._put()
            is_there = True
            self._look_for_others()
        except BaseException:
            OURS.discard(self._mark)
            if is_there:
                with suppress(GemelError):
                    self._objects.delete([self._mark])
            raise
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        OURS.discard(self._mark)
        if kind is None:
            try:
                self._objects.delete([self._mark])
                return
            except Forbidden:  # who may only add says at least that nobody is at work
                pass
        if isinstance(error, Unavailable):
            return  # nor would the store hear of it
        self._about["state"] = "ended" if kind is None else "interrupted"
        with suppress(GemelError):
            self._put()

    def confirm(self) -> None:
        """Raises Unavailable where others may think that this process is dead."""
        if monotonic() - self._renewed > DEAD_SECONDS / 2:
            raise self._lost()
        if all(one.name != self._mark for one in self._objects.list(UNFINISHED)):
            raise self._lost()

    def _lost(self) -> Unavailable:
        return Unavailable(
            f"{self._objects.place}: the mark {self._mark} could not be kept, so another process "
            "may work there by now",
            hint="begin again: what has arrived there is not sent again",
        )

    def _put(self) -> None:
        self._objects.put(self._mark, [orjson.dumps(self._about)])
        self._renewed = monotonic()

    def _renew(self) -> None:
        while not self._over.wait(RENEW_SECONDS):
            with suppress(GemelError):
                marks = self._objects.list(UNFINISHED)
                if any(one.name == self._mark for one in marks):  # else another took it away
                    self._put()

    def _look_for_others(self) -> None:
        marks = {one.name: one for one in self._objects.list(UNFINISHED)}
        mine = marks.pop(self._mark, None)
        if mine is None:
            raise Unavailable(
                f"{self._objects.place} does not show what was just written to it",
                hint="it must list what it has taken at once, as S3 and Azure do",
            )
        for other in marks.values():
            about = self._read(other.name)
            if about is not None and not self._is_dead(about, other, mine):
                raise Unavailable(
                    f"another process works on {self._objects.place}: {about.get('pid')} on "
                    f"{about.get('host')}, since {about.get('since')}",
                    hint="wait until it is done; if it was killed on another machine, its mark "
                    f"counts for {DEAD_SECONDS / 60:.0f} minutes",
                )
            self.left.append(other.name)

    def _read(self, name: str) -> Json | None:
        """What a mark says; None if it is gone by now."""
        try:
            found = orjson.loads(b"".join(self._objects.get(name)))
        except NotFound:
            return None
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def _is_dead(self, about: Json, other: ObjectFacts, mine: ObjectFacts) -> bool:
        if about.get("state") in ("ended", "interrupted"):
            return True
        pid = about.get("pid")
        if about.get("host") == socket.gethostname() and isinstance(pid, int):
            is_there = other.name in OURS if pid == os.getpid() else _is_alive(pid)
            if not is_there:
                return True
        return mine.modified - other.modified > DEAD_SECONDS * SECOND


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
