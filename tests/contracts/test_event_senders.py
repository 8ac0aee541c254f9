"""What every sender of events keeps to, against a real place: Kafka's protocol, MQTT, a webhook."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.test_event_mqtt import Mosquitto
from app.test_event_webhooks import Hook
from connect.kafka_peer import Kafka
from connect.opcua_peer import Wire
from gemel.app.endpoint_settings import WebhookEndpoint
from gemel.app.webhook_sender import WebhookSender
from gemel.connect.kafka.sender import KafkaSender, KafkaSettings
from gemel.connect.mqtt.sender import MqttSender, SenderSettings
from gemel.core.clock import system_clock
from gemel.core.cloud_event import TAKEN, CloudEvent
from gemel.core.ports import EventSender

Told = Callable[[str], None]
LARGEST = 2_000


class Place:
    """Where events go: makes senders to it, says what it has, and can go away."""

    wire: Wire

    async def sender(self, told: Told) -> EventSender:
        raise NotImplementedError

    def ids(self, count: int) -> list[str]:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class KafkaPlace(Place):
    def __init__(self, folder: Path) -> None:
        self.broker = Kafka(folder)
        self.broker.begin("contract", partitions=1)
        self.wire = self.broker.wire

    async def sender(self, told: Told) -> EventSender:
        brokers = (self.broker.address,)
        return KafkaSender(KafkaSettings("c", brokers, "contract", largest=LARGEST), told)

    def ids(self, count: int) -> list[str]:
        return [dict(one.headers)["ce_id"].decode() for one in self.broker.read(count)]

    def close(self) -> None:
        self.broker.close()


class MqttPlace(Place):
    def __init__(self, folder: Path) -> None:
        self.broker = Mosquitto(folder)
        self.wire = self.broker.wire

    async def sender(self, told: Told) -> EventSender:
        made = MqttSender(
            SenderSettings("127.0.0.1", self.wire.port, "c/{twin}", "c", largest=LARGEST), told
        )
        await made.start()
        return made

    def ids(self, count: int) -> list[str]:
        return [dict(m.properties.UserProperty)["id"] for m in self.broker.hear(count)]

    def close(self) -> None:
        self.broker.close()


class WebhookPlace(Place):
    def __init__(self, _: Path) -> None:
        self.hook = Hook()
        self.hook.largest = LARGEST
        self.wire = Wire(self.hook.server.server_port)

    async def sender(self, told: Told) -> EventSender:
        url = f"http://127.0.0.1:{self.wire.port}/"
        return WebhookSender(WebhookEndpoint(url), True, system_clock)

    def ids(self, count: int) -> list[str]:
        return [body["id"] for body in self.hook.bodies]

    def close(self) -> None:
        self.wire.close()
        self.hook.close()


@pytest.fixture(
    params=[
        pytest.param(KafkaPlace, id="kafka"),
        pytest.param(MqttPlace, id="mqtt", marks=pytest.mark.peer),
        pytest.param(WebhookPlace, id="webhook"),
    ]
)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    found = request.param(tmp_path)
    yield found
    found.close()


def event(number: int, size: int = 10) -> CloudEvent:
    attributes = {
        "specversion": "1.0",
        "id": str(number),
        "source": "s",
        "type": "t",
        "subject": "a",
        "time": "2026-01-01T00:00:00Z",
        "datacontenttype": "application/json",
    }
    return CloudEvent("a", system_clock(), attributes, orjson.dumps({"x": "y" * size}))


def run(place: Place, work: Callable[[EventSender, list[str]], Coroutine[Any, Any, None]]) -> None:
    async def all_of_it() -> None:
        told: list[str] = []
        sender = await place.sender(told.append)
        try:
            async with asyncio.timeout(60):
                await work(sender, told)
        finally:
            await sender.close()

    asyncio.run(all_of_it())


def test_events_arrive_in_their_order_and_each_is_answered(place: Place) -> None:
    async def work(sender: EventSender, _: list[str]) -> None:
        for first in range(0, 20, 10):
            batch = [event(number) for number in range(first, first + 10)]
            assert list(await sender.send(batch)) == [TAKEN] * 10

    run(place, work)
    assert place.ids(20) == [str(number) for number in range(20)]


def test_one_that_is_too_large_is_refused_for_good_and_keeps_no_other_away(place: Place) -> None:
    async def work(sender: EventSender, _: list[str]) -> None:
        first, large, last = await sender.send([event(1), event(2, LARGEST), event(3)])
        assert (first, last) == (TAKEN, TAKEN)
        assert (large.is_settled, large.why != "") == (True, True)

    run(place, work)
    assert place.ids(2) == ["1", "3"]


def test_what_is_sent_while_the_place_is_away_is_taken_afterwards(place: Place) -> None:
    async def work(sender: EventSender, told: list[str]) -> None:
        place.wire.block()
        left = [event(1), event(2)]
        waits = asyncio.create_task(_once(sender.send([event(0)])))
        await _stuck(told, waits)
        place.wire.unblock()
        fates = await waits
        left = [event(0), *left] if not fates[0].is_settled else left
        assert list(await sender.send(left)) == [TAKEN] * len(left)

    run(place, work)
    assert place.ids(3) == ["0", "1", "2"]


async def _stuck(told: list[str], waits: asyncio.Task[Any]) -> None:
    """Until the sender says that it cannot get through, or gives up for now."""
    while not (told or waits.done()):  # noqa: ASYNC110 - some are told by a thread
        await asyncio.sleep(0.01)


async def _once(sent: Awaitable[Any]) -> Any:
    return await sent


def test_closing_ends_what_waits(place: Place) -> None:
    async def work() -> None:
        told: list[str] = []
        place.wire.block()
        sender = await place.sender(told.append)
        waits = asyncio.create_task(_once(sender.send([event(0)])))
        await _stuck(told, waits)
        waits.cancel()
        async with asyncio.timeout(60):
            await asyncio.wait([waits])
            await sender.close()

    asyncio.run(work())
