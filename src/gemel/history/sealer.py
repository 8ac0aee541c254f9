"""From log to segment, off the event loop: one thread seals, keeps checkpoints, merges, tidies up.

A thread and not a process: sorting, pcodec and checksums run without the interpreter's lock, so the
loop is late by about 2 ms (99th percentile) while two million readings are sealed
(bench/history.py).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Condition, Lock, Thread
from time import monotonic

from gemel.core.errors import Damaged, GemelError, Unavailable
from gemel.core.series import SeriesTable
from gemel.history.ballast import NO_ROOM, Ballast
from gemel.history.cache import Caches
from gemel.history.checkpoints import Checkpoints
from gemel.history.codec import Codec
from gemel.history.compaction import Interrupted, Merge, choose, neighbours
from gemel.history.damage import DamageList
from gemel.history.files import Files
from gemel.history.followers import Followers, Nobody, apart, borders, wanted_from
from gemel.history.keep import READINGS, Keep, keep_all_from
from gemel.history.log import log_numbers, log_path
from gemel.history.memory import Memory, Ordered
from gemel.history.names import Names
from gemel.history.rejects import Rejects
from gemel.history.rolling import KEEP_ALL, write_segment
from gemel.history.segment import GONE, SEALED, Segment, open_segment
from gemel.history.table import Table
from gemel.history.view import Views

RETRY_SECONDS = 5.0
SEAL_LEVEL = 5
MERGE_LEVEL = 6
ROWS_TO_ROLL = 16_384
"""Where series have fewer readings each, reading them is as quick as their roll-ups until the
segment is merged, which makes some."""
log = logging.getLogger("gemel.history")


class Sealer:
    def __init__(
        self,
        folder: Path,
        files: Files,
        table: SeriesTable,
        views: Views,
        stores: tuple[Names, Rejects, Checkpoints],
        damage: DamageList,
        caches: Caches,
        ballast: Ballast,
        *,
        segment_rows: int,
        fan_in: int,
        largest_rows: int,
        codec: Codec,
        has_checkpoints: Callable[[], bool],
        keep_from: Callable[[], int | Keep] | None = None,
        followers: Followers | None = None,
    ) -> None:
        self._folder = folder
        self._files = files
        self._table = table
        self._views = views
        self._names, self._rejects, self._checkpoints = stores
        self._damage = damage
        self._caches = caches
        self._ballast = ballast
        self._segment_rows = segment_rows
        self._fan_in = fan_in
        self._largest_rows = largest_rows
        self._codec = codec
        self._has_checkpoints = has_checkpoints
        self._keep_from = keep_from
        self._followers = followers or Nobody()
        self._keeping = Lock()
        self.expired = 0
        """Since opening: readings that were removed for their age."""
        self.copies = 0
        """Since opening: copies that merging has dropped."""
        self._changed = Condition()
        self._blobs: tuple[int, Mapping[str, bytes]] | None = None
        self._attempts = 0
        self._asked = False
        self._merge_all = False
        self._stopping = False
        self._retry_at = 0.0
        self._dropped_through = 0
        self._done_through = 0
        self.error: GemelError | None = None
        self._thread = Thread(target=self._run, name="gemel-history-sealer", daemon=True)

    @property
    def dropped_through(self) -> int:
        """Log files up to this one are gone."""
        return self._dropped_through

    def start(self) -> None:
        self._thread.start()

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Meanwhile no file is removed and none that others rely on changes; keep it short."""
        with self._keeping:
            yield

    def wake(self) -> None:
        """There is a complete log file, or readings may have become too old."""
        with self._changed:
            self._asked = True
            self._changed.notify_all()

    def checkpoint(self, through: int, blobs: Mapping[str, bytes]) -> None:
        """The state after all readings of log files up to `through`."""
        with self._changed:
            self._blobs = (through, blobs)
            self._asked = True
            self._changed.notify_all()

    def wait(self, through: int) -> None:
        """Returns when everything up to a log file is sealed and its checkpoint written.

        Raises:
            GemelError: the attempt failed; the log still holds everything.
        """
        with self._changed:
            before = self._attempts
            self._retry_at = 0.0
            self._asked = True
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: (
                    self._is_done(through)
                    or self._stopping
                    or (self.error is not None and self._attempts > before)
                )
            )
            if not self._is_done(through):
                raise self.error or Unavailable("the history is closing")

    def _is_done(self, through: int) -> bool:
        """Sealed, its checkpoint written if there are any, its log files gone or followed."""
        return self._done_through >= through

    def stop(self) -> None:
        """Ends the thread at the next piece of its work; what is not sealed stays in the log."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join()

    def close(self) -> None:
        """Ends the thread and writes the last checkpoint."""
        self.stop()
        try:
            self._save_checkpoint()
        except (OSError, GemelError) as error:
            log.error("the last checkpoint is not written, a start replays more: %s", error)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._stopping or (self._asked and monotonic() >= self._retry_at),
                    max(0.0, self._retry_at - monotonic()) if self._asked else None,
                )
                if self._stopping:
                    break
                if monotonic() < self._retry_at:
                    continue
                self._asked = False
            error = self._try()
            with self._changed:
                self.error = error
                self._attempts += 1
                if error is not None:
                    self._asked = True
                    self._retry_at = monotonic() + RETRY_SECONDS
                self._changed.notify_all()

    def _try(self) -> GemelError | None:
        try:
            self._step()
        except Interrupted:
            return None
        except GemelError as error:
            log.error("sealing failed: %s", error)
            return error
        except OSError as error:
            if error.errno in NO_ROOM:
                self._ballast.release()
            log.error("sealing failed: %s", error)
            return Unavailable(
                f"sealing in {self._folder} failed: {error}",
                hint="it is tried again every few seconds; the log still holds everything",
            )
        except Exception as error:  # whoever waits for this thread must hear of it
            log.exception("sealing failed")
            return Unavailable(
                f"sealing in {self._folder} failed: {type(error).__name__}: {error}",
                hint="this is a flaw in Gemel; the log still holds everything",
            )
        return None

    def _step(self) -> None:
        self._save_checkpoint()
        while not self._stopping and self._seal_some():
            self._tell_progress()
            self._save_checkpoint()
        with self._keeping:
            self._drop_logs()
        self._tell_progress()
        self._expire(fully=False)
        if self._merge_all:
            for part in self._parts():
                for run in neighbours(part):
                    self.merge(run)
            self._expire(fully=True)
            self._merge_all = False
        while not self._stopping:
            run = self._chosen()
            if not run:
                return
            self.merge(run)

    def _parts(self) -> list[list[Segment]]:
        """Neighbours that may become one."""
        return apart(self._views.now.segments, borders(self._followers))

    def _chosen(self) -> list[Segment]:
        """What is to be merged next."""
        rows = self._segment_rows, self._fan_in, self._largest_rows
        return next((run for part in self._parts() if (run := choose(part, *rows))), [])

    def _tell_progress(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _save_checkpoint(self) -> None:
        with self._changed:
            waiting = self._blobs
        if waiting is None:
            return
        with self._keeping:
            self._checkpoints.write(*waiting)
        with self._changed:
            if self._blobs is waiting:
                self._blobs = None

    def _seal_some(self) -> bool:
        """Seals complete log files, small ones together; False when none is left."""
        some: list[Memory] = []
        rows = 0
        ends = borders(self._followers)
        for memory in self._views.now.memories[:-1]:
            if some and (rows + memory.rows > self._segment_rows or some[-1].number in ends):
                break
            some.append(memory)
            rows += memory.rows
        if not some:
            return False
        through = some[-1].number
        with self._keeping:
            self._names.append(self._table, self._views.series_through(through))
            self._rejects.seal(through)
        first = self._views.sealed_through + 1
        revised = frozenset(self._table.revised)
        ordered = Ordered(some)
        path, _ = write_segment(
            self._files,
            self._folder / "segments",
            (first, through),
            self._while_open(ordered.tables(revised)),
            codec=self._codec,
            level=SEAL_LEVEL,
            rolled=ordered.rows_a_series >= ROWS_TO_ROLL,
            light=rows >= self._segment_rows,
            revised=revised,
        )
        self._views.sealed(self._open(path), through)
        return True

    def _while_open(self, tables: Iterator[Table]) -> Iterator[Table]:
        for table in tables:
            if self._stopping:
                raise Interrupted("the history is closing")
            yield table

    def _open(self, path: Path) -> Segment:
        return open_segment(path, self._files, self._damage, self._caches)

    def _drop_logs(self) -> None:
        """Removes log files that nobody needs; damaged ones are put aside to be looked at."""
        through = self._views.sealed_through
        if self._has_checkpoints():
            through = min(through, self._checkpoints.through)
        logs = self._folder / "log"
        written = self._views.now.memories[-1].number
        is_full = self._ballast.is_full  # then whoever follows reads segments
        wanted = written if is_full else wanted_from(self._followers, written)
        unwanted = min(through, wanted - 1)
        for number in log_numbers(logs):
            if number > unwanted:
                break
            path = log_path(logs, number)
            if self._damage.is_worth_keeping(f"log/{path.name}"):
                aside = self._folder / "quarantine"
                aside.mkdir(exist_ok=True)
                self._files.rename(path, aside / path.name)
            else:
                self._files.remove(path)
        self._dropped_through = max(self._dropped_through, unwanted)
        self._done_through = through

    def merge(self, run: list[Segment]) -> None:
        """Makes one segment of neighbours, without what is too old, and removes them.

        One alone is written under the other of the two names that a segment can have.

        Raises:
            Damaged: one of them is; all stay as they are.
        """
        logs = (run[0].first_log, run[-1].last_log)
        keep, revised = self._keep(), frozenset(self._table.revised)
        merge = Merge(run, keep, revised)
        is_alone = len(run) == 1 and run[0].path.suffix == SEALED
        try:
            path, expired = write_segment(
                self._files,
                self._folder / "segments",
                logs,
                merge.tables(lambda: self._stopping),
                codec=self._codec,
                level=MERGE_LEVEL,
                suffix=GONE if is_alone else SEALED,
                keep=keep,
                revised=revised,
                before=merge.before,
            )
        except Damaged as error:
            log.error("segments %s are not merged: %s", logs, error)
            return
        made = self._open(path)
        self._views.merged(run, made)
        expired += merge.expired
        self.expired += expired
        if expired:
            times = min(segment.time_min for segment in run), keep.latest(READINGS)
            self._followers.expired(logs, expired, times)
        self.copies += sum(segment.rows for segment in run) - made.rows - expired
        with self._keeping:
            for segment in run:
                self._files.remove(segment.path)
                segment.forget()
                for rolls in segment.rolls.values():
                    self._files.remove(rolls.path)
                    rolls.forget()

    def _expire(self, *, fully: bool) -> None:
        """Writes segments again without what is too old: where that is half, or `fully` any."""
        if self._keep_from is None:
            return
        keep = self._keep()
        for segment in self._views.now.segments:
            if segment.is_due(keep, fully=fully) and not segment.is_damaged:
                self.merge([segment])

    def _keep(self) -> Keep:
        if self._keep_from is None:
            return KEEP_ALL
        found = self._keep_from()
        return found if isinstance(found, Keep) else keep_all_from(found)

    def compact(self) -> None:
        """Merges all that can be merged, on the sealer's thread; returns when it is done.

        Raises:
            GemelError: it failed; the segments stay as they were.
        """
        with self._changed:
            self._merge_all = True
            self._retry_at = 0.0
            self._asked = True
            before = self._attempts
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: (
                    self._stopping
                    or (self._attempts > before and (not self._merge_all or self.error is not None))
                )
            )
            if self.error is not None:
                raise self.error
