"""The group commit: one thread writes all that waits, syncs once, shows it, then tells.

Nothing is readable, and no callback runs, before the sync has returned.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Condition, Event, Thread
from time import monotonic
from typing import NamedTuple, TypeAlias

import numpy as np

from gemel.core.batch import Batch, Reject
from gemel.core.errors import GemelError, InvalidInput, Overloaded, Unavailable
from gemel.core.series import SeriesTable
from gemel.history.ballast import NO_ROOM, Ballast
from gemel.history.files import Bytes, Files
from gemel.history.log import LogFile
from gemel.history.payload import (
    Stack,
    encode_readings,
    encode_rejects,
    encode_series,
    stack,
)
from gemel.history.record import Kind

Then: TypeAlias = Callable[[Exception | None], None]
Notify: TypeAlias = Callable[[Callable[[], None]], None]

COMMIT_BYTES = 16 << 20
ROWS_A_RECORD = 16_384
LATEST = int(np.iinfo(np.int64).max)
LOOK_AGAIN_SECONDS = 1.0
log = logging.getLogger("gemel.history")


@dataclass(frozen=True, slots=True)
class Waiting:
    """What one `append` asked for."""

    batch: Batch
    rejects: Sequence[Reject]
    then: Then | None
    size: int


class Content(NamedTuple):
    """One commit, encoded."""

    pieces: list[Bytes]
    records: int
    stacks: list[Stack]
    rejects: list[Reject]
    rows: int


class Mark:
    """A place in the queue after which a new log file is wanted."""

    def __init__(self) -> None:
        self.done = Event()
        self.complete = 0
        """The last log file that is complete."""
        self.error: GemelError | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """When a log file is full."""

    rows: int
    bytes: int
    seconds: float
    pending_bytes: int


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the writer tells the history, on the writer's thread."""

    stored: Callable[[int, Sequence[Stack], Sequence[Reject]], None]
    """(log file, readings, rejects) are durable: show them."""
    rotated: Callable[[int, int, int, int], None]
    """(complete log file, the one written from now on, how many series are defined so far)."""


class Writer:
    def __init__(
        self,
        folder: Path,
        files: Files,
        table: SeriesTable,
        first: LogFile,
        limits: Limits,
        ballast: Ballast,
        hooks: Hooks,
        notify: Notify,
    ) -> None:
        self._folder = folder
        self._files = files
        self._table = table
        self._series_written = len(table)
        self._limits = limits
        self._ballast = ballast
        self._hooks = hooks
        self._notify = notify
        self._log = first
        self._rows = 0
        self._since: float | None = None
        self._queue: deque[Waiting | Mark] = deque()
        self._changed = Condition()
        self._stopping = False
        self.pending_bytes = 0
        self.failure: GemelError | None = None
        self.commits = 0
        self.commit_seconds = 0.0
        self._thread = Thread(target=self._run, name="gemel-history-writer", daemon=True)
        self._thread.start()

    @property
    def number(self) -> int:
        """The log file that is written."""
        return self._log.number

    @property
    def durable(self) -> tuple[int, int]:
        """The log file that is written, and how much of it is on disk."""
        log = self._log  # once: another may take its place
        return log.number, log.good

    @property
    def log_bytes(self) -> int:
        """Of the log file that is written, as far as it is durable."""
        return self._log.good

    def submit(self, waiting: Waiting) -> None:
        """Queues it; too much waiting is answered at once with an error."""
        with self._changed:
            refusal = self.failure
            if self._stopping:
                refusal = Unavailable("the history is closed", hint="open it again")
            elif self.pending_bytes + waiting.size > self._limits.pending_bytes:
                refusal = Overloaded(
                    f"{self.pending_bytes} bytes already wait for the disk; nothing was stored",
                    hint="send more slowly, or send again in a moment",
                )
            if refusal is None:
                self._queue.append(waiting)
                self.pending_bytes += waiting.size
                self._changed.notify_all()
                return
        self._tell([(waiting.then, refusal)])

    def rotate(self) -> int:
        """Starts a new log file after all that was submitted; returns the last complete one.

        Raises:
            Unavailable: the new file cannot be made, or the history is closed.
        """
        mark = Mark()
        with self._changed:
            if self._stopping:
                raise Unavailable("the history is closed", hint="open it again")
            self._queue.append(mark)
            self._changed.notify_all()
        mark.done.wait()
        if mark.error is not None:
            raise mark.error
        return mark.complete

    def stop(self) -> None:
        """Writes what waits, then ends the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join()
        self._log.close()

    def _run(self) -> None:
        while True:
            taken, mark, stopping = self._take()
            if taken:
                self._commit(taken)
            if self.failure is None and (mark is not None or self._is_log_full()):
                self._rotate()
            if mark is not None:
                self._answer(mark)
            if stopping and not self._queue:
                return

    def _take(self) -> tuple[list[Waiting], Mark | None, bool]:
        """What to commit now, a mark if one stands after it, and whether to stop."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._stopping, self._patience())
            if self._ballast.is_full:
                self._ballast.has_room(0)
            taken: list[Waiting] = []
            size = 0
            while self._queue:
                first = self._queue[0]
                if isinstance(first, Mark):
                    self._queue.popleft()
                    return taken, first, self._stopping
                if taken and size + first.size > COMMIT_BYTES:
                    break
                size += first.size
                taken.append(first)
                self._queue.popleft()
            return taken, None, self._stopping

    def _answer(self, mark: Mark) -> None:
        mark.complete = self._log.number - 1
        mark.error = self.failure
        if mark.error is None and not self._log.is_empty:
            mark.error = self._ballast.refusal()
        mark.done.set()

    def _patience(self) -> float | None:
        if self._ballast.is_full:
            return LOOK_AGAIN_SECONDS
        if self._since is None or self.failure is not None:
            return None
        return max(0.0, self._since + self._limits.seconds - monotonic())

    def _is_log_full(self) -> bool:
        if self._log.good >= self._limits.bytes or self._rows >= self._limits.rows:
            return True
        return self._since is not None and monotonic() - self._since >= self._limits.seconds

    def _commit(self, waiting: list[Waiting]) -> None:
        started = monotonic()
        series = len(self._table)
        faults: dict[int, GemelError] = {}
        try:
            content = self._encode(waiting, series)
        except (TypeError, ValueError, InvalidInput):
            faults = self._faults(waiting, series)
            content = self._encode([w for w in waiting if id(w) not in faults], series)
        fault = self._write(content.pieces, content.records) if content.records else None
        if fault is None:
            self._series_written = series
            self._hooks.stored(self._log.number, content.stacks, content.rejects)
            self._rows += content.rows
            if self._since is None and content.records:
                self._since = started
        self.commits += 1
        self.commit_seconds = monotonic() - started
        with self._changed:
            self.pending_bytes -= sum(entry.size for entry in waiting)
        self._tell([(entry.then, faults.get(id(entry), fault)) for entry in waiting])

    def _encode(self, waiting: Sequence[Waiting], series: int) -> Content:
        """Records for new series, for the readings, and for the rejects."""
        records: list[tuple[Kind, list[Bytes]]] = []
        if series > self._series_written:
            keys = self._table.keys[self._series_written : series]
            records.append((Kind.SERIES, encode_series(self._series_written, keys)))
        stacks = [stack(group) for group in _groups([w.batch for w in waiting if len(w.batch)])]
        for readings in stacks:
            check_columns(readings.columns, series)
            records.append((Kind.READINGS, encode_readings(readings)))
        rejects = [reject for entry in waiting for reject in entry.rejects]
        if rejects:
            records.append((Kind.REJECTS, [encode_rejects(rejects)]))
        pieces: list[Bytes] = []
        for ahead, (kind, payload) in enumerate(records):
            pieces += self._log.frame(kind, payload, ahead)
        rows = sum(len(readings.columns) for readings in stacks)
        return Content(pieces, len(records), stacks, rejects, rows)

    def _faults(self, waiting: Sequence[Waiting], series: int) -> dict[int, GemelError]:
        """Which of them cannot be stored, and why: found by trying each alone."""
        faults: dict[int, GemelError] = {}
        for entry in waiting:
            try:
                self._encode([entry], series)
            except InvalidInput as error:
                faults[id(entry)] = error
            except (TypeError, ValueError) as error:
                faults[id(entry)] = InvalidInput(f"a batch cannot be stored: {error}")
            if id(entry) in faults and entry.then is None:
                log.error("%s", faults[id(entry)])
        return faults

    def _write(self, pieces: list[Bytes], records: int) -> GemelError | None:
        """Writes and syncs; returns why it did not work, with the log as it was before."""
        if self.failure is not None:
            return self.failure
        if not self._ballast.has_room(sum(len(piece) for piece in pieces)):
            return self._ballast.refusal()
        try:
            written = self._log.write(pieces)
        except OSError as error:
            return self._take_back(error)
        try:
            self._log.sync(written, records)
        except OSError as error:
            return self._fail(error)
        return None

    def _take_back(self, error: OSError) -> GemelError:
        try:
            self._log.take_back()
        except OSError as second:
            return self._fail(second)
        if error.errno not in NO_ROOM:
            return self._fail(error)
        self._ballast.release()
        log.error("the disk that holds %s is full; appends are refused", self._folder.parent)
        return self._ballast.refusal()

    def _fail(self, error: OSError) -> GemelError:
        """After a failed sync nobody knows what is on the disk; only reading it again helps."""
        self.failure = Unavailable(
            f"the history in {self._folder.parent} has failed: {error}; nothing more is stored",
            hint="look after the disk, then restart: everything acknowledged is in the log",
        )
        log.error("%s", self.failure)
        return self.failure

    def _rotate(self) -> None:
        if self._log.is_empty:
            return
        old = self._log
        try:
            new = LogFile(self._folder, self._files, old.number + 1, old.sequence)
        except OSError as error:
            if error.errno in NO_ROOM:
                self._ballast.release()
            else:
                self._fail(error)
            return
        old.close()
        self._log = new
        self._rows = 0
        self._since = None
        self._hooks.rotated(old.number, old.good, new.number, self._series_written)

    def _tell(self, outcomes: list[tuple[Then | None, Exception | None]]) -> None:
        if any(then is not None for then, _ in outcomes):
            tell(self._notify, partial(_run_all, outcomes))


def tell(notify: Notify, call: Callable[[], None]) -> None:
    """Hands a call over; a listener that is gone must not stop the writer."""
    try:
        notify(call)
    except Exception:
        log.exception("the listener of the history cannot be reached")


def _run_all(outcomes: list[tuple[Then | None, Exception | None]]) -> None:
    for then, error in outcomes:
        if then is None:
            continue
        try:
            then(error)
        except Exception:
            log.exception("a callback after an append failed")


def _groups(batches: list[Batch]) -> Iterator[list[Batch]]:
    """Small batches together, large ones alone, in their order."""
    group: list[Batch] = []
    rows = 0
    for batch in batches:
        if group and rows + len(batch) > ROWS_A_RECORD:
            yield group
            group, rows = [], 0
        group.append(batch)
        rows += len(batch)
    if group:
        yield group


def check_columns(columns: Batch, series: int) -> None:
    """Raises InvalidInput for a series that is not known or a time that cannot be read again."""
    if int(columns.series.min()) < 0 or int(columns.series.max()) >= series:
        raise InvalidInput(
            f"a batch names a series outside 0 to {series - 1}",
            hint="ask the history's SeriesTable for the number first",
        )
    if int(columns.time.max()) == LATEST:
        raise InvalidInput(f"time {LATEST} is kept for the end of all time")
