"""The CoAP server: a socket and timers around the responder, which does no I/O."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Callable
from dataclasses import asdict

from gemel.connect.coap.limits import Limits
from gemel.connect.coap.outgoing import Address
from gemel.connect.coap.responder import Responder
from gemel.core.access import Principal
from gemel.core.clock import Clock
from gemel.core.errors import Unavailable
from gemel.core.ports import Showing

_log = logging.getLogger("gemel.coap")
_LARGEST = 65_535
_TURN = 512
"""Datagrams read at a time, before others have their turn."""
_TICK = 0.1
_SWEEP = 5.0
_DRAIN = 3.0
_BUFFER = 4 << 20
"""Bytes that the system keeps for us; it may give less to who has no right to more."""
_FORCED = 33
"""SO_RCVBUFFORCE of Linux."""


def _nobody(_who: Principal, _topic: str) -> None:
    return


class CoapServer:
    """CoAP over UDP for devices and observers.

    Args:
        host: the platform: who may do what, where messages go, and what twins are.
        clock: wall clock in ns.
        limits: what clients may cost.
        delivered: called with (principal, topic) whenever an observer confirmed a command.
    """

    def __init__(
        self,
        host: Showing,
        clock: Clock,
        *,
        limits: Limits | None = None,
        delivered: Callable[[Principal, str], None] = _nobody,
    ) -> None:
        self.limits = limits or Limits()
        self.responder = Responder(host, clock, self.limits, self._send, delivered)
        self._socket: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._swept = 0.0
        self._has_failed = False

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listens; returns the address, with the port when 0 was given.

        Raises:
            Unavailable: the address is taken, or not ours.
        """
        loop = self._loop = asyncio.get_running_loop()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        found = socket.socket(family, socket.SOCK_DGRAM)
        try:
            _widen(found)
            found.setblocking(False)
            found.bind((host, port))
        except (OSError, OverflowError) as error:
            found.close()
            why = getattr(error, "strerror", "") or error
            raise Unavailable(
                f"cannot listen for CoAP at {host}:{port}: {why}",
                hint="name another address, or port 0 for any free one",
            ) from error
        self._socket = found
        loop.add_reader(found.fileno(), self._readable)
        self._tick()
        address = found.getsockname()
        return str(address[0]), int(address[1])

    def _readable(self) -> None:
        """Reads what there is, and hands all of it in at once."""
        assert self._socket is not None
        assert self._loop is not None
        responder, read = self.responder, self._socket.recvfrom
        responder.turn(self._loop.time())
        try:
            for _ in range(_TURN):
                responder.receive(*read(_LARGEST))
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:  # such as ICMP's word on what was sent before
            _log.debug("nothing is read: %s", error)
        responder.inbox.flush()

    def _send(self, data: bytes, address: Address) -> None:
        """Writes one datagram; what cannot go is lost, as any datagram may be."""
        if self._socket is None:
            return
        try:
            self._socket.sendto(data, address)
        except OSError as error:
            self.responder.counters.unsent += 1
            if not self._has_failed:
                self._has_failed = True
                _log.warning("answers over CoAP are lost: %s", error)
        else:
            self._has_failed = False

    def _tick(self) -> None:
        assert self._loop is not None
        self._timer = self._loop.call_later(_TICK, self._tick)
        now = self._loop.time()
        try:
            self.responder.tick(now)
            if now - self._swept >= _SWEEP:
                self._swept = now
                self.responder.sweep(now)
        except Exception:  # noqa: BLE001 - the timer must go on; what failed is in the log
            self.responder.counters.internal_errors += 1
            _log.exception("the timer of CoAP failed")

    # ---- for the platform ----------------------------------------------------------------

    def publish(self, topic: str, payload: bytes, retain: bool = False, seconds: int = 0) -> int:
        """Tells observers what the platform sends to devices; to how many."""
        self._turn()
        return self.responder.shows.publish(topic, payload, seconds)

    def _turn(self) -> None:
        if self._loop is not None:
            self.responder.turn(self._loop.time())

    def listeners(self, topic: str) -> list[Principal]:
        """Who observes now and would get a command on this topic."""
        return self.responder.shows.listeners(topic)

    def disconnect(self, is_meant: Callable[[Principal], bool]) -> int:
        """Ends what such principals began (a token was ended); how many there were."""
        self._turn()
        return self.responder.forget(is_meant)

    def waits_since(self) -> int:
        """When the oldest message came that is not durable (ns); 0 if there is none."""
        return self.responder.inbox.waits_since

    def statistics(self) -> dict[str, int]:
        responder = self.responder
        return asdict(responder.counters) | {
            "endpoints": len(responder.endpoints),
            "exchanges": len(responder.exchanges),
            "observers": len(responder.shows.observers),
            "unconfirmed": len(responder.outgoing),
            "undurable_bytes": responder.inbox.undurable,
            "assembling_bytes": responder.assembly.held,
        }

    async def close(self) -> None:
        """Takes nothing more in, waits up to 3 s for what is on its way, and closes."""
        if self._loop is None or self._socket is None:
            return
        self._loop.remove_reader(self._socket.fileno())
        end = self._loop.time() + _DRAIN
        while not self.responder.inbox.is_idle and self._loop.time() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # the answers go out as each call ends
        if not self.responder.inbox.is_idle:
            _log.warning("closing with messages that are not durable: devices send them again")
        if self._timer is not None:
            self._timer.cancel()
        found, self._socket = self._socket, None
        found.close()


def _widen(found: socket.socket) -> None:
    found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    if sys.platform == "linux":
        with contextlib.suppress(PermissionError):
            found.setsockopt(socket.SOL_SOCKET, _FORCED, _BUFFER)
