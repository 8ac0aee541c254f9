"""CoAP joined to the platform: what its server may take in and show, and its place among faces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gemel.app.computed import computed_with_values
from gemel.app.host import MqttHost
from gemel.app.values import value_reader
from gemel.connect.coap.limits import Limits
from gemel.connect.coap.server import CoapServer
from gemel.core.access import Principal, lacks
from gemel.core.errors import Forbidden
from gemel.core.message import LastValue
from gemel.core.policy import READ
from gemel.live.hub import Watcher

if TYPE_CHECKING:
    from gemel.app.platform import Platform

UP = ("telemetry", "reported", "responses")
PERSONAL = ("v1/devices/me/telemetry", "v1/devices/me/attributes")


class CoapHost(MqttHost):
    """The platform as the CoAP server sees it (`core.ports.Showing`).

    Rights are those of MQTT: paths are its topics.
    """

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self._watcher = Watcher(_nothing)
        self._watched: set[str] = set()
        self._series = 0
        """How many there were when it was last looked which ones to watch."""

    def authenticate(self, name: str, secret: str) -> Principal | None:
        found = self._platform.tokens.principal(secret)
        if found is None or not (found.allows("mqtt:publish") or found.allows("mqtt:subscribe")):
            self._platform.refusals.add("coap", name)
            return None
        return found

    def takes(self, topic: str) -> bool:
        levels = topic.split("/")
        if levels[0] == "devices":
            is_single = len(levels) > 3 and levels[2] == "telemetry"
            is_answer = len(levels) == 4 and levels[2] == "responses"
            is_plain = len(levels) == 3 and levels[2] in UP[:2]
            return is_single or is_answer or is_plain
        return topic in PERSONAL or self._platform.bound_twin(topic) is not None

    # ---- what is shown -------------------------------------------------------------------

    def values(self, who: Principal, twin: str) -> list[LastValue]:
        platform = self._platform
        sight = platform.policies.sight(who)
        if who.role == "device":
            if not who.may_write_twin(twin):
                raise Forbidden(f"this token is not for twin '{twin}'", hint="it names its own")
        elif not who.allows("twins:read"):
            raise lacks(who.role, "twins:read")
        if sight is not None:
            sight.require_seen(twin)
        platform.catalogue.require_twin(twin)
        found = _values(platform, twin)
        if sight is None:
            return found
        return [one for one in found if sight.allows(READ, twin, one.name)]

    def desired(self, twin: str) -> dict[str, object]:
        return dict(self._platform.desired.told(twin))

    # ---- what has changed ----------------------------------------------------------------

    def watch(self, twin: str, is_watched: bool) -> None:
        if is_watched:
            if not self._watched:
                self._platform.hub.join(self._watcher)
            self._watched.add(twin)
            self._want(self._platform.series.of_twin(twin), is_new=False)
            return
        self._watched.discard(twin)
        series = self._platform.series.of_twin(twin)
        self._watcher.wanted[[n for n in series if n < len(self._watcher.wanted)]] = False
        if not self._watched:
            self._platform.hub.leave(self._watcher)

    def _want(self, series: list[int], *, is_new: bool) -> None:
        self._watcher.want_more(series, len(self._platform.series))
        if not is_new:  # who begins to observe is told at once
            self._watcher.dirty[series] = False

    def changed(self) -> set[str]:
        if not self._watched:
            return set()
        platform, self._watcher.events = self._platform, type(self._watcher.events)()
        if len(platform.series) > self._series:
            self._series = len(platform.series)
            for twin in self._watched:
                known = self._watcher.wanted
                new = [n for n in platform.series.of_twin(twin) if n >= len(known) or not known[n]]
                self._want(new, is_new=True)
        dirty = self._watcher.take_dirty()
        if not len(dirty):
            return {twin for twin in self._watched if platform.graph.find_twin(twin) is None}
        keys = platform.series.keys
        found = {keys[number].twin for number in np.asarray(dirty).tolist()}
        return found & self._watched


def _values(platform: Platform, twin: str) -> list[LastValue]:
    """What its faceplate shows: of its model, then what is computed; only what has a value."""
    read = value_reader(platform, twin)
    signals = platform.catalogue.signals.of(platform.catalogue.model_of(twin) or "")
    paths = [*signals, *(one.signal.path for one in computed_with_values(platform, twin))]
    stored = platform.graph.stored_values(twin)
    found = []
    for path in paths:
        if not platform.series.is_shown(twin, path):
            continue
        latest = read(path)
        if path in stored and (latest is None or stored[path][1] >= latest[1]):
            latest = stored[path]
        if latest is not None:
            found.append(LastValue(path, *latest))
    return found


def server_of(platform: Platform) -> CoapServer:
    """A server of what the platform is, with the limits of its settings; it listens nowhere yet."""
    config, dispatch = platform.config, platform.reactions.dispatch
    limits = Limits(payload_bytes=config.max_packet, behind_seconds=config.max_behind)
    return CoapServer(
        CoapHost(platform), platform.clock, limits=limits, delivered=dispatch.delivered
    )


def join(platform: Platform, coap: CoapServer) -> None:
    """One more way to devices, beside those there are."""
    publish, listeners, disconnect = platform.publish, platform.listeners, platform.disconnect
    waits_since = platform.mqtt_waits_since

    def there(topic: str) -> list[str]:
        return [who.name for who in coap.listeners(topic) if who.role == "device"]

    def oldest() -> int:
        return min((one for one in (waits_since(), coap.waits_since()) if one), default=0)

    platform.publish = lambda *message: publish(*message) + coap.publish(*message[:4])
    platform.listeners = lambda topic: listeners(topic) + there(topic)
    platform.disconnect = lambda is_meant: disconnect(is_meant) + coap.disconnect(is_meant)
    platform.mqtt_waits_since, platform.coap_statistics = oldest, coap.statistics


def _nothing() -> None:
    return
