"""The bridge and our client against a real mosquitto, also while it is stopped and started."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess

import pytest

from gemel.connect.mqtt.bridge import Bridge, BridgeSettings
from gemel.connect.mqtt.client import MqttClient, Will
from gemel.connect.mqtt.journal import MemorySessions
from gemel.connect.mqtt.server import MqttServer
from gemel.core.access import Principal
from gemel.core.clock import system_clock
from gemel.core.errors import InvalidInput, Unavailable

WHO = Principal("site-broker", "engineer")
needs_mosquitto = pytest.mark.skipif(
    shutil.which("mosquitto") is None, reason="mosquitto is not installed"
)
peer = pytest.mark.peer


class Mosquitto:
    """A real broker with persistence, on a port of its own."""

    def __init__(self, folder) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        (folder / "mosquitto.conf").write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
            f"persistence_location {folder}/\nmax_queued_messages 0\nuser root\n"
        )
        self.process: subprocess.Popen | None = None

    async def start(self) -> None:
        self.process = subprocess.Popen(  # noqa: ASYNC220 - it outlives the loop
            ["mosquitto", "-c", str(self.folder / "mosquitto.conf")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        async with asyncio.timeout(60):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    assert self.process.poll() is None
                    await asyncio.sleep(0.02)
                    continue
                writer.close()
                return

    async def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            await asyncio.to_thread(self.process.wait, 60)
            self.process = None


@pytest.fixture
def mosquitto(tmp_path):
    broker = Mosquitto(tmp_path)
    yield broker
    if broker.process is not None:
        broker.process.kill()
        broker.process.wait()


def bridged(host, port: int, **values) -> Bridge:
    settings = BridgeSettings("127.0.0.1", port, client_id="gemel", **values)
    return Bridge(settings, ["plant/#"], host, WHO, system_clock)


@peer
@needs_mosquitto
@pytest.mark.parametrize("version", [4, 5])
def test_our_client_speaks_with_mosquitto(run, mosquitto, wait_until, version):
    async def scenario():
        await mosquitto.start()
        got: list = []
        values = {"version": version, "session_expiry": 100 if version == 5 else 0}
        client = MqttClient(
            "127.0.0.1", mosquitto.port, client_id="a", on_message=got.append, **values
        )
        dying = MqttClient(
            "127.0.0.1", mosquitto.port, client_id="b", will=Will("plant/b", b"lost", 2), **values
        )
        await client.start()
        await dying.start()
        await dying.connected()
        assert await client.subscribe("plant/+", 2) == 2
        await asyncio.gather(*(client.publish("plant/a", b"%d" % n, n % 3) for n in range(90)))
        await wait_until(lambda: len(got) == 90)
        assert sorted(int(m.payload) for m in got) == list(range(90))
        dying._link.transport.abort()
        await wait_until(lambda: got[-1].payload == b"lost")
        await dying.close()
        await client.close()
        await mosquitto.stop()

    run(scenario())


@peer
@needs_mosquitto
@pytest.mark.parametrize("version", [4, 5])
def test_the_bridge_loses_nothing_while_mosquitto_and_itself_restart(
    run_once, host, mosquitto, wait_until, version
):
    async def scenario():
        await mosquitto.start()
        bridge = bridged(host, mosquitto.port, version=version, inflight=50)
        await bridge.start()
        await bridge.subscribed()
        writer = MqttClient("127.0.0.1", mosquitto.port, client_id="w", version=version)
        await writer.start()
        await writer.connected()
        sent = []
        futures = []

        def publish(count: int) -> None:
            for _ in range(count):
                payload = b"%d" % len(sent)
                sent.append(payload)
                futures.append(writer.publish_nowait("plant/p", payload, 1))

        publish(300)
        await wait_until(lambda: len(host.messages) > 20)
        await mosquitto.stop()
        publish(200)
        await mosquitto.start()
        await wait_until(lambda: bridge.state == "connected")
        publish(200)
        await wait_until(lambda: len(host.messages) > 350)
        await bridge.close()
        publish(200)
        await asyncio.gather(*futures)
        bridge = bridged(host, mosquitto.port, version=version)
        await bridge.start()
        await wait_until(lambda: {m.payload for m in host.messages} >= set(sent))
        assert {m.who for m in host.messages} == {WHO}
        await bridge.close()
        await writer.close()
        await mosquitto.stop()

    run_once(scenario())


@peer
@needs_mosquitto
def test_what_the_platform_refuses_comes_again(run_once, host, mosquitto, wait_until):
    async def scenario():
        await mosquitto.start()
        bridge = bridged(host, mosquitto.port)
        await bridge.start()
        await bridge.subscribed()
        writer = MqttClient("127.0.0.1", mosquitto.port, client_id="w")
        await writer.start()
        host.error = Unavailable("the disk is full")
        await writer.publish("plant/a", b"1")
        await wait_until(lambda: bridge.refused > 0)
        assert bridge.accepted == 0
        host.error = None
        await wait_until(lambda: bridge.accepted == 1)
        assert {m.payload for m in host.messages} == {b"1"}
        await writer.close()
        await bridge.close()
        await mosquitto.stop()

    run_once(scenario())


def test_the_bridge_holds_a_bounded_number_of_messages(run, host, wait_until):
    async def scenario():
        theirs = type(host)()
        server = MqttServer(theirs, MemorySessions(), system_clock)
        _, port = await server.start("127.0.0.1", 0)
        host.is_manual = True
        bridge = bridged(host, port, username="secret", inflight=10)
        await bridge.start()
        await bridge.subscribed()
        for n in range(100):
            server.publish("plant/a", b"%d" % n, 1)
        await wait_until(lambda: len(host.messages) == 10)
        assert server.statistics()["queued"] == 100
        taken = 0
        while taken < 100:
            await wait_until(lambda: host.pending)
            assert len(host.messages) - taken <= 10
            taken = len(host.messages)
            while host.pending:
                host.pending.pop(0)(None)
        await wait_until(lambda: server.statistics()["queued"] == 0)
        assert [m.payload for m in host.messages] == [b"%d" % n for n in range(100)]
        await bridge.close()
        await server.close()

    run(scenario())


def test_a_bridge_without_filters_is_refused(host):
    with pytest.raises(InvalidInput) as caught:
        Bridge(BridgeSettings("x"), [], host, WHO, system_clock)
    assert caught.value.hint
