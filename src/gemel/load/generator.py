"""All connections of a load in time: as fast as the server takes it, or at a steady rate."""

from __future__ import annotations

import selectors
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic, process_time, sleep

import numpy as np

from gemel.connect.mqtt.direct import transmit
from gemel.core.clock import system_clock
from gemel.core.errors import ConfigInvalid, Unavailable
from gemel.load.frames import PACKET_IDS, Frames
from gemel.load.ledger import LedgerWriter
from gemel.load.link import Link, Server
from gemel.load.plan import Plan

BOTH = selectors.EVENT_READ | selectors.EVENT_WRITE
MEMORY = 64_000_000
"""Bytes of packets made ahead, over all connections."""
FLUSH = 0.1
"""Seconds between two writes to the ledger."""
RETRY = 0.05
SAMPLES = 2_000_000


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is sent, and how fast."""

    qos: int = 1
    window: int = 400
    """QoS 1: messages of one connection on their way at one time."""
    is_apart: bool = False
    """Each message in a packet of its own."""
    rate: float = 0.0
    """Messages a second over all connections; 0 is as fast as possible."""
    count: int = 0
    """Messages of each connection, then the end; 0 is no end."""
    seconds: float = 0.0
    """Then no more are sent; 0 is no end."""
    patience: float = 30.0
    """Seconds that the last acknowledgements may take."""
    reconnect: float = 0.0
    """Seconds during which a lost connection is tried anew; 0 ends it."""


@dataclass(slots=True)
class Tally:
    """What a load did."""

    sent: int = 0
    acknowledged: int = 0
    repeated: int = 0
    """Sent once more after a connection was lost."""
    lost_connections: int = 0
    began: int = 0
    """When the first message was sent, ns since 1970 UTC."""
    seconds: float = 0.0
    """From then until the server had the last of them."""
    cpu_s: float = 0.0
    delays: list[float] = field(default_factory=list)
    """Seconds from sending, or from when it was due, to the acknowledgement; a sample."""
    problem: str = ""

    def percentile(self, share: float) -> float | None:
        return float(np.percentile(self.delays, share)) if self.delays else None


class Generator:
    """Sends a plan.

    Raises:
        Unavailable: a connection is refused.
    """

    def __init__(
        self,
        plan: Plan,
        pace: Pace,
        server: Server,
        topic: str,
        ledger: Path | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        if not 1 <= pace.window <= PACKET_IDS:
            raise ConfigInvalid(f"--window {pace.window} is not within 1 to {PACKET_IDS:,}")
        self.plan = plan
        self.pace = pace
        self.tally = Tally()
        self.is_stopped = False
        self._server = server
        self._clock = clock
        self._frames = frames = Frames(plan, topic, pace.qos)
        most = MEMORY // (frames.length * plan.connections)
        likely = 16 + int(pace.rate / plan.connections) if pace.rate else 4_096
        ahead = max(1, min(most, likely, pace.count or likely))
        self.links = [Link(c, frames, ahead, pace.qos) for c in range(plan.connections)]
        self._ledger = None if ledger is None else LedgerWriter(ledger)
        self._noted = [0] * plan.connections
        self._selector = selectors.DefaultSelector()
        self._lost: dict[int, float] = {}
        """Links to be opened again, and until when."""
        self._began = self._moved = 0.0
        self._turn = 10 if pace.is_apart else 1_000
        """QoS 0: messages of a connection before it is the next one's turn."""
        self._due = 0
        """Messages that were due when last looked at."""
        self._ready: set[int] = set()
        """Links that may be able to send."""
        self._asleep: set[int] = set()
        """Links whose socket is full."""

    def stop(self) -> None:
        """Sends no more, and waits for what is on its way."""
        self.is_stopped = True

    def connect(self, ready: Callable[[], None] = lambda: None) -> None:
        """Opens all connections, and has their first packets at hand; then `ready` is called.

        At a steady rate the first message is due when all is ready, not before.
        """
        began = self._clock()
        for link in self.links:
            self._open(link)
            link.prepare()
        ahead = self._clock() - began
        ready()
        if self.pace.rate:
            self._began = self._clock() + ahead
            self.plan = replace(self.plan, start=system_clock() // 1_000 + round(ahead * 1e6))
            self._frames.plan = self.plan
            for link in self.links:
                link.prepare()
        if self._ledger is not None:
            self._ledger.begin(self.plan)
        sleep(max(0.0, self._began - self._clock()))

    def _open(self, link: Link) -> None:
        before = link.sent
        link.open(self._server, self.plan.name(link.number))
        if self.pace.qos:
            self.tally.repeated += before - link.sent
        assert link.socket is not None
        self._selector.register(link.socket, selectors.EVENT_READ, link)

    def run(self, ready: Callable[[], None] = lambda: None) -> Tally:
        """Connects, sends, and returns when all is acknowledged or nothing more comes.

        Args:
            ready: called when all is ready to be sent; sending begins when it returns.
        """
        self.connect(ready)
        clock, pace, tally = self._clock, self.pace, self.tally
        self._began = self._moved = began = flushed = self._began or clock()
        tally.began = system_clock()
        cpu = process_time()
        self._ready.update(range(len(self.links)))
        try:
            while True:
                now = clock()
                if pace.seconds and now - began >= pace.seconds:
                    self.stop()
                self._send_all(now)
                self._wait(now)
                if (now := clock()) - flushed < FLUSH and self.links_open:
                    continue
                flushed = now
                self._note()
                self._retry(now)
                is_under_way = self._is_under_way()
                if not is_under_way and self._is_over():
                    break
                if is_under_way and not self._lost and now - self._moved > pace.patience:
                    tally.problem = f"the server took nothing for {pace.patience:g} s"
                    break
        finally:
            tally.seconds = self._moved - began
            tally.cpu_s = process_time() - cpu
            self._finish()
        return tally

    @property
    def links_open(self) -> int:
        return len(self._selector.get_map())

    def _is_under_way(self) -> bool:
        """Whether something was sent, or is to be, and the server has not taken it yet."""
        is_awaited = self.pace.qos and any(link.acknowledged < link.sent for link in self.links)
        return bool(is_awaited or self._asleep)

    def _is_over(self) -> bool:
        if self._lost:
            return self.is_stopped
        if self.is_stopped or not self.links_open:
            return True
        count = self.pace.count
        return bool(count) and all(link.sent >= count or not link.socket for link in self.links)

    def _send_all(self, now: float) -> None:
        """Gives every connection that can take it what is due."""
        pace, count = self.pace, self.plan.connections
        due = 0
        if pace.rate:
            due = int((now - self._began) * pace.rate) + 1
            first = max(self._due, due - count)
            self._ready.update(number % count for number in range(first, due))
            self._due = due
        ready, self._ready = self._ready, set()
        turn: list[tuple[Link, int]] = []
        for number in ready:
            link = self.links[number]
            if link.socket is None or number in self._asleep:
                continue
            until = self._until(link, due)
            if until > link.sent or link.rest:
                turn.append((link, until))
        if pace.is_apart and self._server.tls is None:
            self._send_apart(turn, now)
        else:
            for link, until in turn:
                self._send(link, until, now)
        is_endless = not pace.qos and not pace.rate
        for link, until in turn:
            is_free = link.socket is not None and link.number not in self._asleep
            if is_free and (is_endless or link.sent < until):
                self._ready.add(link.number)

    def _until(self, link: Link, due: int) -> int:
        """The number after the last message that may be sent now."""
        if self.is_stopped:
            return link.sent
        pace = self.pace
        until = link.acknowledged + pace.window if pace.qos else link.sent + self._turn
        if pace.rate:
            count = self.plan.connections
            until = min(until, (due - link.number + count - 1) // count)
        return min(until, pace.count) if pace.count else until

    def _send(self, link: Link, until: int, now: float) -> None:
        before = link.sent
        try:
            is_done = link.send(until, self.pace.is_apart)
        except OSError as error:
            self._lose(link, error)
            return
        self._went(link, before, now)
        if not is_done:
            self._sleep(link)

    def _send_apart(self, turn: list[tuple[Link, int]], now: float) -> None:
        """A packet of each connection, then the next of each, as they come from as many devices."""
        length = self._frames.length
        sends: list[tuple[Link, int, memoryview]] = []
        for link, until in turn:
            if link.rest:
                self._send(link, link.sent, now)
            if link.socket is not None and link.number not in self._asleep and until > link.sent:
                sends.append((link, link.socket.fileno(), link.packets(until)))
        at = 0
        while sends:
            pieces = [(file, bytes(packets[at : at + length])) for _, file, packets in sends]
            held = dict(transmit(pieces))
            at += length
            going = []
            for place, one in enumerate(sends):
                link, _, packets = one
                if place not in held and len(packets) > at:
                    going.append(one)
                    continue
                before = link.sent
                link.went(packets, at - length + held.get(place, length))
                self._went(link, before, now)
                if place in held:
                    self._sleep(link)
            sends = going

    def _went(self, link: Link, before: int, now: float) -> None:
        """Counts what was sent of a connection since it had sent so many."""
        if link.sent > before:
            self._moved = self._clock()
            self.tally.sent += link.sent - before
            if self.pace.qos:
                link.marks.append((link.sent, self._due_at(link) if self.pace.rate else now))

    def _sleep(self, link: Link) -> None:
        """Until its socket takes more."""
        assert link.socket is not None
        self._asleep.add(link.number)
        self._selector.modify(link.socket, BOTH, link)

    def _due_at(self, link: Link) -> float:
        """When the last message that was sent was to be sent."""
        number = (link.sent - 1) * self.plan.connections + link.number
        return self._began + number / self.pace.rate

    def _wait(self, now: float) -> None:
        """Until something can be read or written, or the next message is due."""
        timeout = FLUSH
        if self.pace.rate and not self.is_stopped:
            due = int((now - self._began) * self.pace.rate) + 1
            timeout = max(0.001, min(timeout, self._began + due / self.pace.rate - now))
        elif self._ready:
            timeout = 0.0
        for key, events in self._selector.select(timeout):
            link: Link = key.data
            if events & selectors.EVENT_WRITE:
                self._asleep.discard(link.number)
                self._ready.add(link.number)
                self._selector.modify(key.fileobj, selectors.EVENT_READ, link)
            if events & selectors.EVENT_READ:
                self._read(link)

    def _read(self, link: Link) -> None:
        try:
            count = link.read()
        except OSError as error:
            self._note()
            self._lose(link, error)
            return
        self.tally.acknowledged += count
        self._ready.add(link.number)
        now, marks, delays = self._clock(), link.marks, self.tally.delays
        self._moved = now
        while marks and marks[0][0] <= link.acknowledged:
            if len(delays) < SAMPLES:
                delays.append(now - marks[0][1])
            marks.popleft()

    def _lose(self, link: Link, error: OSError) -> None:
        if link.socket is not None:
            self._selector.unregister(link.socket)
        link.close()
        self._asleep.discard(link.number)
        self.tally.lost_connections += 1
        if self.pace.reconnect:
            self._lost[link.number] = self._clock() + self.pace.reconnect
        else:
            self.tally.problem = f"connection {link.number}: {error}"

    def _retry(self, now: float) -> None:
        for number, until in list(self._lost.items()):
            try:
                self._open(self.links[number])
            except Unavailable as error:
                if now > until:
                    del self._lost[number]
                    self.tally.problem = error.message
                return
            del self._lost[number]
            self._ready.add(number)

    def _note(self, is_last: bool = False) -> None:
        """Writes to the ledger what was acknowledged since."""
        if self._ledger is None or not self.pace.qos:
            return
        runs = []
        for link in self.links:
            noted = self._noted[link.number]
            if link.acknowledged > noted:
                runs.append((link.number, noted, link.acknowledged - noted))
                self._noted[link.number] = link.acknowledged
            if is_last:
                runs += [(link.number, early, 1) for early in sorted(link.early)]
        if runs:
            self._ledger.add(runs)

    def _finish(self) -> None:
        self._note(is_last=True)
        if self._ledger is not None:
            self._ledger.close()
        self._selector.close()
        for link in self.links:
            link.close()
