"""What the MQTT server may let through: one place that decides topics for principals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gemel.core.access import Principal
from gemel.core.message import Message
from gemel.core.policy import READ, WRITE
from gemel.ingest.sparkplug.session import NAMESPACE, PREFIX, is_from_host
from gemel.ingest.topics import device_id

if TYPE_CHECKING:
    from gemel.app.platform import Platform
    from gemel.app.policies import Sight

DOWN = ("commands", "desired")
"""Second levels of `devices/{twin}/...` that only the platform itself publishes."""
OWN = "v1/devices/me/"


class MqttHost:
    """The platform as the MQTT server sees it (`core.ports.Host`)."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def authenticate(self, name: str, secret: str) -> Principal | None:
        found = self._platform.tokens.principal(secret or name)
        if found is None or not (found.allows("mqtt:publish") or found.allows("mqtt:subscribe")):
            # a token may stand where the name does: of one that is not valid nothing is written
            self._platform.refusals.add("mqtt", name if secret and found is None else "")
            return None
        return found

    def may_publish(self, who: Principal, topic: str) -> bool:
        """Devices may publish below their own twins' topics and what a binding maps to them."""
        if not who.allows("mqtt:publish") or topic.startswith("$"):
            return False
        sight = self._platform.policies.sight(who)
        if sight is not None and not sight.covers(WRITE, self._twin_of(topic, who)):
            return False
        levels = topic.split("/")
        if levels[0] == "devices" and len(levels) > 2:
            if levels[2] in DOWN:
                return False
            return who.may_write_twin(levels[1])
        if who.role != "device" or topic.startswith(OWN):
            return True
        if topic.startswith(PREFIX):
            twin = "" if is_from_host(topic) else self._twin_of(topic, who)
            return bool(twin) and who.may_write_twin(twin)
        bound = self._platform.bound_twin(topic)
        if bound is not None:
            return who.may_write_twin(bound)
        return any(who.may_write_twin(level) for level in levels) or who.may_write_twin(
            ".".join(levels)
        )

    def may_subscribe(self, who: Principal, topic_filter: str) -> bool:
        if not who.allows("mqtt:subscribe"):
            return False
        if who.role != "device":
            return True  # policies are asked for each message: see `may_receive`
        levels = topic_filter.split("/")
        if levels[0] == "devices" and len(levels) > 2:
            return who.may_write_twin(levels[1])
        return topic_filter.startswith(OWN) or _is_of_node(who, levels)

    def may_receive(self, who: Principal, topic: str) -> bool:
        sight = self._platform.policies.sight(who)
        if sight is not None and who.role != "device":
            return who.allows("mqtt:subscribe") and self._may_read(sight, who, topic)
        if who.role != "device":
            return who.allows("mqtt:subscribe")
        levels = topic.split("/")
        if levels[0] == "devices" and len(levels) > 2:
            return who.may_write_twin(levels[1])
        # what is below v1/devices/me/ is another device's, for all we know
        return _is_of_node(who, levels)

    def _twin_of(self, topic: str, who: Principal) -> str:
        """The twin that a topic is about, "" if it cannot be told."""
        levels = topic.split("/")
        if levels[0] == "devices" and len(levels) > 2:
            return levels[1]
        return self._platform.ingest_stage.device_of(topic, who)

    def _may_read(self, sight: Sight, who: Principal, topic: str) -> bool:
        """Whether policies let a message through: all of its twin, or the one name it carries."""
        twin = self._twin_of(topic, who)
        if twin not in self._platform.graph.twins:
            return False
        if sight.covers(READ, twin):
            return True
        levels = topic.split("/")
        is_single = levels[0] == "devices" and len(levels) == 4 and levels[2] == "telemetry"
        return is_single and sight.allows(READ, twin, levels[3])

    def accept(self, messages: Sequence[Message], done: Callable[[Exception | None], None]) -> None:
        self._platform.accept(messages, done)

    def is_urgent(self, topic: str) -> bool:
        """Answers to commands: somebody waits for them."""
        return "/responses/" in topic and topic.startswith("devices/")

    def lost(self, messages: Sequence[Message], cause: str) -> None:
        self._platform.gaps.note(messages, cause)

    def connected(self, who: Principal, client_id: str) -> None:
        self._platform.presence.connected(_speaks_for(who, client_id))

    def disconnected(self, who: Principal, client_id: str, cause: str) -> None:
        lost_at = 0 if cause in ("goodbye", "taken-over") else self._platform.clock()
        self._platform.presence.disconnected(_speaks_for(who, client_id), lost_at)


def _is_of_node(who: Principal, levels: list[str]) -> bool:
    """Whether topics are those of an edge node's commands, or of the states of hosts."""
    if levels[0] != NAMESPACE or len(levels) < 3:
        return False
    if levels[1] == "STATE":
        return True
    if levels[2] not in ("NCMD", "DCMD") or len(levels) < 4 or "+" in levels[1:4]:
        return False
    return levels[3] != "#" and who.may_write_twin(device_id(f"{levels[1]}.{levels[3]}"))


def _speaks_for(who: Principal, client_id: str) -> set[str]:
    if who.role != "device":
        return set()
    found = {twin for twin in who.twins if not set(twin) & set("*?[")}
    if who.may_write_twin(client_id):
        found.add(client_id)
    return found
