"""Sends events to a Kafka topic: acknowledged by all replicas, in order for each twin.

librdkafka numbers what it sends (idempotent producer): what it repeats after a break is stored
once and in order. So a batch stays with it until it is acknowledged, however long that takes; only
a new start of ours can send an event a second time.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from confluent_kafka import KafkaError, KafkaException, Producer

from gemel.core.cloud_event import (
    BINARY,
    CONTENT_TYPE,
    TAKEN,
    WHOLE,
    CloudEvent,
    Fate,
    not_now,
    refused,
)

MOST = 500
"""Events on their way at once."""
POLL_SECONDS = 0.1
"""For so long the end of an endpoint may have to wait for the thread that sends."""
IDLE_SECONDS = 5.0
"""Between two looks at what librdkafka has to say while nothing is on its way."""
LONGEST_MS = 2_147_483_647
UNKNOWN_TOPIC_MS = 10_000
TOO_LARGE = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE})
REFUSED = TOO_LARGE | {KafkaError.INVALID_RECORD}
"""What a broker would say again however often it is sent this event."""
UNKNOWN_TOPIC = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
    }
)
NO_DETAIL = KafkaError._ALL_BROKERS_DOWN
"""Told after what is wrong with each of them."""
Headers: TypeAlias = dict[str, str | bytes | None]
Errors: TypeAlias = dict[int, KafkaError | None]
"""By the place of an event in its batch; None for one that was taken."""


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """Where the brokers are, the topic, and who we are there."""

    name: str
    brokers: tuple[str, ...]
    topic: str
    mode: str = BINARY
    tls: bool = False
    username: str = ""
    password: str = ""
    mechanism: str = "SCRAM-SHA-512"
    largest: int = 1_000_000
    """Bytes of a message at most."""


def configuration(settings: KafkaSettings) -> dict[str, Any]:
    """What librdkafka is told."""
    found: dict[str, Any] = {
        "bootstrap.servers": ",".join(settings.brokers),
        "client.id": f"gemel-{settings.name}",
        "enable.idempotence": True,
        "acks": "all",
        "message.timeout.ms": LONGEST_MS,
        "message.max.bytes": settings.largest,
        "batch.size": settings.largest,
        "partitioner": "murmur2_random",  # a key goes where Java's clients put it
        "topic.metadata.propagation.max.ms": UNKNOWN_TOPIC_MS,
        "socket.keepalive.enable": True,
        "log_level": 2,  # what is wrong comes as an error, once
    }
    if settings.username:
        found |= {
            "sasl.mechanism": settings.mechanism,
            "sasl.username": settings.username,
            "sasl.password": settings.password,
        }
    kind = ("SASL_" if settings.username else "") + ("SSL" if settings.tls else "PLAINTEXT")
    found["security.protocol"] = kind
    if settings.tls and (file := ssl.get_default_verify_paths().cafile):
        found["ssl.ca.location"] = file
    return found


class KafkaSender:
    """Implements `core.ports.EventSender`.

    Args:
        settings: where to, and who we are there.
        told: called on the event loop with what keeps events from being taken.
    """

    most = MOST

    def __init__(self, settings: KafkaSettings, told: Callable[[str], None]) -> None:
        self._settings = settings
        self._told = told
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, f"kafka-{settings.name}")
        self._is_closing = threading.Event()
        self._producer: Producer | None = None
        self._is_broken = False
        self._is_sending = False
        self._trouble = ""
        self._idle = self._loop.create_task(self._serve_idle())

    async def send(self, events: Sequence[CloudEvent]) -> list[Fate]:
        """Returns when each is acknowledged or cannot be: not as long as the brokers are away."""
        return await self._loop.run_in_executor(self._thread, self._send, events)

    async def close(self) -> None:
        """Gives up what is on its way; it may have arrived."""
        self._is_closing.set()
        self._idle.cancel()
        await self._loop.run_in_executor(self._thread, self._end)
        self._thread.shutdown()

    async def _serve_idle(self) -> None:
        """Errors that nobody takes would pile up in librdkafka while brokers are away."""
        while True:
            await asyncio.sleep(IDLE_SECONDS)
            await self._loop.run_in_executor(self._thread, self._serve)

    # ---- on the thread that sends ----------------------------------------------------------

    def _serve(self) -> None:
        if self._producer is not None:
            self._producer.poll(0)
            if self._is_broken:
                self._end()

    def _send(self, events: Sequence[CloudEvent]) -> list[Fate]:
        self._is_sending = True
        try:
            return self._sent(events)
        finally:
            self._is_sending = False

    def _sent(self, events: Sequence[CloudEvent]) -> list[Fate]:
        errors = self._attempt(events)
        too_large = [n for n, e in enumerate(errors) if e is not None and e.code() in TOO_LARGE]
        if too_large and len(events) > 1:
            # where a broker takes less than we were told, it refuses many for the size of all
            for place in too_large:
                errors[place] = self._attempt([events[place]])[0]
        return [fate_of(error, self._settings.topic) for error in errors]

    def _attempt(self, events: Sequence[CloudEvent]) -> list[KafkaError | None]:
        found: Errors = {}
        producer = self._producer or self._open()
        for place, event in enumerate(events):
            self._produce(producer, event, found, place)
        while len(found) < len(events) and not self._is_closing.is_set():
            producer.poll(POLL_SECONDS)
            if self._is_broken:
                self._end()
        if any(error is None for error in found.values()):
            self._trouble = ""
        lost = KafkaError(KafkaError._PURGE_INFLIGHT)
        errors = [found.get(place, lost) for place in range(len(events))]
        if any(error is not None and error.code() == KafkaError._FATAL for error in errors):
            self._end()
        return errors

    def _produce(self, producer: Producer, event: CloudEvent, found: Errors, place: int) -> None:
        value, headers = message(event, self._settings.mode)
        try:
            producer.produce(
                self._settings.topic,
                value=value,
                key=event.twin.encode(),
                headers=headers,
                on_delivery=partial(_settled, found, place),
            )
        except KafkaException as error:
            found[place] = error.args[0]
        except BufferError:  # more than its queue holds: they come again
            found[place] = KafkaError(KafkaError._QUEUE_FULL)

    def _open(self) -> Producer:
        self._is_broken = False
        quiet = logging.getLogger("gemel.kafka")
        producer = Producer(configuration(self._settings), error_cb=self._failed, logger=quiet)
        self._producer = producer
        return producer

    def _failed(self, error: KafkaError) -> None:
        if error.fatal():
            self._is_broken = True
        if not self._is_sending:
            return  # nothing waits; the next event will tell
        text = words(error)
        if error.code() == NO_DETAIL:
            text = "Kafka: none of the brokers answers: " + ", ".join(self._settings.brokers)
        if text != self._trouble and not (error.code() == NO_DETAIL and self._trouble):
            self._trouble = text
            self._loop.call_soon_threadsafe(self._told, text)

    def _end(self) -> None:
        """Ends the producer; what it still had comes back as not taken, the next is a new one."""
        producer, self._producer = self._producer, None
        self._is_broken = False
        if producer is not None:
            with suppress(KafkaException):
                producer.purge()
            producer.flush(POLL_SECONDS)


def message(event: CloudEvent, mode: str) -> tuple[bytes, Headers]:
    """Value and headers of an event.

    Source: CloudEvents, Kafka protocol binding 1.0.2, 3.2 and 3.3.
    """
    if mode != BINARY:
        return event.structured(), {"content-type": WHOLE}
    headers: Headers = {f"ce_{name}": value for name, value in event.beside.items()}
    headers["content-type"] = event.attributes[CONTENT_TYPE]
    return event.data, headers


def _settled(found: Errors, place: int, error: KafkaError | None, _: Any) -> None:
    found[place] = error


def fate_of(error: KafkaError | None, topic: str) -> Fate:
    """What librdkafka says of an event, in our words."""
    if error is None:
        return TAKEN
    if error.code() in REFUSED:
        return refused(words(error))
    if error.code() in UNKNOWN_TOPIC:
        return not_now(f"Kafka: there is no topic '{topic}'; make it, or let the brokers make it")
    return not_now(words(error))


def words(error: KafkaError) -> str:
    return f"Kafka: {error.str()} ({error.name()})"
