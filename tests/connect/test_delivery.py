"""What a connector took is offered until it is durable, and bounded meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

import pytest

from gemel.connect.delivery import MOST_UNDURABLE, Delivery
from gemel.core.access import Principal
from gemel.core.message import Message, Sample, Samples

WHO = Principal("connection a", "device", ("*",))
Done = Callable[[Exception | None], None]


class Full:
    """An intake whose disk is full until it is told otherwise."""

    def __init__(self) -> None:
        self.is_full = True
        self.offers = 0
        self.taken: list[object] = []
        self.waiting: list[tuple[Sequence[Message | Samples], Done]] = []

    def accept(self, messages: Sequence[Message | Samples], done: Done) -> None:
        self.offers += 1
        if self.is_full:
            raise OSError("no space left")
        self.waiting.append((messages, done))

    def settle(self) -> None:
        for messages, done in self.waiting:
            self.taken += [
                row.value for one in messages if isinstance(one, Samples) for row in one.rows
            ]
            done(None)
            done(OSError("said twice"))
        self.waiting.clear()

    def heard(self, topic: str) -> int:
        return 0

    def missed(self, topics: Iterable[str], first: int, last: int, cause: str) -> None: ...


def samples(value: float) -> list[Samples]:
    return [Samples("a", [Sample("x", value, 1, 0), Sample("y", value, 1, 0)], 1, WHO)]


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(10_000):
        if holds():
            return
        await asyncio.sleep(0)
    raise AssertionError("waited in vain")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gemel.connect.delivery.RETRY", 0.0)


def test_what_is_not_taken_is_offered_again_and_told_once_it_is() -> None:
    async def work() -> None:
        intake, told, durable = Full(), list[str](), list[int]()
        delivery = Delivery(
            intake, lambda *said: told.append(" ".join(said)), lambda: told.append("mended")
        )
        delivery.deliver(samples(1.0), lambda: durable.append(1))
        await until(lambda: intake.offers == 3)
        assert (delivery.accepted, delivery.refused, durable) == (0, 6, [])
        assert "no space left" in told[0]
        intake.is_full = False
        await until(lambda: bool(intake.waiting))
        intake.settle()
        assert (intake.taken, durable, delivery.accepted) == ([1.0, 1.0], [1], 2)
        assert told[-1] == "mended"

    asyncio.run(work())


def test_no_more_than_some_are_taken_before_they_are_durable() -> None:
    async def work() -> None:
        intake = Full()
        intake.is_full = False
        delivery = Delivery(intake, lambda *_: None, lambda: None)
        for number in range(MOST_UNDURABLE):
            await asyncio.wait_for(delivery.room(), 10)
            delivery.deliver(samples(number))
        room = asyncio.ensure_future(delivery.room())
        await asyncio.sleep(0)
        assert not room.done()
        intake.settle()
        await asyncio.wait_for(room, 10)

    asyncio.run(work())


def test_what_cannot_be_stored_is_given_up_when_the_connector_ends() -> None:
    async def work() -> None:
        intake, durable = Full(), list[int]()
        delivery = Delivery(intake, lambda *_: None, lambda: None)
        delivery.deliver(samples(1.0), lambda: durable.append(1))
        await delivery.settle(0.01)
        await asyncio.sleep(0)
        offers = intake.offers
        for _ in range(10):
            await asyncio.sleep(0)
        assert (intake.offers <= offers + 1, durable) == (True, [])

    asyncio.run(work())
