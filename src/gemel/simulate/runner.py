"""An area of the plant in time: paces the physics, keeps each device's connection up."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

from gemel.core.clock import Clock, system_clock
from gemel.core.errors import GemelError
from gemel.simulate.beginning import begin
from gemel.simulate.fault import Fault
from gemel.simulate.floor import AREAS, Floor
from gemel.simulate.link import Connect, DeviceLink

log = logging.getLogger(__name__)
TICK = 1.0
"""Plant seconds between two looks at what is due."""
MOST_BEHIND = 5.0
"""Wall seconds; a run that is further behind gives up catching up."""
FLUSH_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to simulate and how fast."""

    areas: tuple[str, ...] = AREAS
    seed: int = 1
    speed: float = 1.0
    start: int | None = None
    """ns since 1970 UTC; None is now, by the system's clock."""
    duration: float | None = None
    """Plant seconds."""
    past: float = 0.0
    """Plant seconds lived through, without faults, before the beginning; sent first."""
    lived: int = 0
    """Days of wear before that, one reading a day of what wears; sent before all else."""
    faults: tuple[Fault, ...] = ()
    floors: str = ""
    """A file with the floor of every second of that time, for an area that is not alone."""
    begun: float | None = None
    """Reading of the monotonic clock when the whole plant began, for an area that starts anew."""
    host: str = "127.0.0.1"
    port: int = 1883
    token: str = field(default="", repr=False)


@dataclass(slots=True)
class Tally:
    """What a run did."""

    messages: int = 0
    waiting: int = 0
    dropped: int = 0
    seconds: float = 0.0


class Runner:
    """Runs areas in one event loop until told to stop."""

    def __init__(
        self, plan: Plan, floor: Floor, connect: Connect, clock: Clock = system_clock
    ) -> None:
        self.plan = plan
        self.floor = floor
        self._clock = clock
        self._start_ns = clock() if plan.start is None else plan.start
        found = begin(plan, floor, self._start_ns)
        self.area = found.area
        self.links = [DeviceLink(self.area, device, connect) for device in self.area.devices]
        for link in self.links:
            link.set_time(self.time_ms)
            link.tell_the_past(found.past.get(link.device.name, ()))
        self._failed: asyncio.Future[None] | None = None
        self._changes: dict[str, asyncio.Task[None]] = {}
        self._due = dict.fromkeys((device.name for device in self.area.devices), 0.0)
        self._is_live = plan.speed == 1.0 and plan.start is None

    def time_ms(self) -> int:
        """The devices' clock: the system's when the plant is live, else that of the plant."""
        if self._is_live:
            return self._clock() // 1_000_000
        return (self._start_ns + round(self.area.elapsed * 1e9)) // 1_000_000

    async def run(self, stop: asyncio.Event) -> Tally:
        """Runs until `stop` is set or the duration is over.

        Raises:
            GemelError: a device can never connect (a bad token, say).
        """
        loop = asyncio.get_running_loop()
        self._failed = loop.create_future()
        begun = loop.time()
        if self.plan.begun is not None and begun > self.plan.begun:
            # An area that starts anew finds the faults where the rest of the plant has them.
            self.area.elapsed = (begun - self.plan.begun) * self.plan.speed
            self.area.start -= self.area.elapsed if self._is_live else 0.0
        try:
            await self._pace(stop)
            await self._flush()
        finally:
            for change in self._changes.values():
                change.cancel()
            await asyncio.gather(*self._changes.values(), return_exceptions=True)
            closing = [link.down() for link in self.links if link.is_up]
            await asyncio.gather(*closing, return_exceptions=True)
            self._failed.cancel()
        boxes = [link.outbox for link in self.links]
        for link in self.links:
            if link.outbox.refusal is not None:
                log.warning("%s: %s", link.device.name, link.outbox.refusal)
        return Tally(
            sum(b.acknowledged for b in boxes),
            sum(len(b) for b in boxes),
            sum(b.dropped for b in boxes),
            self.area.elapsed,
        )

    async def _pace(self, stop: asyncio.Event) -> None:
        """Steps the plant by the clock on the wall."""
        loop = asyncio.get_running_loop()
        speed = self.plan.speed
        base, offset = loop.time(), self.area.elapsed
        ends = None if self.plan.duration is None else offset + self.plan.duration
        stopped = asyncio.create_task(stop.wait())
        assert self._failed is not None, "run sets it"
        try:
            while not stopped.done() and (ends is None or self.area.elapsed < ends - 1e-9):
                self._mind_links()
                self.area.advance(TICK)
                self._publish()
                late = loop.time() - (base + (self.area.elapsed - offset) / speed)
                if late > MOST_BEHIND:
                    log.warning("%.1f s behind: this machine cannot run so fast", late)
                    base += late
                watched: list[asyncio.Future[Any]] = [stopped, self._failed]
                await asyncio.wait(
                    watched,
                    timeout=max(0.0, -late),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if self._failed.done():
                    self._failed.result()
        finally:
            stopped.cancel()

    def _publish(self) -> None:
        now = self.area.elapsed
        for link in self.links:
            name = link.device.name
            if now >= self._due[name] - 1e-6:
                self._due[name] = now + link.device.interval
                link.publish()

    async def _flush(self) -> None:
        waiting = [link.outbox.emptied() for link in self.links if link.device.linked]
        try:
            await asyncio.wait_for(asyncio.gather(*waiting), FLUSH_SECONDS)
        except TimeoutError:
            left = sum(len(link.outbox) for link in self.links)
            log.warning("%d messages were not confirmed before the end", left)

    def _mind_links(self) -> None:
        """Brings each connection to what it should be: up, or broken on purpose."""
        for link in self.links:
            task = self._changes.get(link.device.name)
            if link.device.linked != link.is_up and (task is None or task.done()):
                self._changes[link.device.name] = asyncio.create_task(self._change(link))
            elif not link.device.linked and task is not None and not link.is_ready:
                task.cancel()

    async def _change(self, link: DeviceLink) -> None:
        if not link.device.linked:
            await link.down(is_lost=True)
            return
        try:
            await link.up()
        except GemelError as error:
            await link.down()
            if error.retry:
                log.warning("%s: %s", link.device.name, error)
            else:
                self._fail(error)

    def _fail(self, error: GemelError) -> None:
        if self._failed is not None and not self._failed.done():
            self._failed.set_exception(error)
