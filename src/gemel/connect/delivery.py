"""What a connector took, on its way to disk: offered until the platform has it, and bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from gemel.core.message import Samples
from gemel.core.ports import Intake

MOST_UNDURABLE = 8
"""Deliveries taken and not durable yet; beyond, a connector takes no further one."""
RETRY = 1.0
"""Seconds until what the platform did not take is offered again."""


class Delivery:
    """The values of one connector, until they are durable.

    Args:
        intake: the platform.
        tell: called with "failing" and why when the platform does not take values in.
        mended: called when it does so again.
    """

    def __init__(
        self, intake: Intake, tell: Callable[[str, str], None], mended: Callable[[], None]
    ) -> None:
        self._intake = intake
        self._tell = tell
        self._mended = mended
        self.accepted = 0
        self.refused = 0
        self._undurable = 0
        self._room = asyncio.Event()
        self._is_refused = False
        self._is_over = False

    def deliver(self, samples: Sequence[Samples], then: Callable[[], None] | None = None) -> None:
        """Offers values until they are durable; `then` is called when they are."""
        self._undurable += 1
        self._offer(samples, then, sum(len(one.rows) for one in samples))

    async def room(self) -> None:
        """Waits until another delivery may be taken."""
        while self._undurable >= MOST_UNDURABLE:
            await self._less()

    async def settle(self, seconds: float) -> None:
        """Waits until all that was taken is durable, as long as that may take; then gives up."""
        try:
            async with asyncio.timeout(seconds):
                while self._undurable:
                    await self._less()
        except TimeoutError:
            self._is_over = True  # the source is not told that we have it

    async def _less(self) -> None:
        self._room.clear()
        await self._room.wait()

    def _offer(
        self, samples: Sequence[Samples], then: Callable[[], None] | None, count: int
    ) -> None:
        is_called = False

        def done(error: Exception | None) -> None:
            nonlocal is_called
            if is_called:
                return
            is_called = True
            if error is None:
                self._is_durable(then, count)
            elif not self._is_over:
                self.refused += count
                self._is_refused = True
                self._tell("failing", f"the platform did not take values in: {error}")
                loop = asyncio.get_running_loop()
                loop.call_later(RETRY, self._offer, samples, then, count)

        try:
            self._intake.accept(samples, done)
        except Exception as error:  # noqa: BLE001 - whatever it was, they are offered again
            done(error)

    def _is_durable(self, then: Callable[[], None] | None, count: int) -> None:
        self.accepted += count
        self._undurable -= 1
        self._room.set()
        if then is not None:
            then()
        if self._is_refused:
            self._is_refused = False
            self._mended()
