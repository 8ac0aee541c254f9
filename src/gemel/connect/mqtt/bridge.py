"""The bridge to a site's own broker: what is published there comes in here, none of it lost.

It holds a persistent session on the other broker and acknowledges a message there only after the
platform has it durably; when the platform refuses, the connection is broken so that the other
broker delivers again.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gemel.connect.mqtt.client import InboundMessage, MqttClient, Will
from gemel.connect.mqtt.packets import Property
from gemel.core.access import Principal
from gemel.core.clock import Clock
from gemel.core.document import Json
from gemel.core.errors import GemelError, InvalidInput
from gemel.core.message import Message
from gemel.core.ports import Intake

GOODBYE_SECONDS = 1.0
"""For what we say when we go to be acknowledged."""


@dataclass(frozen=True, slots=True)
class BridgeSettings:
    """Where the other broker is and who we are there.

    `client_id` names the session there: it must stay the same over restarts.
    """

    host: str
    port: int = 1883
    client_id: str = "gemel-bridge"
    username: str = ""
    password: str = ""
    keep_alive: int = 30
    version: int = 5
    session_expiry: int = 7 * 86_400
    tls: ssl.SSLContext | None = None
    qos: int = 1
    inflight: int = 1_000
    """Messages taken from the other broker and not yet durable here."""
    undurable_bytes: int = 16 * 1024 * 1024
    birth: Will | None = None
    """What is published there each time when connected; without it nothing is ever published."""
    will: Will | None = None
    """What is published there when we go, by ourselves or by that broker."""


class Bridge:
    """Subscribes on another broker and feeds `Intake.accept`.

    Args:
        settings: the other broker.
        filters: topic filters to subscribe to there.
        host: the platform.
        who: in whose name the messages come in.
        clock: wall clock in ns.
        on_state: as for `MqttClient`.
    """

    def __init__(
        self,
        settings: BridgeSettings,
        filters: Sequence[str],
        host: Intake,
        who: Principal,
        clock: Clock,
        *,
        on_state: Callable[[str, str], None] | None = None,
    ) -> None:
        if not filters or not settings.client_id:
            raise InvalidInput(
                "a bridge needs a client id and at least one topic filter",
                hint="name what to subscribe to, for example 'plant/#'",
            )
        self._settings = settings
        self._filters = list(filters)
        self._host = host
        self.who = who
        self._clock = clock
        self.accepted = 0
        self.refused = 0
        self._pending: list[InboundMessage] = []
        self._held_bytes = 0
        self._held_messages = 0
        self._tasks: list[asyncio.Task[int]] = []
        self._watch: asyncio.Task[None] | None = None
        self._tell = on_state
        self.client = MqttClient(
            settings.host,
            settings.port,
            client_id=settings.client_id,
            username=settings.username,
            password=settings.password,
            keep_alive=settings.keep_alive,
            clean=False,
            session_expiry=settings.session_expiry,
            version=settings.version,
            tls=settings.tls,
            on_message=self._take,
            manual_ack=True,
            max_inflight=settings.inflight,
            on_state=self._on_state,
            will=settings.will,
        )

    @property
    def state(self) -> str:
        return self.client.state

    async def start(self) -> None:
        """Begins to connect; subscribing follows by itself."""
        loop = asyncio.get_running_loop()
        await self.client.start()
        self._tasks = [
            loop.create_task(self.client.subscribe(name, self._settings.qos))
            for name in self._filters
        ]
        self._watch = loop.create_task(self._tell_of_refusal())

    async def _tell_of_refusal(self) -> None:
        """Says when the other broker grants a connection, and not what was asked for on it."""
        try:
            await self.subscribed()
        except GemelError as error:
            if self._tell is not None:
                self._tell("refused", error.message)

    def facts(self) -> Json:
        return {"clientId": self._settings.client_id}

    async def subscribed(self) -> None:
        """Waits until the other broker granted all subscriptions.

        Raises:
            Refused: it granted one of them not.
        """
        await asyncio.gather(*self._tasks)

    def may_publish(self) -> bool:
        """Whether something can be sent to the other broker now."""
        return self._settings.birth is not None and self.client.state == "connected"

    def publish(self, topic: str, payload: bytes) -> bool:
        """Sends a message to the other broker now (QoS 0), or not at all; whether it is sent."""
        return self.may_publish() and _silent(self.client.publish_nowait(topic, payload, 0)).done()

    def tell_birth(self) -> None:
        """Says there that we are there."""
        if self._settings.birth is not None:
            self._publish(self._settings.birth)

    def _publish(self, what: Will) -> asyncio.Future[None]:
        return _silent(self.client.publish_nowait(what.topic, what.payload, what.qos, what.retain))

    def _on_state(self, state: str, why: str) -> None:
        if state == "connected":
            self.tell_birth()
        if self._tell is not None:
            self._tell(state, why)

    async def close(self) -> None:
        """Stops; what is not acknowledged there is delivered again to the next start."""
        if self._settings.will is not None and self.client.state == "connected":
            await asyncio.wait([self._publish(self._settings.will)], timeout=GOODBYE_SECONDS)
        await self.client.close()
        tasks = [*self._tasks, *([self._watch] if self._watch else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _take(self, message: InboundMessage) -> None:
        if not self._pending:
            asyncio.get_running_loop().call_soon(self._flush)
        self._pending.append(message)
        self._held_bytes += len(message.payload) + len(message.topic)
        self._held_messages += 1
        if self._is_full():
            self.client.pause("undurable")

    def _is_full(self) -> bool:
        settings = self._settings
        return (
            self._held_bytes >= settings.undurable_bytes or self._held_messages >= settings.inflight
        )

    def _flush(self) -> None:
        taken, self._pending = self._pending, []
        now = self._clock()
        who = self.who
        messages = [
            Message(
                one.topic,
                one.payload,
                now,
                who,
                str(one.properties.get(Property.CONTENT_TYPE, "")),
            )
            for one in taken
        ]
        is_called = False

        def done(error: Exception | None) -> None:
            nonlocal is_called
            if not is_called:
                is_called = True
                self._done(taken, error)

        try:
            self._host.accept(messages, done)
        except Exception as error:  # noqa: BLE001 - whatever it was, the messages come again
            done(error)

    def _done(self, taken: list[InboundMessage], error: Exception | None) -> None:
        self._held_bytes -= sum(len(one.payload) + len(one.topic) for one in taken)
        self._held_messages -= len(taken)
        if error is None:
            self.accepted += len(taken)
            for one in taken:
                one.ack()
        else:
            self.refused += len(taken)
            self.client.reconnect(f"the platform did not take messages in: {error}")
        if not self._is_full():
            self.client.resume("undurable")


def _silent(future: asyncio.Future[None]) -> asyncio.Future[None]:
    """Whose failure nobody needs to look at: the state of the connection tells it."""
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    return future
