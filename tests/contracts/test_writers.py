"""What every connector that writes keeps to (`core.ports.Writer`)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from connect.modbus_peer import ModbusPeer
from connect.opcua_peer import Peer, Wire
from gemel.connect.modbus.link import ModbusLink
from gemel.connect.modbus.settings import ModbusConnection
from gemel.connect.opcua.link import OpcUaLink
from gemel.connect.opcua.settings import LinkSettings
from gemel.core.access import Principal
from gemel.core.clock import system_clock
from gemel.core.errors import InvalidInput
from gemel.core.message import DONE, REFUSED, UNSURE, Message, Outcome, Samples
from gemel.core.ports import Connector, Writer

WHO = Principal("connection press", "device", ("*",))
WAIT_SECONDS = 60


@dataclass
class Taken:
    """An intake that has everything durable at once."""

    rows: list[tuple[str, Any]] = field(default_factory=list)

    def accept(
        self, messages: Sequence[Message | Samples], done: Callable[[Exception | None], None]
    ) -> None:
        for message in messages:
            assert isinstance(message, Samples)
            self.rows += [(row.name, row.value) for row in message.rows]
        done(None)

    def heard(self, topic: str) -> int:
        return 0

    def missed(self, topics: Iterable[str], first: int, last: int, cause: str) -> None: ...


@dataclass
class Case:
    """A connector, its source, and what may be written there."""

    make: Callable[[Taken], Connector]
    wire: Wire
    topic: str
    name: str
    good: list[Any]
    bad: list[Any]
    """Beyond its type or range."""
    closed: str
    """A name that is there and may not be written."""


@pytest.fixture(scope="module")
def opcua(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    folder = tmp_path_factory.mktemp("peer")
    peer = Peer(folder)
    peer.start()
    wire = Wire(peer.port)
    settings = LinkSettings(
        opcua=f"opc.tcp://127.0.0.1:{wire.port}/press",
        publishing=0.05,
        sampling=0,
        name="press",
        folder=Path(folder),
        skew=60.0,
    )

    def make(taken: Taken) -> Connector:
        return OpcUaLink(settings, taken, WHO, system_clock, lambda *_: None)

    yield Case(make, wire, "press/Plant/Press", "Small", [5, -5, 5], [40_000, "five"], "Label")
    wire.close()
    peer.kill()


@pytest.fixture(scope="module")
def modbus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    peer = ModbusPeer(tmp_path_factory.mktemp("peer"))
    peer.start()
    wire = Wire(peer.port)
    lines = ("name,table,address,type,write", "small,holding,1,i16,yes", "fixed,holding,2,i16,no")
    settings = ModbusConnection(f"127.0.0.1:{wire.port}", lines, every=60.0)

    def make(taken: Taken) -> Connector:
        return ModbusLink("plc", settings, taken, WHO, system_clock, lambda *_: None)

    yield Case(make, wire, "plc", "small", [5, -5, 5], [40_000, "five"], "fixed")
    wire.close()
    peer.kill()


@pytest.fixture(params=["opcua", pytest.param("modbus", marks=pytest.mark.peer)])
def case(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def run(case: Case, law: Callable[[Writer, Taken], Awaitable[None]]) -> None:
    """Holds a law against a connector that is connected."""

    async def work() -> None:
        taken = Taken()
        connector = case.make(taken)
        assert isinstance(connector, Writer)
        await connector.start()
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await ready(connector)
                await law(connector, taken)
        finally:
            case.wire.unblock()
            await connector.close()

    asyncio.run(work())


async def ready(writer: Writer, *, is_wanted: bool = True) -> None:
    await until(lambda: writer.is_ready() == is_wanted)


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(100 * WAIT_SECONDS):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("waited in vain")


def test_what_passes_the_check_is_written_and_comes_back(case: Case) -> None:
    async def law(writer: Writer, taken: Taken) -> None:
        for value in case.good:
            writer.check(case.topic, case.name, value)
            before = len(taken.rows)
            outcome = await writer.write(case.topic, case.name, value)
            assert outcome.state == DONE
            row = (case.name, value)
            if outcome.is_read:
                assert row in taken.rows[before:]
            else:
                await until(lambda row=row: row in taken.rows)

    run(case, law)


def test_what_does_not_pass_is_refused_and_never_raised(case: Case) -> None:
    async def law(writer: Writer, _: Taken) -> None:
        places = [(case.topic, case.name, value) for value in case.bad]
        places += [
            (case.topic, case.closed, case.good[0]),
            (case.topic, "nothing of this name", case.good[0]),
            ("nowhere", case.name, case.good[0]),
        ]
        for place in places:
            with pytest.raises(InvalidInput):
                writer.check(*place)
            outcome = await writer.write(*place)
            assert (outcome.state, bool(outcome.said)) == (REFUSED, True), place

    run(case, law)


def test_places_stay_known_and_the_same_while_the_connection_is_broken(case: Case) -> None:
    async def law(writer: Writer, _: Taken) -> None:
        places = writer.places()
        assert case.name in places[case.topic]
        assert writer.places() is places
        case.wire.block()
        await ready(writer, is_wanted=False)
        assert writer.places() is places
        writer.check(case.topic, case.name, case.good[0])
        outcome = await writer.write(case.topic, case.name, case.good[0])
        assert outcome.state == REFUSED, "nothing has left"
        case.wire.unblock()
        await ready(writer)
        assert writer.places() is places

    run(case, law)


def test_a_connection_that_breaks_meanwhile_is_an_outcome(case: Case) -> None:
    async def law(writer: Writer, _: Taken) -> None:
        asked: asyncio.Task[Outcome] = asyncio.ensure_future(
            asyncio.wait_for(writer.write(case.topic, case.name, case.good[0]), WAIT_SECONDS)
        )
        await asyncio.sleep(0)  # it has begun, and the answer is not here
        case.wire.block()
        outcome = await asked
        assert outcome.state in (DONE, UNSURE)
        assert outcome.said or outcome.state == DONE

    run(case, law)
