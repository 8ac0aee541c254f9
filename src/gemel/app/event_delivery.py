"""The work for one endpoint: events leave it in order, and stay until they are taken or refused.

Changes of twins are read from the table of edits, behind the cursor; telemetry waits in memory,
bounded in number and bytes. A batch is on its way at a time: the cursor moves over it when all of
it is settled, so what waits elsewhere is the concern of this task alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from gemel.core.clock import Clock, to_iso
from gemel.core.cloud_event import CloudEvent, Fate
from gemel.core.document import Json
from gemel.core.errors import GemelError
from gemel.core.ports import EventSender

log = logging.getLogger("gemel.events")
MOST_WAITING = 10_000
MOST_WAITING_BYTES = 64 << 20
"""Telemetry events of one endpoint."""
BATCH_BYTES = 4 << 20
FIRST_SECONDS = 1.0
SLOWEST_SECONDS = 300.0
MOST_DROPS = 20
"""Of the events that were dropped last, so many are shown."""

Page: TypeAlias = Sequence[tuple[int, CloudEvent | None]]
"""Edits in order: their number, and what the endpoint is to be told, if anything."""
Make: TypeAlias = Callable[[Callable[[str], None]], Awaitable[EventSender]]


class Delivery:
    """What one endpoint is told, and how far that is.

    Args:
        name: of the endpoint.
        cursor: the number of the last edit that was settled.
        make: makes the sender, given whom to tell what keeps events from being taken.
        read: the next edits behind a number.
        moved: called when the cursor has moved.
        clock: wall clock in ns.
    """

    def __init__(
        self,
        name: str,
        cursor: int,
        *,
        make: Make,
        read: Callable[[int], Awaitable[Page]],
        moved: Callable[[], None],
        clock: Clock,
    ) -> None:
        self.name = name
        self.cursor = cursor
        self._make = make
        self._read = read
        self._moved = moved
        self._clock = clock
        self._wake = asyncio.Event()
        self._has_changes = True
        self._telemetry: deque[CloudEvent] = deque()
        self._telemetry_bytes = 0
        self._sending = 0
        self.delivered = 0
        self.dropped = 0
        self.drops: deque[Json] = deque(maxlen=MOST_DROPS)
        self.last_error = ""
        self.is_failing = False
        """Whether the other side does not take events now."""
        self._task: asyncio.Task[None] | None = None

    # ---- from outside --------------------------------------------------------------------

    def begin(self, make: Make | None = None) -> None:
        """Begins to deliver; again, with what `make` now says, once what ran has ended."""
        self._make = make or self._make
        before = self._task
        if before is not None:
            before.cancel()
        self._task = asyncio.get_running_loop().create_task(self._run(before))

    def end(self) -> asyncio.Task[None] | None:
        """Ends it; the task that is to be waited for."""
        if self._task is not None:
            self._task.cancel()
        return self._task

    def changed(self) -> None:
        """There are edits of twins that were not read yet."""
        self._has_changes = True
        self._wake.set()

    def offer(self, event: CloudEvent) -> None:
        """Takes a telemetry event; where too many wait, the oldest is dropped."""
        self._telemetry.append(event)
        self._telemetry_bytes += event.size
        while (
            len(self._telemetry) > MOST_WAITING or self._telemetry_bytes > MOST_WAITING_BYTES
        ) and len(self._telemetry) > 1:
            self._telemetry_bytes -= self._telemetry.popleft().size
            self.dropped += 1
        self._wake.set()

    @property
    def telemetry_waiting(self) -> int:
        """Telemetry events that are not settled."""
        return len(self._telemetry) + self._sending

    # ---- the loop ------------------------------------------------------------------------

    async def _run(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await _over(before)
        while True:
            try:
                await self._work()
            except Exception as error:  # one endpoint must not end for ever
                log.exception("events for '%s' wait", self.name)
                self._trouble(repr(error))
                await asyncio.sleep(SLOWEST_SECONDS)

    async def _work(self) -> None:
        sender = await self._open()
        self._has_changes = True
        try:
            while True:
                self._wake.clear()
                if self._has_changes:
                    self._has_changes = False
                    await self._tell_changes(sender)
                if self._telemetry:
                    await self._tell_telemetry(sender)
                else:
                    await self._wake.wait()
        finally:
            await sender.close()

    async def _open(self) -> EventSender:
        pauses = _pauses()
        while True:
            try:
                return await self._make(self._told)
            except GemelError as error:
                self._trouble(str(error))
            await asyncio.sleep(next(pauses))

    async def _tell_changes(self, sender: EventSender) -> None:
        while found := await self._read(self.cursor):
            for batch in _batches(found, sender.most):
                await self._settle(sender, [event for _, event in batch if event is not None])
                self.cursor = batch[-1][0]
                self._moved()

    async def _tell_telemetry(self, sender: EventSender) -> None:
        """Sends one batch; what is not settled when this ends goes back to its place."""
        batch: list[CloudEvent] = []
        size = 0
        while self._telemetry and len(batch) < sender.most and size < BATCH_BYTES:
            batch.append(self._telemetry.popleft())
            size += batch[-1].size
        self._telemetry_bytes -= size
        left = batch
        self._sending = len(batch)
        try:
            left = await self._settle(sender, batch)
        finally:
            self._sending = 0
            self._telemetry.extendleft(reversed(left))
            self._telemetry_bytes += sum(event.size for event in left)

    async def _settle(self, sender: EventSender, events: list[CloudEvent]) -> list[CloudEvent]:
        """Sends until each event is taken or refused for good; what is left of them: nothing."""
        left, pauses = events, _pauses()
        while left:
            fates = await sender.send(left)
            left, pause = self._count(left, fates)
            if left:
                await asyncio.sleep(max(next(pauses), pause))
        return left

    def _count(
        self, events: Sequence[CloudEvent], fates: Sequence[Fate]
    ) -> tuple[list[CloudEvent], float]:
        """Takes in what became of events; those to be sent again, and after which pause."""
        left: list[CloudEvent] = []
        taken, pause, why = 0, 0.0, ""
        for event, fate in zip(events, fates, strict=True):
            if not fate.is_settled:
                left.append(event)
                pause, why = max(pause, fate.pause), why or fate.why
            elif fate.why:
                self._drop(event, fate.why)
            else:
                taken += 1
        self.delivered += taken
        if left:
            self._trouble(why)
        elif taken:
            self._is_well()
        return left, pause

    # ---- how it is -----------------------------------------------------------------------

    def _drop(self, event: CloudEvent, why: str) -> None:
        said = event.attributes
        self.dropped += 1
        self.drops.append(
            {
                "time": to_iso(self._clock()),
                "id": said["id"],
                "type": said["type"],
                "subject": said["subject"],
                "why": why,
            }
        )
        log.warning(
            "event %s (%s of '%s') for '%s' is dropped: %s",
            *(said["id"], said["type"], said["subject"], self.name, why),
        )
        self.last_error = f"{to_iso(self._clock())} {why}"

    def _told(self, why: str) -> None:
        if why:
            self._trouble(why)
        else:
            self._is_well()

    def _trouble(self, why: str) -> None:
        if not self.is_failing:
            self.is_failing = True
            log.warning("events for '%s' are not delivered: %s", self.name, why)
        self.last_error = f"{to_iso(self._clock())} {why}"

    def _is_well(self) -> None:
        if self.is_failing:
            self.is_failing = False
            log.warning("events for '%s' are delivered again", self.name)
        self.last_error = ""


async def _over(task: asyncio.Task[None]) -> None:
    """Waits until a task that was cancelled is over, even if we are cancelled ourselves."""
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _pauses() -> Iterator[float]:
    """1, 2, 4 ... 300 s, for ever."""
    seconds = FIRST_SECONDS
    while True:
        yield seconds
        seconds = min(seconds * 2, SLOWEST_SECONDS)


def _batches(page: Page, most: int) -> Iterable[Page]:
    """A page in parts of so many events, and of so many bytes."""
    begin, count, size = 0, 0, 0
    for place, (_, event) in enumerate(page, 1):
        if event is not None:
            count += 1
            size += event.size
        if count >= most or size >= BATCH_BYTES:
            yield page[begin:place]
            begin, count, size = place, 0, 0
    if begin < len(page):
        yield page[begin:]
