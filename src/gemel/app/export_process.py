"""An export's process: `python -m gemel.app.export_process` copies readings out until it is ended.

It reads the history's files itself, so the server has nothing to do with what goes out. The server
tells it on standard input, as JSON lines: first the job, then how much is durable, and what series
are called. It tells what is done on standard output, and ends with its server: standard input
closes then.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from gemel.core.batch import Batch, join
from gemel.core.document import Json
from gemel.core.errors import GemelError, Unavailable
from gemel.core.series import SeriesKey
from gemel.exports.documents import HttpTarget
from gemel.exports.influx import InfluxTarget
from gemel.exports.names import Names
from gemel.exports.postgres import PostgresTarget
from gemel.exports.settings import (
    KINDS,
    Export,
    HttpExport,
    InfluxExport,
    PostgresExport,
)
from gemel.exports.target import Delivery, Refusal, Target
from gemel.exports.thin import Thinner
from gemel.history import Follower, Position

NICENESS = 5
ROWS_A_WRITE = 20_000
MOST_ASKED = 1_000
"""Series of one question: the server answers it on its loop."""
MOST_PARTS = 64
"""Of the history that are read until it is told how far, be nothing of them wanted."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
MOST_TOLD = 3
"""Refusals of one write that are told; all are counted."""


class Channel:
    """The server, as this process sees it. One thread listens."""

    def __init__(self, taken: int, told: int) -> None:
        self._lines = os.fdopen(taken, "rb")
        self._told = told
        self._changed = threading.Condition()
        self._answers: deque[list[Any]] = deque()
        self._forget = False
        self.durable = (0, 0)

    def job(self) -> Json:
        """The first line; what follows is listened to from then on."""
        found: Json = orjson.loads(self._lines.readline())
        self.durable = tuple(found["durable"])
        threading.Thread(target=self._listen, daemon=True).start()
        return found

    def _listen(self) -> None:
        try:
            for line in self._lines:
                self._hear(orjson.loads(line))
        finally:
            os._exit(0)  # the server has gone, or wants this to end

    def _hear(self, said: Json) -> None:
        with self._changed:
            if "durable" in said:
                self.durable = tuple(said["durable"])
            if "series" in said:
                self._answers.append(said["series"])
            self._forget |= "forget" in said
            self._changed.notify_all()

    def wait_beyond(self, durable: tuple[int, int]) -> None:
        """Until more is durable."""
        with self._changed:
            self._changed.wait_for(lambda: self.durable != durable)

    def pause(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: False, seconds)

    def has_changed_selection(self) -> bool:
        """Whether another selection holds since this was last asked."""
        with self._changed:
            found, self._forget = self._forget, False
            return found

    def ask(self, numbers: Sequence[int]) -> Iterator[tuple[int, SeriesKey | None]]:
        """What series are called, from the server."""
        for at in range(0, len(numbers), MOST_ASKED):
            self.say({"ask": list(numbers[at : at + MOST_ASKED])})
            with self._changed:
                self._changed.wait_for(lambda: bool(self._answers))
                found = self._answers.popleft()
            for number, *key in found:
                yield number, SeriesKey(*key) if key else None

    def say(self, document: Json) -> None:
        data = memoryview(orjson.dumps(document) + b"\n")
        while data:
            data = data[os.write(self._told, data) :]


def make_target(of: Export, names: Names) -> Target:
    """Where an export goes.

    Raises:
        Unavailable: a library or a file that it needs is not there.
    """
    match of:
        case InfluxExport():
            return InfluxTarget(of, names)
        case PostgresExport():
            return PostgresTarget(of, names)
        case HttpExport():
            return HttpTarget(of, names)


class Exporter:
    """Follows the history and delivers, for good."""

    def __init__(self, channel: Channel, job: Json) -> None:
        self._channel = channel
        self._of = KINDS[job["kind"]](**{n: _value(v) for n, v in job["export"].items()})
        self._names = Names(channel.ask)
        position = Position(*job["position"])
        self._follower = Follower(Path(job["folder"]), position, job["since"])
        self._thinner = Thinner(self._of.every)
        self._delivery: Delivery | None = None

    def run(self) -> None:
        """Never ends by itself."""
        self._open()
        while True:
            durable = self._channel.durable
            if not self._step(durable):
                self._channel.wait_beyond(durable)

    def _step(self, durable: tuple[int, int]) -> bool:
        """Reads enough for a write and delivers it; False where there is nothing."""
        if self._channel.has_changed_selection():
            self._names.forget()
        before, batches, rows, received = self._follower.position, [], 0, 0
        for _ in range(MOST_PARTS):
            part = self._follower.read(durable) if rows < ROWS_A_WRITE else None
            if part is None:
                break
            batch = self._thinner.passing(self._names.selected(part.batch))
            received = max(received, part.received)
            if len(batch):
                batches.append(batch)
                rows += len(batch)
        self._tell_damage()
        if self._follower.position == before:
            return False
        for some in pieces(batches):
            self._deliver(some)
        self._done(rows, received)
        return True

    def _open(self) -> None:
        """Waits for the target, so that what is wrong is told before anything comes."""

        def call() -> None:
            target = make_target(self._of, self._names)
            target.check()
            self._delivery = Delivery(target)

        self._until_done(call)
        self._done(0, 0)

    def _deliver(self, batch: Batch) -> None:
        """Until it is taken, however long that takes."""
        refused: list[Refusal] = []

        def call() -> None:
            assert self._delivery is not None
            refused.extend(self._delivery.write(batch))

        self._until_done(call)
        if refused:
            count = sum(one.readings for one in refused)
            why = "; ".join(dict.fromkeys(one.why for one in refused[:MOST_TOLD]))
            self._channel.say({"refused": count, "why": why[:1_000]})

    def _until_done(self, call: Callable[[], None]) -> None:
        wait = FIRST_WAIT
        while True:
            try:
                call()
            except Unavailable as error:
                self._channel.say({"problem": error.message, "hint": error.hint})
                self._channel.pause(wait)
                wait = min(2 * wait, LONGEST_WAIT)
            else:
                return

    def _done(self, rows: int, received: int) -> None:
        position = list(self._follower.position)
        self._channel.say({"position": position, "rows": rows, "received": received})

    def _tell_damage(self) -> None:
        for one in self._follower.damage():
            self._channel.say({"damage": str(one)})


def pieces(batches: Sequence[Batch]) -> Iterable[Batch]:
    """Batches together, and again in pieces of at most as many rows as one write has."""
    if not batches:
        return
    whole = join(batches)
    if len(whole) <= 2 * ROWS_A_WRITE:
        yield whole
        return
    for at in range(0, len(whole), ROWS_A_WRITE):
        yield whole.take(np.arange(at, min(at + ROWS_A_WRITE, len(whole))))


def _value(found: Any) -> Any:
    return tuple(found) if isinstance(found, list) else found


def main() -> int:
    taken, told = os.dup(0), os.dup(1)
    os.dup2(2, 1)  # what libraries print goes to the log
    os.nice(NICENESS)  # the live loop goes first
    channel = Channel(taken, told)
    try:
        Exporter(channel, channel.job()).run()
    except GemelError as error:
        channel.say({"ended": error.message, "hint": error.hint})
    except Exception as error:  # noqa: BLE001 - whatever it is, the export says so
        traceback.print_exc()
        channel.say({"ended": f"{type(error).__name__}: {error}", "hint": "the log has the place"})
    return 1


if __name__ == "__main__":
    sys.exit(main())
