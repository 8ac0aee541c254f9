"""The face of the history: append, read, seal, check. Everything else here is behind it.

Order of promises: rows of an `append` are written and synced, then readable, then `then` runs.
`append` and `then` keep one order. See docs/formats/history.md for the checkpoint contract.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from gemel.core.batch import Batch, Reject
from gemel.core.errors import InvalidInput, Unavailable
from gemel.core.series import SeriesTable
from gemel.history.ballast import NO_ROOM, Ballast
from gemel.history.cache import BlockCache, Caches
from gemel.history.checkpoints import Checkpoints
from gemel.history.codec import Codec
from gemel.history.damage import Damage, DamageList
from gemel.history.files import Files
from gemel.history.followers import Followers
from gemel.history.keep import Keep
from gemel.history.log import LogFile, log_numbers, read_log
from gemel.history.memory import Memory
from gemel.history.names import Names
from gemel.history.opening import (
    check_files,
    load_logs,
    load_segments,
    name_the_rest,
    prepare,
)
from gemel.history.payload import Stack, unstack
from gemel.history.reader import Reader
from gemel.history.rejects import Rejects
from gemel.history.sealer import Sealer
from gemel.history.snapshot import link_all
from gemel.history.statistics import Statistics
from gemel.history.view import Views
from gemel.history.writer import Hooks, Limits, Notify, Then, Waiting, Writer, tell

ROW_BYTES = 21
log = logging.getLogger("gemel.history")


def call_at_once(call: Callable[[], None]) -> None:
    call()


class History(Reader):
    """All readings and rejects, in one folder that one process at a time has open.

    Args:
        folder: is made if missing.
        series: filled with the numbers of before; give it empty.
        notify: runs a call where the caller wants it (such as `loop.call_soon_threadsafe`), in the
            order given, one at a time.
        on_seal: gives the state after all batches whose `then(None)` has run; called through
            `notify`. May be set later, but before the first append.
        segment_rows: a log file with so many readings is sealed.
        log_bytes: or with so many bytes.
        seal_seconds: or so long after its first reading.
        pending_bytes: more than this may not wait for the disk.
        ballast_bytes: room set aside for sealing when the disk is full; 0 for none, None for
            what is there.
        fan_in: so many neighbouring segments of one size are merged into one.
        largest_rows: segments of this size are not merged further.
        reject_bytes: of rejects the newest so many bytes (compressed) are kept; all are counted.
        cache_rows: decoded readings kept for the next query.
        index_bytes: of indexes of segments kept for the next query; a segment of 50,000 series has
            2 MB of them, with its roll-ups.
        codec: of sealed columns: PCODEC, or PLANES where only zstd is at hand.
        keep_from: gives the time (ns since 1970 UTC) before which readings are too old to be kept,
            or such times for each series, its minutes and its hours. Segments of which half is
            too old are written again without it, and merging leaves it out. None: for ever.
        followers: who reads the files from other processes, if anybody does.
        files: the disk; tests give one that fails.

    Raises:
        Unavailable: another process has it open, or there is no room for a log file.
    """

    def __init__(
        self,
        folder: Path,
        series: SeriesTable,
        *,
        notify: Notify = call_at_once,
        on_seal: Callable[[], Mapping[str, bytes]] | None = None,
        segment_rows: int = 2_000_000,
        log_bytes: int = 128 << 20,
        seal_seconds: float = 3600.0,
        pending_bytes: int = 256 << 20,
        ballast_bytes: int | None = 64 << 20,
        fan_in: int = 16,
        largest_rows: int = 32_000_000,
        reject_bytes: int = 256 << 20,
        cache_rows: int = 1_000_000,
        index_bytes: int = 128 << 20,
        codec: Codec = Codec.PCODEC,
        keep_from: Callable[[], int | Keep] | None = None,
        followers: Followers | None = None,
        files: Files | None = None,
    ) -> None:
        self.folder = folder
        self.series = series
        self.on_seal = on_seal
        self._notify = notify
        self._files = files if files is not None else Files()
        self._damage = DamageList()
        self._caches = Caches(
            BlockCache(cache_rows), BlockCache(cache_rows // 4), BlockCache(index_bytes)
        )
        self._closed = False
        self._lock = self._prepare()
        try:
            self._load(reject_bytes)
            self._ballast = Ballast(folder, self._files, ballast_bytes)
            self._writer = Writer(
                folder / "log",
                self._files,
                series,
                self._first_log(),
                Limits(segment_rows, log_bytes, seal_seconds, pending_bytes),
                self._ballast,
                Hooks(self._stored, self._rotated),
                notify,
            )
        except OSError as error:
            self._files.close(self._lock)
            raise cannot_open(folder, error) from error
        except BaseException:
            self._files.close(self._lock)
            raise
        self._sealer = Sealer(
            folder,
            self._files,
            series,
            self._views,
            (self._names, self._rejects, self._checkpoints),
            self._damage,
            self._caches,
            self._ballast,
            segment_rows=segment_rows,
            fan_in=fan_in,
            largest_rows=largest_rows,
            codec=codec,
            has_checkpoints=lambda: self.on_seal is not None,
            keep_from=keep_from,
            followers=followers,
        )
        self._sealer.start()

    def _prepare(self) -> int:
        try:
            return prepare(self.folder, self._files)
        except OSError as error:
            raise cannot_open(self.folder, error) from error

    def _load(self, reject_bytes: int) -> None:
        folder, files, damage = self.folder, self._files, self._damage
        self._names = Names(folder, files)
        self._names.load(self.series, damage)
        segments = load_segments(folder / "segments", files, damage, self._caches)
        self._views = Views(segments, ())
        self._checkpoints = Checkpoints(folder / "checkpoints", files)
        self._checkpoints.load(damage)
        self._rejects = Rejects(folder / "rejects", files, damage, reject_bytes)
        self._rejects.load(self._views.sealed_through)
        loaded = load_logs(folder / "log", files, damage, self.series, self._views.sealed_through)
        self._sequence = loaded.next_sequence
        for memory, rejects in loaded.logs:
            self._views.add(memory)
            self._rejects.take(memory.number, rejects)
        name_the_rest(self.series, self._views.now)
        for memory in self._views.now.memories:
            self._views.complete(memory.number, len(self.series))
        self._complete_logs = {
            int(path.stem): path.stat().st_size for path in _there(folder / "log", "*.wal")
        }
        self._replayable = [n for n in log_numbers(folder / "log") if n > self._checkpoints.through]

    def _first_log(self) -> LogFile:
        folder = self.folder / "log"
        numbers = [*log_numbers(folder), self._views.sealed_through, self._checkpoints.through]
        number = max(numbers) + 1
        self._views.add(Memory(number))
        try:
            return LogFile(folder, self._files, number, self._sequence)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
        self._ballast.release()  # enough for reading and sealing
        return LogFile(folder, self._files, number, self._sequence)

    def append(
        self, batch: Batch, rejects: Sequence[Reject] = (), then: Then | None = None
    ) -> None:
        """Queues readings and rejects; never waits for the disk.

        `then(None)` runs through `notify` once they are durable and readable; `then(error)` if they
        are not stored: Unavailable (disk full, too much waiting, failed, closed), InvalidInput (a
        series that the SeriesTable does not have).

        Raises:
            InvalidInput: the columns do not belong together.
        """
        check_shapes(batch)
        size = 64 + len(batch) * ROW_BYTES
        if batch.text:
            size += sum(map(len, batch.text.values()))
        if rejects:
            size += sum(200 + len(reject.raw) for reject in rejects)
        self._writer.submit(Waiting(batch, rejects, then, size))

    def _stored(self, number: int, stacks: Sequence[Stack], rejects: Sequence[Reject]) -> None:
        memory = self._views.now.memories[-1]
        for readings in stacks:
            memory.append(readings)
        if rejects:
            self._rejects.add(number, rejects)

    def _rotated(self, complete: int, size: int, following: int, series: int) -> None:
        dropped = self._sealer.dropped_through
        kept = {n: held for n, held in self._complete_logs.items() if n > dropped}
        self._complete_logs = {**kept, complete: size}  # another one: somebody may be reading it
        self._views.complete(complete, series)
        self._views.add(Memory(following))
        if self.on_seal is not None:
            tell(self._notify, partial(self._take_checkpoint, complete))
        self._sealer.wake()

    def _take_checkpoint(self, through: int) -> None:
        """Runs where `then` runs, after those of log file `through` and before all later ones."""
        if self.on_seal is None:
            return
        try:
            blobs = dict(self.on_seal())
        except Exception:
            log.exception("no checkpoint was taken: on_seal failed")
            return
        self._sealer.checkpoint(through, blobs)

    @property
    def pending_bytes(self) -> int:
        """What waits for the disk; callers slow their senders down by it."""
        return self._writer.pending_bytes

    def durable(self) -> tuple[int, int]:
        """The log file that is written, and how many bytes of it are on disk."""
        return self._writer.durable

    def replay(self) -> Iterator[Batch]:
        """Batches that were in the log after the checkpoint when this was opened, in order.

        Call it before the first append: sealing removes log files.
        """
        for number in self._replayable:
            for _, entry in read_log(self.folder / "log", number, self._files, self._damage):
                if isinstance(entry, Stack):
                    yield from unstack(entry)

    def checkpoint(self) -> None:
        """Asks `on_seal` for the state after what was replayed, so that it is not replayed again.

        Call it where `notify` runs its calls, after the replay and before the first append; the log
        files that were found are then sealed. If nothing was replayed, it is asked only if no
        checkpoint could be read: the state was then looked up in the segments.
        """
        if self._replayable:
            self._take_checkpoint(self._replayable[-1])
        elif not self._checkpoints.through and self._views.sealed_through:
            self._take_checkpoint(self._views.sealed_through)

    def checkpoints(self) -> dict[str, bytes]:
        """The blobs that were there when this was opened; replay goes on exactly behind them.

        They are forgotten when `on_seal` has given others.
        """
        return dict(self._checkpoints.blobs)

    def seal(self, *, wait: bool = True) -> None:
        """Starts a new log file and seals the ones before.

        With `wait` it returns when that is done; then it must not be called where `notify` runs its
        calls if `on_seal` is set, for `on_seal` is waited for.

        Raises:
            GemelError: it failed; the log still holds everything.
        """
        through = self._writer.rotate()
        self._sealer.wake()
        if wait:
            self._sealer.wait(through)

    def complete(self) -> None:
        """Completes the log file, so that the next start replays nothing. Call it before `close`.

        `on_seal` is asked for the state, which `close` stores; so do not call this where `notify`
        runs its calls. Nothing is sealed from now on: that would hold up the end.

        Raises:
            GemelError: it cannot be completed; a start replays it.
        """
        self._sealer.stop()
        self._writer.rotate()

    def compact(self) -> None:
        """Merges sealed segments into one and drops copies; waits for it."""
        self._sealer.compact()

    def expire(self) -> None:
        """Looks for readings that have become too old; sealing does it too. Does not wait."""
        self._sealer.wake()

    def snapshot(self, target: Path) -> None:
        """Fills an empty folder with all that is stored now, as an opened history would find it.

        Files that never change get a second name (no room, no time); what is appended while this
        runs is not in it. Waits for the log, not for sealing or merging.

        Raises:
            Unavailable: the log cannot be completed (disk full, failed, closed).
            OSError: the folder cannot be written.
        """
        self._writer.rotate()
        with self._sealer.keeping():
            link_all(self.folder, target, self._files, self._writer.number)

    def close(self) -> None:
        """Writes what waits, runs its callbacks, and lets the folder go. May be called twice."""
        if self._closed:
            return
        self._closed = True
        self._writer.stop()
        self._sealer.close()
        self._files.close(self._lock)

    def rejects(self, twin: str | None, limit: int) -> list[Reject]:
        """The newest first; of one twin, or of all with None."""
        return self._rejects.newest(twin, limit)

    def reject_counts(self, twin: str | None = None) -> dict[str, int]:
        """How many of each reason since the history began, those forgotten since too."""
        return self._rejects.counts(twin)

    def statistics(self) -> Statistics:
        view = self._views.now
        unsealed = sum(memory.rows for memory in view.memories)
        logs = self._log_sizes()
        state, reason = self._state()
        return Statistics(
            state=state,
            reason=reason,
            readings=unsealed + sum(segment.rows for segment in view.segments),
            unsealed=unsealed,
            expired=self._sealer.expired,
            copies=self._sealer.copies,
            rejects=sum(self._rejects.counts(None).values()),
            series=len(self.series),
            segments=len(view.segments),
            log_files=len(logs),
            log_bytes=sum(logs),
            segment_bytes=sum(segment.bytes for segment in view.segments),
            rollup_bytes=sum(r.bytes for s in view.segments for r in s.rolls.values()),
            names_bytes=self._names.bytes,
            checkpoint_bytes=self._checkpoints.bytes,
            pending_bytes=self._writer.pending_bytes,
            commits=self._writer.commits,
            commit_seconds=self._writer.commit_seconds,
            sealing=str(self._sealer.error or ""),
            damage=tuple(self._damage),
        )

    def _log_sizes(self) -> list[int]:
        """Bytes of each log file there is, from memory: `statistics` never waits for the disk."""
        dropped = self._sealer.dropped_through
        complete = self._complete_logs
        return [*(size for n, size in complete.items() if n > dropped), self._writer.log_bytes]

    def _state(self) -> tuple[str, str]:
        if self._closed:
            return "closed", "it was closed"
        if self._writer.failure is not None:
            return "failed", str(self._writer.failure)
        if self._ballast.is_full:
            return "full", str(self._ballast.refusal())
        return "ok", ""

    def check(self) -> list[Damage]:
        """Reads every byte afresh and names all damage; may take long, and works while writing."""
        check_files(self.folder, self._files, self._damage, self._writer.number)
        for segment in self._views.now.segments:
            if self._closed:
                raise Unavailable("the history is closed", hint="check it when it is open")
            with suppress(FileNotFoundError):  # merged into a larger one meanwhile
                segment.verify()
                for rolls in segment.rolls.values():
                    rolls.verify()
        self._rejects.verify()
        return list(self._damage)


def _there(folder: Path, pattern: str) -> list[Path]:
    return [path for path in folder.glob(pattern) if path.exists()]


def cannot_open(folder: Path, error: OSError) -> Unavailable:
    full = error.errno in NO_ROOM
    what = "its disk is full" if full else str(error)
    return Unavailable(
        f"the history in {folder} cannot be opened: {what}",
        hint="free some room" if full else "look at the folder's owner, rights and disk",
    )


def check_shapes(batch: Batch) -> None:
    """Raises InvalidInput unless the columns belong together."""
    rows = len(batch.series)
    if not rows == len(batch.time) == len(batch.value) == len(batch.quality):
        shapes = (len(batch.series), len(batch.time), len(batch.value), len(batch.quality))
        raise InvalidInput(f"the columns of a batch have different lengths: {shapes}")
    if batch.text and not (min(batch.text) >= 0 and max(batch.text) < rows):
        raise InvalidInput("a batch has text for rows that it does not have")
