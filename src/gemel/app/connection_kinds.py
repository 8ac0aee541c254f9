"""What makes a connector of what is said of it: one function a kind."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from gemel.app import extras
from gemel.app.addresses import address
from gemel.app.connection_settings import Connection, MqttConnection
from gemel.app.gaps import Loss
from gemel.app.sparkplug import state_payload
from gemel.connect.modbus.link import ModbusLink
from gemel.connect.modbus.settings import ModbusConnection
from gemel.connect.mqtt.bridge import Bridge, BridgeSettings
from gemel.connect.mqtt.client import Will
from gemel.connect.opcua.settings import FOLDER, LinkSettings
from gemel.core.access import Principal
from gemel.core.message import Message, Samples
from gemel.core.ports import Connector
from gemel.ingest.sparkplug.session import STATE

if TYPE_CHECKING:
    from gemel.app.platform import Platform

Told = Callable[[str, str], None]


class PlatformIntake:
    """The platform as connectors see it (`core.ports.Intake`)."""

    def __init__(self, platform: Platform, who: Principal) -> None:
        self._platform = platform
        self._who = who

    def accept(
        self, messages: Sequence[Message | Samples], done: Callable[[Exception | None], None]
    ) -> None:
        self._platform.accept(messages, done)

    def _device(self, topic: str) -> str:
        return self._platform.ingest_stage.device_of(topic, self._who)

    def heard(self, topic: str) -> int:
        state = self._platform.state
        found = [state.get(one) for one in self._platform.series.of_twin(self._device(topic))]
        return max((one.received for one in found if one is not None), default=0)

    def missed(self, topics: Iterable[str], first: int, last: int, cause: str) -> None:
        devices = {self._device(topic) for topic in topics}
        losses = (Loss(device, first, last, 1) for device in sorted(devices))
        self._platform.gaps.add(losses, cause)


async def connector(platform: Platform, name: str, of: Connection, told: Told) -> Connector:
    """A connector that has not begun.

    Raises:
        Unavailable: a library that it needs is not installed.
    """
    who = Principal(f"connection {name}", "device", ("*",))
    intake = PlatformIntake(platform, who)
    if isinstance(of, MqttConnection):
        host, port = address(of.broker, f"connections.{name}.broker")
        bridge = BridgeSettings(
            host,
            port,
            of.client_id or f"gemel-{name}",
            of.username,
            of.password,
            tls=ssl.create_default_context() if of.tls else None,
            birth=_host_state(platform, of, is_online=True),
            will=_host_state(platform, of, is_online=False),
        )
        return Bridge(bridge, of.topics, intake, who, platform.clock, on_state=told)
    if isinstance(of, ModbusConnection):
        return ModbusLink(name, of, intake, who, platform.clock, told)
    module = await extras.load("gemel.connect.opcua.link", "opcua", "OPC UA")
    link = LinkSettings(
        **vars(of),
        name=name,
        folder=platform.folder.path / FOLDER,
        skew=platform.config.future_tolerance,
    )
    made: Connector = module.OpcUaLink(link, intake, who, platform.clock, told)
    return made


def _host_state(platform: Platform, of: MqttConnection, *, is_online: bool) -> Will | None:
    """What a Sparkplug host says of itself on that broker; both say the same time."""
    host = platform.config.sparkplug_host
    if not of.sparkplug or not host:
        return None
    return Will(STATE + host, state_payload(platform.sparkplug.since, is_online=is_online), 1, True)
