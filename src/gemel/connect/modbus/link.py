"""The link to Modbus devices: registers are read for good, and what cannot be read is told.

Each request reads neighbours (`blocks`), when its period is over; a device that is slower than
its periods is read as fast as it goes. A refused request is parted until it is known which
registers the device does not have. A device that does not answer is asked less and less often,
and keeps others behind the same address from nothing; where none answers, the connection is made
anew.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
from collections.abc import Callable, Mapping
from typing import Any

from gemel.connect.delivery import Delivery
from gemel.connect.modbus.blocks import Block, Point, blocks_of
from gemel.connect.modbus.codec import (
    ACKNOWLEDGED,
    BUSY,
    FAILURE,
    ILLEGAL_ADDRESS,
    ILLEGAL_FUNCTION,
    ILLEGAL_VALUE,
    NO_PATH,
    NO_TARGET,
    Denied,
)
from gemel.connect.modbus.describe import described, listed
from gemel.connect.modbus.exchange import Exchange, Silence
from gemel.connect.modbus.settings import ModbusConnection
from gemel.connect.modbus.units import Unit, silent_words, units_of
from gemel.connect.modbus.writing import Writable, written
from gemel.core.access import Principal
from gemel.core.clock import Clock
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.core.message import DONE, REFUSED, Outcome, Sample, Samples
from gemel.core.ports import Intake
from gemel.core.quality import Quality

FIRST_WAIT, LONGEST_WAIT = 0.5, 15.0
"""Seconds between attempts to connect; it doubles from the one to the other."""
REFUSED_EVERY = 60.0
"""Seconds until a register that the device does not have is asked for again."""
MOST_PROBLEMS = 20
CLOSING = 3.0
TURNS = 2
"""Times the timeout, that a write may wait for its turn: it is not to come when it is late."""
DURABLE = 10.0
"""Seconds that what was read behind a write may take to be on disk."""


class ModbusLink:
    """Reads registers and feeds `Intake.accept`.

    Args:
        name: of the connector: the first level of topics.
        settings: where, and what.
        intake: the platform.
        who: in whose name values come in.
        clock: wall clock in ns.
        on_state: called with "connecting", "connected" or "failing", and why.
    """

    def __init__(
        self,
        name: str,
        settings: ModbusConnection,
        intake: Intake,
        who: Principal,
        clock: Clock,
        on_state: Callable[[str, str], None],
    ) -> None:
        self._name = name
        self._settings = settings
        self._intake = intake
        self._who = who
        self._clock = clock
        self._tell = on_state
        self._delivery = Delivery(intake, on_state, self._say)
        self._points = [Point(one, one.topic(name)) for one in settings.map()]
        self._units = units_of(self._points)
        self._writable = Writable(self._points)
        self._blocks: set[Block] = set()
        self._queue: list[tuple[float, int, Block]] = []
        self._count = itertools.count()
        self._news = asyncio.Event()
        self._exchange: Exchange | None = None
        self._is_connected = False
        self._late = 0
        self._answer_time = 0.0
        self._task: asyncio.Task[None] | None = None

    @property
    def accepted(self) -> int:
        return self._delivery.accepted

    @property
    def refused(self) -> int:
        return self._delivery.refused

    def facts(self) -> Json:
        problems = [
            f"{one.register.place} ({one.topic}/{one.register.name}): {one.problem}"
            for one in self._points
            if one.problem
        ]
        return {
            "variables": sum(1 for one in self._points if one.time and not one.problem),
            "requests": len(self._blocks),
            "answerTime": round(self._answer_time, 4),
            "late": self._late,
            "silent": sorted(one.id for one in self._units.values() if one.is_silent),
            "problems": problems[:MOST_PROBLEMS],
            "moreProblems": max(0, len(problems) - MOST_PROBLEMS),
        }

    async def browse(self, node: str, _depth: int) -> Json:
        """The registers of a device, or of all (`/`), as they are now; see `describe.listed`."""
        return listed(self._name, self._points, node, self._problem_of)

    async def describe(self, node: str) -> Json:
        """A device as a model is made of it; see `describe.described`."""
        return described(self._name, self._points, node)

    def _problem_of(self, point: Point) -> str:
        """Why its value is not of now; "" if it is."""
        if point.problem or not self._is_connected:
            return point.problem or "not connected"
        return "its unit does not answer" if self._units[point.register.unit_id].is_silent else ""

    # ---- `core.ports.Writer` ---------------------------------------------------------------

    def places(self) -> Mapping[str, Mapping[str, str]]:
        return self._writable.names

    def is_ready(self) -> bool:
        return self._is_connected

    def check(self, topic: str, name: str, value: Any) -> Any:
        return self._writable.held(topic, name, value)

    async def write(self, topic: str, name: str, value: Any) -> Outcome:
        """Writes once; the register is read right behind it."""
        try:
            point, data = self._writable.data(topic, name, value)
        except InvalidInput as error:
            return Outcome(REFUSED, str(error))
        exchange = self._exchange
        if exchange is None or not self._is_connected:
            return Outcome(REFUSED, f"connector '{self._name}' is not connected: it did not leave")
        patience = TURNS * self._settings.timeout
        outcome = await written(exchange, point, data, patience)
        if outcome.state != DONE:
            return outcome
        return outcome._replace(is_read=await self._read_now(exchange, point))

    async def _read_now(self, exchange: Exchange, point: Point) -> bool:
        """Reads one register; whether its value is durable now."""
        block = Block(point.register.unit_id, point.register.every, [point])
        durable = asyncio.Event()
        try:
            data = await exchange.ask(block.unit_id, block.request)
            self._take(block, data, durable.set)
            async with asyncio.timeout(DURABLE):
                await durable.wait()
        except (Denied, Silence, OSError, TimeoutError):
            return False
        return True

    # ---- for good --------------------------------------------------------------------------

    async def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Stops, once what was taken is durable or a few seconds have passed."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._delivery.settle(CLOSING)

    async def _run(self) -> None:
        wait = FIRST_WAIT
        while True:
            try:
                self._tell("connecting", "")
                await self._connected()
            except Exception as error:  # noqa: BLE001 - it tries for good, and says what is wrong
                self._tell("failing", self._why(error))
            wait = FIRST_WAIT if self._is_connected else wait
            self._is_connected = False
            await asyncio.sleep(wait * random.uniform(0.75, 1.25))
            wait = min(2 * wait, LONGEST_WAIT)

    def _why(self, error: Exception) -> str:
        place = self._settings.modbus
        if isinstance(error, Silence):
            return f"{place} does not answer: {silent_words(list(self._units.values()))}"
        if isinstance(error, TimeoutError):
            return f"{place} cannot be reached: it does not answer"
        if self._exchange is None:
            return f"{place} cannot be reached: {error}"
        return f"the connection to {place} was lost: {error or type(error).__name__}"

    async def _connected(self) -> None:
        """One connection, until it breaks; raises what it was."""
        loop = asyncio.get_running_loop()
        gone = loop.create_future()
        self._exchange = None

        def ended() -> None:
            if not gone.done():
                gone.set_result(None)

        exchange = Exchange(self._settings, ended)
        await exchange.open()
        self._exchange = exchange
        self._begin(loop.time())
        work = [loop.create_task(self._work(exchange)) for _ in range(self._settings.at_once)]
        try:
            done, _ = await asyncio.wait([gone, *work], return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()  # raises what it was
            raise ConnectionError(exchange.why)
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            exchange.close()

    def _begin(self, now: float) -> None:
        """Plans anew: what was refused is asked for once more, in large requests."""
        for unit in self._units.values():
            unit.begin()
        self._queue.clear()
        self._blocks = set(blocks_of(self._points, self._settings.largest, self._settings.gap))
        for block in self._blocks:
            block.due = now
            self._put(block)

    # ---- reading ---------------------------------------------------------------------------

    async def _work(self, exchange: Exchange) -> None:
        while True:
            block = await self._next()
            await self._delivery.room()
            await self._read(exchange, block)

    async def _next(self) -> Block:
        """The block that is due; waits until one is."""
        loop = asyncio.get_running_loop()
        while True:
            if self._queue and self._queue[0][0] <= loop.time():
                return heapq.heappop(self._queue)[2]
            self._news.clear()
            try:
                async with asyncio.timeout_at(self._queue[0][0] if self._queue else None):
                    await self._news.wait()
            except TimeoutError:
                continue

    def _put(self, block: Block) -> None:
        heapq.heappush(self._queue, (block.due, next(self._count), block))
        self._news.set()

    async def _read(self, exchange: Exchange, block: Block) -> None:
        """Asks for one block, and says when it is due again."""
        loop = asyncio.get_running_loop()
        unit, asked = self._units[block.unit_id], loop.time()
        if unit.is_silent:
            if asked < unit.asked_again:
                block.due = unit.asked_again
                self._put(block)
                return
            unit.asked_again = asked + unit.rest  # the others of this unit wait for this one
        try:
            data = await exchange.ask(unit.id, block.request)
        except Silence as silence:
            self._unanswered(unit, str(silence))
            if all(one.is_silent for one in self._units.values()):
                raise
        except Denied as denied:
            if denied.code in (NO_PATH, NO_TARGET):
                self._unanswered(unit, str(denied))
            else:
                self._answered(unit, loop.time() - asked)
                if self._denied(block, denied):
                    return
        else:
            self._answered(unit, loop.time() - asked)
            self._take(block, data)
        self._again(block, loop.time())

    def _again(self, block: Block, now: float) -> None:
        block.due += max(REFUSED_EVERY, block.every) if block.is_refused else block.every
        if block.due < now:
            self._late += 1 + int((now - block.due) / block.every)
            block.due = now
        self._put(block)

    def _take(self, block: Block, data: bytes, then: Callable[[], None] | None = None) -> None:
        now, who = self._clock(), self._who
        block.is_refused = False
        groups = block.rows(data, now)
        samples = [Samples(topic, rows, now, who) for topic, rows in groups.items()]
        self._delivery.deliver(samples, then)

    def _denied(self, block: Block, denied: Denied) -> bool:
        """What a refusal means; whether smaller blocks stand in place of this one."""
        is_illegal = denied.code in (ILLEGAL_ADDRESS, ILLEGAL_VALUE)
        if is_illegal and len(block.points) > 1:
            self._blocks.discard(block)
            for part in block.split():
                self._blocks.add(part)
                self._put(part)
            return True
        block.is_refused = is_illegal or denied.code == ILLEGAL_FUNCTION
        if denied.code not in (ACKNOWLEDGED, BUSY):
            mark = Quality.SENSOR_FAULT if denied.code == FAILURE else Quality.BAD
            self._tell_bad([one for one in block.points if not one.problem], mark)
        for point in block.points:
            point.problem = str(denied)
        return False

    def _tell_bad(self, points: list[Point], quality: Quality) -> None:
        """From now on nothing is known of these."""
        now = self._clock()
        rows: dict[str, list[Sample]] = {}
        for one in points:
            one.value = None
            rows.setdefault(one.topic, []).append(Sample(one.register.name, None, now, quality))
        if rows:
            self._delivery.deliver([Samples(t, found, now, self._who) for t, found in rows.items()])

    # ---- who answers -----------------------------------------------------------------------

    def _answered(self, unit: Unit, seconds: float) -> None:
        before = self._answer_time
        self._answer_time = seconds if not before else before + (seconds - before) / 16
        if unit.answered(self._clock(), self._intake) or not self._is_connected:
            self._is_connected = True
            self._say()

    def _unanswered(self, unit: Unit, why: str) -> None:
        if unit.unanswered(why, asyncio.get_running_loop().time()):
            self._say()

    def _say(self) -> None:
        """How it is, as far as devices answer."""
        units = list(self._units.values())
        if all(one.is_silent for one in units):
            self._tell("failing", silent_words(units))
        elif self._is_connected:
            self._tell("connected", silent_words(units))
