"""A request and its answer, over one connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from gemel.connect.modbus.codec import (
    Frame,
    Framing,
    Malformed,
    RtuFraming,
    TcpFraming,
    data_of,
)
from gemel.connect.modbus.settings import ModbusConnection
from gemel.connect.modbus.wire import Wire, opened

LAST_NUMBER = 0xFFFF
LONGEST_DRAIN = 10
"""Times the timeout, that a line may go on sending what nobody waits for."""


class Silence(Exception):
    """No answer came in time, or none that can be read."""


class NotSent(ConnectionError):
    """The connection was closed before the request left."""


@dataclass(slots=True)
class _Asked:
    unit_id: int
    answer: asyncio.Future[bytes]


class Exchange:
    """One connection: what is asked, and who waits for it.

    Args:
        settings: where, how many at a time, how long.
        lost: called once if it ends by itself.
    """

    def __init__(self, settings: ModbusConnection, lost: Callable[[], None]) -> None:
        self._settings = settings
        self._lost = lost
        self._framing: Framing = RtuFraming() if settings.is_rtu else TcpFraming()
        self._turn = asyncio.Semaphore(settings.at_once)
        self._asked: dict[int, _Asked] = {}
        self._wire: Wire | None = None
        self._number = 0
        self._quiet = 0.0
        """When anything was last sent, heard or waited for in vain, by the loop's clock."""
        self._is_stale = False
        """An answer that came too late may still come, and nothing would tell it from another."""
        self.why = ""
        """Why it ended."""

    async def open(self) -> None:
        """Raises OSError or TimeoutError if it cannot be."""
        self._wire = await opened(self._settings, self._heard, self._ended)

    async def ask(self, unit_id: int, pdu: bytes, patience: float | None = None) -> bytes:
        """What a device answers.

        Args:
            unit_id: which device.
            pdu: the request.
            patience: seconds that it may wait for its turn; None for as long as that takes.

        Raises:
            Denied: it refuses.
            Silence: it does not answer in time.
            NotSent: its turn did not come in time, or the connection was closed before.
            OSError: the connection is lost meanwhile.
        """
        await self._take_turn(patience)
        try:
            number, asked = self._send(unit_id, pdu)
            try:
                async with asyncio.timeout(self._settings.timeout):
                    answer = await asked.answer
            except TimeoutError:
                self._overdue()
                raise Silence(f"nothing within {self._settings.timeout:g} s") from None
            finally:
                self._asked.pop(number, None)
        finally:
            self._turn.release()
        try:
            return data_of(pdu, answer)
        except Malformed as error:
            if self._settings.is_rtu:
                self._overdue()
                raise Silence(str(error)) from error
            self._break(error)
            raise ConnectionError(self.why) from error

    async def _take_turn(self, patience: float | None) -> None:
        is_ours = False
        try:
            async with asyncio.timeout(patience):
                await self._turn.acquire()
                is_ours = True
                await self._rest()
        except BaseException as error:
            if is_ours:
                self._turn.release()
            if isinstance(error, TimeoutError):
                said = f"for {patience:g} s others were asked that do not answer"
                raise NotSent(said) from None
            raise

    def _overdue(self) -> None:
        self._is_stale = self._settings.is_rtu
        self._quiet = asyncio.get_running_loop().time()

    async def _rest(self) -> None:
        """Keeps the pause; on a line where an answer is overdue, until that was silent for long."""
        if not self._is_stale:
            await self._silent(max(self._settings.pause, self._wire.silence if self._wire else 0))
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_DRAIN * self._settings.timeout):
                await self._silent(self._settings.timeout)
        self._is_stale = False
        self._framing.forget()

    async def _silent(self, seconds: float) -> None:
        """Waits until nothing was sent or heard for some time."""
        loop = asyncio.get_running_loop()
        while (left := self._quiet + seconds - loop.time()) > 0:  # noqa: ASYNC110 - the time it is
            await asyncio.sleep(left)

    def _send(self, unit_id: int, pdu: bytes) -> tuple[int, _Asked]:
        loop = asyncio.get_running_loop()
        if self._wire is None:
            raise NotSent(self.why or "the connection is closed")
        number = 0
        if self._settings.is_rtu:
            self._framing.forget()  # what stands there is noise
        else:
            number = self._number = self._number % LAST_NUMBER + 1
        frame = self._framing.encode(number, unit_id, pdu)
        asked = self._asked[number] = _Asked(unit_id, loop.create_future())
        try:
            self._wire.send(frame)
        except OSError:
            del self._asked[number]
            raise
        self._quiet = loop.time()
        return number, asked

    # ---- what comes ------------------------------------------------------------------------

    def _heard(self, data: bytes) -> None:
        self._quiet = asyncio.get_running_loop().time()
        if not self._asked and self._settings.is_rtu:
            return  # too late, or noise
        try:
            frames = self._framing.feed(data)
        except Malformed as error:
            if self._settings.is_rtu:
                self._framing.forget()
                self._fail(Silence(str(error)))
                self._overdue()
            else:
                self._break(error)
            return
        for frame in frames:
            self._answered(frame)

    def _answered(self, frame: Frame) -> None:
        asked = self._asked.get(frame.number)
        if asked is None or asked.answer.done():
            return
        if self._settings.is_rtu and frame.unit_id != asked.unit_id:
            return
        asked.answer.set_result(frame.pdu)

    def _fail(self, error: Exception) -> None:
        """Tells all who wait that no answer comes."""
        for asked in self._asked.values():
            if not asked.answer.done():
                asked.answer.set_exception(error)

    def _break(self, error: Exception) -> None:
        """What came makes no sense: a new connection is the way out."""
        wire = self._wire
        self._ended(error)
        if wire is not None:
            wire.close()

    def _ended(self, error: Exception | None) -> None:
        if self._wire is None:
            return
        self._wire = None
        self.why = self.why or (str(error) if error else "the device closed the connection")
        self._fail(ConnectionError(self.why))
        self._lost()

    def close(self) -> None:
        wire, self._wire = self._wire, None
        self._fail(ConnectionError("the connection was closed"))
        if wire is not None:
            wire.close()
