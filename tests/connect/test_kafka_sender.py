"""What librdkafka is told, and what its answers become."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from gemel.connect.kafka import sender
from gemel.connect.kafka.sender import KafkaSender, KafkaSettings, configuration, fate_of
from gemel.core.cloud_event import TAKEN, CloudEvent, Fate

SETTINGS = KafkaSettings("k", ("127.0.0.1:1",), "t")


def event(number: int) -> CloudEvent:
    attributes = {"id": str(number), "datacontenttype": "application/json"}
    return CloudEvent("a", 0, attributes, b"{}")


class Library:
    """A producer in the place of librdkafka's, for what no broker here does: its rules are told."""

    def __init__(self, most_in_a_set: int, is_fatal: bool = False) -> None:
        self.most, self.is_fatal = most_in_a_set, is_fatal
        self.stored: list[str] = []
        self.made = 0
        self.polls = 0
        self._waiting: list[tuple[str, Callable[..., None]]] = []

    def __call__(self, configuration: Any, **_: Any) -> Library:
        self.made += 1
        return self

    def produce(self, topic: str, *, headers: Any, on_delivery: Any, **_: Any) -> None:
        if self.is_fatal and self.made == 1:
            raise KafkaException(KafkaError(KafkaError._FATAL, "fenced", fatal=True))
        self._waiting.append((dict(headers)["ce_id"], on_delivery))

    def poll(self, _: float) -> None:
        self.polls += 1
        waiting, self._waiting = self._waiting, []
        for name, settled in waiting:
            if len(waiting) > self.most:
                settled(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE), None)
            else:
                self.stored.append(name)
                settled(None, None)

    def purge(self) -> None:
        pass

    def flush(self, _: float) -> None:
        pass


def send(monkeypatch: pytest.MonkeyPatch, library: Library, count: int) -> list[Fate]:
    monkeypatch.setattr(sender, "Producer", library)

    async def work() -> list[Fate]:
        one = KafkaSender(SETTINGS, lambda _: None)
        try:
            found = await one.send([event(number) for number in range(count)])
            return [*found, *(await one.send([event(count)]))]
        finally:
            await one.close()

    return asyncio.run(work())


def test_a_set_that_is_too_large_together_is_sent_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    library = Library(most_in_a_set=1)
    assert send(monkeypatch, library, 3) == [TAKEN] * 4
    assert library.stored == ["0", "1", "2", "3"]


def test_after_a_fatal_error_a_new_producer_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library(most_in_a_set=100, is_fatal=True)
    first, second, third = send(monkeypatch, library, 2)
    assert (first.is_settled, second.is_settled, third) == (False, False, TAKEN)
    assert (library.made, library.stored) == (2, ["2"])


def test_what_librdkafka_has_to_say_is_heard_while_nothing_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    library = Library(most_in_a_set=100)
    monkeypatch.setattr(sender, "Producer", library)
    monkeypatch.setattr(sender, "IDLE_SECONDS", 0.001)
    told: list[str] = []

    async def work() -> None:
        one = KafkaSender(SETTINGS, told.append)
        await one.send([event(1)])
        polls = library.polls
        async with asyncio.timeout(60):
            while library.polls < polls + 3:  # noqa: ASYNC110 - a thread counts
                await asyncio.sleep(0)
        one._failed(KafkaError(KafkaError._TRANSPORT))
        await one.close()

    asyncio.run(work())
    assert told == [], "nothing waits"


@pytest.mark.parametrize(
    ("code", "is_settled", "word"),
    [
        (KafkaError.MSG_SIZE_TOO_LARGE, True, "MSG_SIZE_TOO_LARGE"),
        (KafkaError.INVALID_RECORD, True, "INVALID_RECORD"),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, False, "TOPIC_AUTHORIZATION_FAILED"),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, False, "there is no topic 'plant'"),
        (KafkaError.NOT_ENOUGH_REPLICAS, False, "NOT_ENOUGH_REPLICAS"),
    ],
)
def test_errors_are_told_in_words(code: int, is_settled: bool, word: str) -> None:
    found = fate_of(KafkaError(code), "plant")
    assert (found.is_settled, word in found.why) == (is_settled, True)


@pytest.mark.parametrize(
    ("more", "protocol"),
    [
        ({}, "PLAINTEXT"),
        ({"tls": True}, "SSL"),
        ({"username": "u", "password": "p"}, "SASL_PLAINTEXT"),
        ({"username": "u", "password": "p", "tls": True, "mechanism": "PLAIN"}, "SASL_SSL"),
    ],
)
def test_librdkafka_takes_what_it_is_told(more: dict[str, Any], protocol: str) -> None:
    told = configuration(KafkaSettings("k", ("127.0.0.1:1", "127.0.0.1:2"), "t", **more))
    assert (told["security.protocol"], told["enable.idempotence"]) == (protocol, True)
    Producer(told).purge()


def test_closing_ends_what_waits_for_brokers_that_are_not_there() -> None:
    async def work() -> list[str]:
        told: list[str] = []
        heard = asyncio.Event()

        def hear(text: str) -> None:
            told.append(text)
            heard.set()

        one = KafkaSender(SETTINGS, hear)
        waits = asyncio.create_task(one.send([event(1)]))
        await heard.wait()
        assert not waits.done()
        await one.close()
        assert not (await waits)[0].is_settled
        return told

    async def in_time() -> list[str]:
        async with asyncio.timeout(60):
            return await work()

    assert "127.0.0.1:1" in asyncio.run(in_time())[0]
