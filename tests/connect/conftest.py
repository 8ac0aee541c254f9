"""A host that records, a client without sockets for the broker, and a runner for scenarios."""

from __future__ import annotations

import asyncio
import warnings
from fnmatch import fnmatchcase

import pytest
import uvloop

from gemel.connect.mqtt.broker import Broker
from gemel.connect.mqtt.codec import Decoder, encode
from gemel.connect.mqtt.connection import Connection
from gemel.connect.mqtt.journal import MemorySessions
from gemel.connect.mqtt.limits import Limits
from gemel.connect.mqtt.packets import ConnAck, Connect, Publish
from gemel.core.access import Principal
from gemel.core.clock import FakeClock

TOKENS = {
    "secret": Principal("admin", "admin"),
    "other": Principal("engineer", "engineer"),
    "pump-token": Principal("pump-1", "device", ("pump-1",)),
}


class RecordingHost:
    """Takes everything; with `is_manual` the test says when a batch is durable."""

    def __init__(self) -> None:
        self.calls: list[list] = []
        self.pending: list = []
        self.is_manual = False
        self.error: Exception | None = None
        self.events: list[tuple] = []
        self.denied: set[str] = set()
        self.losses: list[tuple[bytes, str]] = []

    @property
    def messages(self) -> list:
        return [message for call in self.calls for message in call]

    def authenticate(self, name: str, secret: str):
        return TOKENS.get(secret or name)

    def may_publish(self, who, topic: str) -> bool:
        if topic in self.denied:
            return False
        if who.role == "device":
            return any(fnmatchcase(topic, f"devices/{twin}/*") for twin in who.twins)
        return who.allows("mqtt:publish")

    def may_subscribe(self, who, topic_filter: str) -> bool:
        if topic_filter in self.denied:
            return False
        if who.role == "device":
            return any(topic_filter.startswith(f"devices/{twin}/") for twin in who.twins)
        return who.allows("mqtt:subscribe")

    def may_receive(self, who, topic: str) -> bool:
        return not topic.startswith("hidden/")

    def accept(self, messages, done) -> None:
        self.calls.append(list(messages))
        if self.is_manual:
            self.pending.append(done)
        else:
            done(self.error)

    def is_urgent(self, topic: str) -> bool:
        return "/responses/" in topic

    def lost(self, messages, cause: str) -> None:
        self.losses += [(message.payload, cause) for message in messages]

    def connected(self, who, client_id: str) -> None:
        self.events.append(("connected", who.name, client_id))

    def disconnected(self, who, client_id: str, cause: str) -> None:
        self.events.append((cause, who.name, client_id))

    def ended(self, client_id: str) -> list[str]:
        return [e[0] for e in self.events if e[2] == client_id and e[0] != "connected"]


class Peer:
    """A client of a `Plant`, without sockets: packets in, packets out."""

    def __init__(self, plant: Plant, version: int) -> None:
        self.plant = plant
        self.version = version
        self.connection = Connection(plant.broker, "test")
        self.decoder = Decoder(version)
        self.inbox: list = []

    def raw(self, data: bytes) -> Peer:
        self.connection.receive(data)
        self.plant.turn()
        return self

    def send(self, *packets) -> Peer:
        return self.raw(b"".join(encode(packet, self.version) for packet in packets))

    def connect(self, client_id: str = "c", **values) -> Peer:
        values.setdefault("username", "secret")
        self.send(Connect(client_id, self.version, **values))
        return self

    def got(self) -> list:
        """What came since the last call."""
        self.plant.turn()
        found, self.inbox = self.inbox, []
        return found

    def published(self) -> list[Publish]:
        return [packet for packet in self.got() if isinstance(packet, Publish)]

    def lose(self) -> None:
        self.plant.broker.end(self.connection, "lost")
        self.plant.turn()

    @property
    def is_closed(self) -> bool:
        return self.connection.is_closing


class Plant:
    """The broker with a fake host, a fake clock and a store in memory."""

    def __init__(self, limits: Limits | None = None, store=None) -> None:
        self.host = RecordingHost()
        self.clock = FakeClock()
        self.store = store or MemorySessions()
        self.delivered: list[tuple[str, str]] = []
        self.is_committing = True
        self.is_due = False
        self.broker = Broker(
            self.host,
            self.clock,
            limits or Limits(),
            self.wake,
            delivered=lambda who, topic: self.delivered.append((who.name, topic)),
        )
        self.broker.load(self.store)
        self.peers: list[Peer] = []

    def peer(self, version: int = 5) -> Peer:
        peer = Peer(self, version)
        self.peers.append(peer)
        return peer

    def client(self, client_id: str = "c", version: int = 5, **values) -> Peer:
        peer = self.peer(version).connect(client_id, **values)
        first, *peer.inbox = peer.got()
        assert isinstance(first, ConnAck)
        assert first.reason == 0
        return peer

    def restarted(self) -> Plant:
        """Another process over the same store."""
        after = Plant(self.broker.limits, self.store)
        after.clock.now = self.clock.now
        return after

    def turn(self) -> None:
        """What the server does once a turn of its loop, until the broker asks for none."""
        broker = self.broker
        for _ in range(100):
            if not self.is_due:
                return
            self.is_due = False
            broker.inbox.flush(may_gather=False)
            if broker.journal.is_due and self.is_committing:
                self.store.commit(broker.journal.take())
                broker.journal.finished(None)
                self.wake()
            dirty, broker.dirty = broker.dirty, []
            for peer in self.peers:
                if peer.connection in dirty:
                    peer.inbox += peer.decoder.feed(peer.connection.take())
                    if not peer.connection.is_closing:
                        peer.connection.taken()
        raise AssertionError("the broker asks for turns without end")

    def wake(self) -> None:
        self.is_due = True

    def commit_again(self) -> None:
        self.is_committing = True
        self.wake()


@pytest.fixture
def host() -> RecordingHost:
    return RecordingHost()


@pytest.fixture
def plant() -> Plant:
    return Plant()


@pytest.fixture
def make_plant():
    return Plant


async def until(condition, seconds: float = 60.0) -> None:
    """Waits for a condition, checking it between turns of the loop."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - a test's condition has no event
            await asyncio.sleep(0.005)


@pytest.fixture
def wait_until():
    return until


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request):
    """Runs a scenario on each event loop, for at most 2 minutes."""
    factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop

    def go(scenario):
        async def bounded():
            async with asyncio.timeout(120):
                return await scenario

        with warnings.catch_warnings(), asyncio.Runner(loop_factory=factory) as runner:
            try:
                return runner.run(bounded())
            except BaseException:
                # uvloop never ends closing when "unclosed transport" is raised as an error.
                warnings.simplefilter("ignore", ResourceWarning)
                raise

    return go


@pytest.fixture
def run_once():
    def go(scenario):
        async def bounded():
            async with asyncio.timeout(120):
                return await scenario

        return asyncio.run(bounded())

    return go
