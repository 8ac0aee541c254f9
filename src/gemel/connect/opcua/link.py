"""The link to a server: what its variables report comes in here, and what did not is told.

Values are acknowledged to the server only when the platform has them durably. After a break the
session and its subscription are taken up again where the server still has them, and what it
published meanwhile is asked for again; where it has not, they are made anew, and devices whose
values changed meanwhile get a gap.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from asyncua import ua

from gemel.connect.opcua.describe import described, listed
from gemel.connect.opcua.forms import places_of
from gemel.connect.opcua.session import Session
from gemel.connect.opcua.settings import LinkSettings
from gemel.connect.opcua.space import Contents, Space, contents_of
from gemel.connect.opcua.subscription import Silent, Subscription
from gemel.connect.opcua.writing import Writing
from gemel.core.access import Principal
from gemel.core.clock import Clock
from gemel.core.document import Json
from gemel.core.errors import GemelError, Unavailable
from gemel.core.message import DONE, REFUSED, Outcome
from gemel.core.ports import Intake

FIRST_WAIT, LONGEST_WAIT = 0.5, 15.0
"""Seconds between attempts; it doubles from the one to the other."""
MEND_EVERY = 60.0
"""Seconds until nodes that were not there are looked for again."""
LOOKING = 120.0
"""Seconds that looking at all nodes may take."""
MOST_PROBLEMS = 20
CLOSING = 3.0
ANSWER = 60.0
"""Seconds that looking at nodes may take."""

logging.getLogger("asyncua").setLevel(logging.CRITICAL)  # what is wrong, the state says


class OpcUaLink:
    """Subscribes at a server and feeds `Intake.accept`.

    Args:
        settings: which server, which nodes.
        intake: the platform.
        who: in whose name values come in.
        clock: wall clock in ns.
        on_state: called with "connecting", "connected" or "failing", and why.
    """

    def __init__(
        self,
        settings: LinkSettings,
        intake: Intake,
        who: Principal,
        clock: Clock,
        on_state: Callable[[str, str], None],
    ) -> None:
        self._settings = settings
        self._tell = on_state
        self._session = Session(settings, clock)
        self._subscription = Subscription(settings, intake, who, clock, on_state)
        self._writing = Writing(settings.name)
        self._contents = Contents([], {}, [])
        self._task: asyncio.Task[None] | None = None

    @property
    def accepted(self) -> int:
        return self._subscription.delivery.accepted

    @property
    def refused(self) -> int:
        return self._subscription.delivery.refused

    @property
    def _space(self) -> Space:
        return Space(self._session.service)

    async def browse(self, node: str, depth: int) -> Json:
        """What hangs below a node; see `describe.listed`.

        Raises:
            Unavailable: it is not connected, or the server does not answer.
            NotFound, InvalidInput: there is no such node.
        """
        return await self._asked(lambda: listed(self._space, node, depth))

    async def describe(self, node: str) -> Json:
        """An object as a model is made of it; see `describe.described`. Errors as of `browse`."""
        return await self._asked(lambda: described(self._space, self._settings.name, node))

    # ---- `core.ports.Writer` ---------------------------------------------------------------

    def places(self) -> Mapping[str, Mapping[str, str]]:
        return self._writing.names

    def is_ready(self) -> bool:
        return self._subscription.is_running and self._writing.is_known

    def check(self, topic: str, name: str, value: Any) -> Any:
        return self._writing.check(topic, name, value)

    async def write(self, topic: str, name: str, value: Any) -> Outcome:
        """Writes or calls, once; a variable is read behind it, for it may have been so before."""
        if not self.is_ready():
            said = f"connector '{self._settings.name}' is not connected: it did not leave"
            return Outcome(REFUSED, said)
        self._subscription.waiting += 1
        try:
            outcome = await self._writing.write(self._session.service, topic, name, value)
        finally:
            self._subscription.waiting -= 1
        node = self._writing.node_of(topic, name)
        if outcome.state != DONE or node is None:
            return outcome
        return outcome._replace(is_read=await self._subscription.read_now(node))

    async def _asked(self, ask: Callable[[], Awaitable[Json]]) -> Json:
        if not self._subscription.is_running:
            raise Unavailable(
                f"connector '{self._settings.name}' is not connected",
                hint="GET /connections says why",
            )
        try:
            async with asyncio.timeout(ANSWER):
                return await ask()
        except (ua.UaError, OSError) as error:
            raise Unavailable(
                f"the server does not answer: {type(error).__name__}", hint="try it again"
            ) from error

    def facts(self) -> Json:
        of = self._subscription
        problems = [*self._contents.problems, *(one.problem for one in of.items if one.problem)]
        if self._writing.problem:
            problems.append(self._writing.problem)
        times: dict[str, int] = {}
        for item in of.items:
            for clock, count in item.times.items():
                times[clock] = times.get(clock, 0) + count
        return {
            "variables": sum(1 for one in of.items if one.number),
            "problems": problems[:MOST_PROBLEMS],
            "moreProblems": max(0, len(problems) - MOST_PROBLEMS),
            "clockOffset": round(of.skew, 3),
            "times": times,
        }

    async def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Stops, once what was taken is durable or a few seconds have passed."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._subscription.settle(CLOSING)
        await self._session.close()

    async def _run(self) -> None:
        wait = FIRST_WAIT
        while True:
            try:
                self._tell("connecting", "")
                await self._begin()
                wait = FIRST_WAIT
                await self._stay()
            except Exception as error:  # noqa: BLE001 - it tries for good, and says what is wrong
                self._tell("failing", self._broken(error))
            await asyncio.sleep(wait * random.uniform(0.75, 1.25))
            wait = min(2 * wait, LONGEST_WAIT)

    def _broken(self, error: Exception) -> str:
        """What a break means for the session, and in words."""
        is_of_transport = isinstance(error, OSError | GemelError)
        self._subscription.is_running = False
        if isinstance(error, Silent):
            self._subscription.forget()
        self._session.drop(forget=not is_of_transport or isinstance(error, Silent))
        if isinstance(error, GemelError):
            return str(error)
        if isinstance(error, ua.UaError):
            return f"the server ended it: {type(error).__name__}"
        return f"the connection was lost: {error or type(error).__name__}"

    async def _begin(self) -> None:
        """Opens the session; takes the subscription up again, or makes it anew."""
        is_resumed = await self._session.open()
        service, subscription = self._session.service, self._subscription
        if not await subscription.resume(service, is_same_session=is_resumed):
            self._writing.is_known = False
            self._contents = await self._found()
            await subscription.begin(service, self._contents.items)
        self._tell("connected", "")

    async def _found(self) -> Contents:
        async with asyncio.timeout(LOOKING):
            return await contents_of(self._space, self._settings.name, self._settings.nodes)

    async def _stay(self) -> None:
        """Until something breaks."""
        mending = asyncio.get_running_loop().create_task(self._mend_forever())
        try:
            await self._subscription.run()
        finally:
            mending.cancel()

    async def _mend_forever(self) -> None:
        while True:
            await self._tried(self._learn)
            await asyncio.sleep(MEND_EVERY)
            await self._tried(self._mend)

    async def _tried(self, do: Callable[[], Awaitable[None]]) -> None:
        try:
            await do()
        except (ua.UaError, OSError, GemelError, TimeoutError) as error:
            # the connection broke, and is made anew; or it is tried next time
            if not self._writing.is_known:
                self._writing.problem = f"what may be written is not known: {error!r}"[:300]

    async def _learn(self) -> None:
        """Asks what may be written, unless that is known."""
        if not self._writing.is_known:
            async with asyncio.timeout(LOOKING):
                self._writing.take(await places_of(self._space, self._contents))

    async def _mend(self) -> None:
        """Looks again for nodes that were not there."""
        known = {one.node for one in self._subscription.items}
        if self._contents.problems:
            self._contents = await self._found()
            new = [one for one in self._contents.items if one.node not in known]
            await self._subscription.watch(new)
            self._writing.is_known = not new
        await self._subscription.mend()
