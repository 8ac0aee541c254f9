"""What makes a sender of what is said of an endpoint: one function a kind."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING

from gemel.app import extras
from gemel.app.addresses import address
from gemel.app.endpoint_settings import Endpoint, KafkaEndpoint, MqttEndpoint
from gemel.app.webhook_sender import WebhookSender
from gemel.connect.mqtt.sender import MqttSender, SenderSettings
from gemel.core.ports import EventSender

if TYPE_CHECKING:
    from gemel.app.platform import Platform

Told = Callable[[str], None]
KAFKA = ("gemel.connect.kafka.sender", "kafka", "an endpoint of kind kafka")


async def sender(platform: Platform, name: str, of: Endpoint, told: Told) -> EventSender:
    """A sender that begins to connect, where it keeps a connection.

    Raises:
        Unavailable: a library that it needs is not installed.
    """
    if isinstance(of, KafkaEndpoint):
        return await _kafka(name, of, told)
    if isinstance(of, MqttEndpoint):
        return await _mqtt(name, of, told)
    return WebhookSender(of, platform.config.webhook_private, platform.clock)


async def check(platform: Platform, of: Endpoint) -> None:
    """Whether an endpoint of this kind can be here; a webhook is asked at once.

    Raises:
        InvalidInput: the webhook answers, and does not agree.
        Refused: its address is not public.
        Unavailable: a library is not installed, or the webhook cannot be reached now.
    """
    if isinstance(of, KafkaEndpoint):
        await extras.load(*KAFKA)
    elif not isinstance(of, MqttEndpoint):
        await WebhookSender(of, platform.config.webhook_private, platform.clock).reach()


async def _kafka(name: str, of: KafkaEndpoint, told: Told) -> EventSender:
    module = await extras.load(*KAFKA)
    settings = module.KafkaSettings(
        name,
        of.brokers,
        of.topic,
        of.mode,
        of.tls,
        of.username,
        of.password,
        of.mechanism,
        of.largest,
    )
    made: EventSender = module.KafkaSender(settings, told)
    return made


async def _mqtt(name: str, of: MqttEndpoint, told: Told) -> EventSender:
    host, port = address(of.broker, "broker")
    settings = SenderSettings(
        host,
        port,
        of.topic,
        of.client_id or f"gemel-events-{name}",
        of.username,
        of.password,
        ssl.create_default_context() if of.tls else None,
        of.version,
        of.mode,
        of.largest,
    )
    made = MqttSender(settings, told)
    await made.start()
    return made
