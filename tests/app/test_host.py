"""Who may publish, subscribe to and receive which MQTT topic."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.inside import Inside, inside, until
from gemel.app.host import MqttHost
from gemel.core.access import ROLES, Principal

WHO = {
    "device": Principal("pump-1", "device", ("pump-1",)),
    "gateway": Principal("gate", "device", ("line1-*", "extra")),
    "any": Principal("all", "device", ("*",)),
    "viewer": Principal("v", "viewer"),
    "operator": Principal("o", "operator"),
    "engineer": Principal("e", "engineer"),
    "admin": Principal("a", "admin"),
    "nobody": Principal("n", ""),
}
STAFF = "viewer operator engineer admin"
TOPICS = {
    # topic: (who may publish, who may subscribe to it, who may receive it)
    "devices/pump-1/telemetry": (
        "device any engineer admin",
        f"device any {STAFF}",
        f"device any {STAFF}",
    ),
    "devices/pump-1/telemetry/flow": (
        "device any engineer admin",
        f"device any {STAFF}",
        f"device any {STAFF}",
    ),
    "devices/pump-1/responses/c-1": (
        "device any engineer admin",
        f"device any {STAFF}",
        f"device any {STAFF}",
    ),
    "devices/pump-2/telemetry": ("any engineer admin", f"any {STAFF}", f"any {STAFF}"),
    "devices/line1-a/telemetry": (
        "gateway any engineer admin",
        f"gateway any {STAFF}",
        f"gateway any {STAFF}",
    ),
    "devices/line2-a/telemetry": ("any engineer admin", f"any {STAFF}", f"any {STAFF}"),
    "devices/pump-1/commands/stop/c-1": ("", f"device any {STAFF}", f"device any {STAFF}"),
    "devices/pump-1/desired": ("", f"device any {STAFF}", f"device any {STAFF}"),
    "devices/line1-a/commands/stop/c": ("", f"gateway any {STAFF}", f"gateway any {STAFF}"),
    "devices/line1-a/desired": ("", f"gateway any {STAFF}", f"gateway any {STAFF}"),
    "devices/pump-1/commands": ("", f"device any {STAFF}", f"device any {STAFF}"),
    "devices/pump-1": ("device any engineer admin", STAFF, STAFF),
    "v1/devices/me/telemetry": (
        "device gateway any engineer admin",
        f"device gateway any {STAFF}",
        STAFF,
    ),
    "v1/devices/me/rpc/request/1": (
        "device gateway any engineer admin",
        f"device gateway any {STAFF}",
        STAFF,
    ),
    "factory/pump-1/state": ("device any engineer admin", STAFF, STAFF),
    "factory/line1-x": ("gateway any engineer admin", STAFF, STAFF),
    "factory/other": ("any engineer admin", STAFF, STAFF),
    "bound/extra": ("gateway any engineer admin", STAFF, STAFF),
    "bound/pump-1/wrong": ("any engineer admin", STAFF, STAFF),
    "$SYS/broker": ("", STAFF, STAFF),
    "$share/g/devices/pump-1/telemetry": ("", STAFF, STAFF),
}
FILTERS = {
    "#": STAFF,
    "+/+/+": STAFF,
    "devices/#": STAFF,
    "devices/+/commands/#": f"any {STAFF}",
    "devices/pump-1/#": f"device any {STAFF}",
    "devices/pump-1/commands/+/+": f"device any {STAFF}",
    "devices/line1-a/#": f"gateway any {STAFF}",
    "devices/pump-*/#": f"any {STAFF}",
    "$share/g/devices/#": STAFF,
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("host") / "data") as found:
        found.pumps("pump-1", "pump-2")
        bindings = [
            {"id": "b", "topic": "bound/{twin}"},
            {"id": "c", "topic": "bound/{line}/wrong", "twin": "not-{line}"},
        ]
        found.ask("POST", "/plant", {"bindings": bindings})
        yield found


@pytest.fixture(scope="module")
def host(server: Inside) -> MqttHost:
    return MqttHost(server.platform)


def named(names: str) -> set[str]:
    return set(names.split())


@pytest.mark.parametrize("topic", TOPICS)
def test_who_may_what_with_a_topic(topic: str, host: MqttHost) -> None:
    publish, subscribe, receive = map(named, TOPICS[topic])
    assert {n for n, who in WHO.items() if host.may_publish(who, topic)} == publish
    assert {n for n, who in WHO.items() if host.may_subscribe(who, topic)} == subscribe
    assert {n for n, who in WHO.items() if host.may_receive(who, topic)} == receive


@pytest.mark.parametrize("topic_filter", FILTERS)
def test_who_may_subscribe_to_a_filter(topic_filter: str, host: MqttHost) -> None:
    allowed = {n for n, who in WHO.items() if host.may_subscribe(who, topic_filter)}
    assert allowed == named(FILTERS[topic_filter])


@pytest.mark.parametrize("role", sorted(ROLES))
def test_nobody_publishes_what_only_the_platform_sends(role: str, host: MqttHost) -> None:
    for twins in ((), ("*",), ("pump-1",)):
        who = Principal("x", role, twins)
        for end in ("commands/stop/1", "commands", "desired", "desired/x"):
            assert not host.may_publish(who, f"devices/pump-1/{end}")


def test_only_tokens_that_may_use_mqtt_log_in(server: Inside, host: MqttHost) -> None:
    secret = server.token("device", "pump-1")
    assert server.call(host.authenticate, "anyone", secret).twins == ("pump-1",)
    assert server.call(host.authenticate, secret, "").name == "pump-1"  # token as user name
    for name, wrong in (("pump-1", "gml_wrong"), ("pump-1", ""), ("", ""), (secret, "wrong")):
        assert server.call(host.authenticate, name, wrong) is None
    link = server.token("admin", use="link", seconds=60)
    assert server.call(host.authenticate, "x", link) is None


def test_a_device_never_hears_another(server: Inside) -> None:
    """Over the wire, with wildcards, shared names and what is retained."""
    with server.device("pump-1") as one, server.device("pump-2") as two:
        assert one.subscribe("v1/devices/me/#") == [1]
        assert one.subscribe("devices/#") == [128]
        assert one.subscribe("#") == [128]
        assert one.subscribe("devices/pump-2/#") == [128]
        assert one.subscribe("devices/pump-1/#") == [1]
        two.publish("v1/devices/me/telemetry", '{"flow": 1}')
        two.publish("v1/devices/me/rpc/request/1", '{"method": "stop"}')
        two.publish("devices/pump-2/telemetry", '{"flow": 2}')
        forged = two.client.publish("devices/pump-1/commands/stop/forged", "null", 1)
        until(lambda: forged.is_published() or not two.client.is_connected())
        one.publish("devices/pump-1/telemetry", '{"flow": 3}')
        until(lambda: one.heard)
        assert one.topics() == ["devices/pump-1/telemetry"]


def test_a_connection_that_breaks_shows_offline_and_a_goodbye_does_not(server: Inside) -> None:
    def status() -> str:
        return server.ask("GET", "/twins/pump-1")["status"]

    device = server.device("pump-1")
    device.publish("devices/pump-1/telemetry", '{"flow": 4}')
    assert status() == "live"
    again = server.device("pump-1")  # takes the connection over
    until(lambda: server.platform.presence.is_connected("pump-1"))
    assert status() == "live"
    device.drop()
    again.drop()
    until(lambda: status() == "offline", "offline")
    with server.device("pump-1") as back:
        back.publish("devices/pump-1/telemetry", '{"flow": 5}')
        assert status() == "live"
    until(lambda: not server.platform.presence.is_connected("pump-1"))
    assert status() == "live"
    server.clock.advance(61)
    assert status() == "stale"
