"""The work for one endpoint: order, what is sent again, what is dropped, how much waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from gemel.app import event_delivery
from gemel.app.event_delivery import Delivery, Page
from gemel.core.clock import FakeClock
from gemel.core.cloud_event import TAKEN, CloudEvent, Fate, not_now, refused
from gemel.core.errors import Unavailable


def event(name: str, data: bytes = b"{}") -> CloudEvent:
    attributes = {"id": name, "type": "t", "subject": name.split(".")[0]}
    return CloudEvent(attributes["subject"], 0, attributes, data)


class Place:
    """Where events go: notes them, and answers as it is told."""

    most = 3

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.taken: list[str] = []
        self.answers: dict[str, list[Fate]] = {}
        self.is_open = asyncio.Event()
        self.is_open.set()
        self.closed = 0
        self.told: Callable[[str], None] = lambda _: None

    async def send(self, events: Sequence[CloudEvent]) -> list[Fate]:
        names = [one.attributes["id"] for one in events]
        self.batches.append(names)
        await self.is_open.wait()
        found = [self.answers[n].pop(0) if self.answers.get(n) else TAKEN for n in names]
        self.taken += [n for n, fate in zip(names, found, strict=True) if fate is TAKEN]
        return found

    async def close(self) -> None:
        self.closed += 1


class Bench:
    """A delivery over edits that the test writes."""

    def __init__(self) -> None:
        self.place = Place()
        self.edits: list[tuple[int, CloudEvent | None]] = []
        self.moves = 0
        self.refusals = 0
        self.delivery = Delivery(
            "d", 0, make=self._make, read=self._read, moved=self._moved, clock=FakeClock()
        )

    async def _make(self, told: Callable[[str], None]) -> Place:
        if self.refusals:
            self.refusals -= 1
            raise Unavailable("the library is missing")
        self.place.told = told
        return self.place

    async def _read(self, cursor: int) -> Page:
        return [one for one in self.edits if one[0] > cursor][:5]

    def _moved(self) -> None:
        self.moves += 1

    def edit(self, *names: str) -> None:
        for name in names:
            self.edits.append((len(self.edits) + 1, event(name) if name else None))
        self.delivery.changed()


def run(work: Callable[[Bench], Coroutine[Any, Any, None]], refusals: int = 0) -> None:
    async def all_of_it() -> None:
        bench = Bench()
        bench.refusals = refusals
        bench.delivery.begin()
        try:
            async with asyncio.timeout(60):
                await work(bench)
        finally:
            task = bench.delivery.end()
            assert task is not None
            await asyncio.wait([task])

    asyncio.run(all_of_it())


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 - what it waits for is a turn of the loop away
        await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses are short."""
    monkeypatch.setattr(event_delivery, "FIRST_SECONDS", 0.001)


def test_edits_are_told_in_order_in_batches_and_the_cursor_follows() -> None:
    async def work(bench: Bench) -> None:
        bench.edit("a.1", "", "a.2", "b.1", "", "a.3", "a.4")
        await until(lambda: bench.delivery.cursor == 7)
        assert bench.place.taken == ["a.1", "a.2", "b.1", "a.3", "a.4"]
        assert max(map(len, bench.place.batches)) <= Place.most
        assert (bench.delivery.delivered, bench.delivery.dropped) == (5, 0)
        assert bench.moves

    run(work)


def test_what_was_not_taken_is_sent_again_and_the_cursor_stays_before_it() -> None:
    async def work(bench: Bench) -> None:
        bench.place.answers = {"a.2": [not_now("busy"), not_now("busy")]}
        bench.edit("a.1", "a.2", "a.3", "a.4")
        await until(lambda: bench.delivery.last_error)
        assert bench.delivery.cursor == 0
        assert "busy" in bench.delivery.last_error
        await until(lambda: bench.delivery.cursor == 4)
        assert bench.place.batches == [["a.1", "a.2", "a.3"], ["a.2"], ["a.2"], ["a.4"]]
        assert (bench.delivery.delivered, bench.delivery.last_error) == (4, "")

    run(work)


def test_what_is_refused_for_good_is_dropped_with_a_record() -> None:
    async def work(bench: Bench) -> None:
        bench.place.answers = {"a.1": [refused("too large")]}
        bench.edit("a.1", "a.2")
        await until(lambda: bench.delivery.cursor == 2)
        assert bench.place.taken == ["a.2"]
        assert bench.delivery.dropped == 1
        assert [(drop["id"], drop["why"]) for drop in bench.delivery.drops] == [
            ("a.1", "too large")
        ]

    run(work)


def test_telemetry_waits_in_bounds_and_the_oldest_goes_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_delivery, "MOST_WAITING", 4)

    async def work(bench: Bench) -> None:
        bench.place.is_open.clear()
        bench.delivery.offer(event("t.0"))
        await until(lambda: bench.place.batches)
        for number in range(1, 8):
            bench.delivery.offer(event(f"t.{number}"))
        assert bench.delivery.dropped == 3
        assert bench.delivery.telemetry_waiting == 5
        bench.place.is_open.set()
        await until(lambda: bench.delivery.telemetry_waiting == 0)
        assert bench.place.taken == ["t.0", "t.4", "t.5", "t.6", "t.7"]

    run(work)


def test_telemetry_waits_in_bounds_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_delivery, "MOST_WAITING_BYTES", 250_000)

    async def work(bench: Bench) -> None:
        bench.place.is_open.clear()
        bench.delivery.offer(event("t.0"))
        await until(lambda: bench.place.batches)
        for number in range(1, 5):
            bench.delivery.offer(event(f"t.{number}", b"x" * 100_000))
        assert bench.delivery.telemetry_waiting == 3
        bench.place.is_open.set()
        await until(lambda: bench.delivery.telemetry_waiting == 0)
        assert bench.place.taken == ["t.0", "t.3", "t.4"]

    run(work)


def test_an_endless_flow_of_telemetry_does_not_keep_changes_away() -> None:
    async def work(bench: Bench) -> None:
        send = bench.place.send

        async def and_more(events: Sequence[CloudEvent]) -> list[Fate]:
            bench.delivery.offer(event("t.more"))
            await asyncio.sleep(0)
            return await send(events)

        bench.place.send = and_more  # type: ignore[method-assign]
        bench.delivery.offer(event("t.first"))
        await until(lambda: len(bench.place.batches) > 3)
        bench.edit("a.1")
        await until(lambda: bench.delivery.cursor == 1)

    run(work)


def test_beginning_again_closes_what_ran_before_and_loses_nothing() -> None:
    async def work(bench: Bench) -> None:
        bench.place.is_open.clear()
        bench.edit("a.1", "a.2")
        await until(lambda: bench.place.batches)
        first, bench.place = bench.place, Place()
        bench.delivery.begin()
        await until(lambda: bench.delivery.cursor == 2)
        assert (first.closed, first.taken) == (1, [])
        assert bench.place.taken == ["a.1", "a.2"]
        bench.place.is_open.clear()
        bench.delivery.offer(event("t.1"))
        await until(lambda: ["t.1"] in bench.place.batches)
        bench.place = Place()
        bench.delivery.begin()
        await until(lambda: bench.place.taken == ["t.1"])

    run(work)


def test_a_place_that_cannot_be_made_is_told_and_tried_again() -> None:
    async def work(bench: Bench) -> None:
        bench.edit("a.1")
        await until(lambda: "missing" in bench.delivery.last_error)
        await until(lambda: bench.place.taken == ["a.1"])
        assert bench.delivery.last_error == ""

    run(work, refusals=2)


def test_trouble_that_the_sender_tells_of_stands_until_it_is_over() -> None:
    async def work(bench: Bench) -> None:
        await until(lambda: bench.place.told.__name__ == "_told")
        bench.place.told("nobody there")
        assert "nobody there" in bench.delivery.last_error
        bench.place.told("")
        assert bench.delivery.last_error == ""

    run(work)
