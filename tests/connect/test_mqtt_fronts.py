"""A server whose clients' sockets are held by processes of their own."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from pathlib import Path

import pytest

from gemel.connect.mqtt import spool, taker
from gemel.connect.mqtt.codec import Decoder, encode
from gemel.connect.mqtt.fronts import Fronts
from gemel.connect.mqtt.journal import MemorySessions
from gemel.connect.mqtt.packets import Connect, Disconnect, Kind, Publish, Reason, Subscribe
from gemel.connect.mqtt.server import MqttServer
from gemel.core.access import Principal
from gemel.core.clock import system_clock
from gemel.core.errors import Unavailable

TOPIC = "devices/pump-1/telemetry"


class Client:
    """Bare packets over a real socket."""

    def __init__(self, reader, writer, version: int) -> None:
        self.reader, self.writer, self.version = reader, writer, version
        self.decoder = Decoder(version)
        self.queue: list = []

    @classmethod
    async def open(cls, port: int, name: str, version: int = 4, **values) -> Client:
        made = cls(*await asyncio.open_connection("127.0.0.1", port), version)
        made.send(Connect(name, version, username="secret", **values))
        await made.next()
        return made

    def send(self, *packets) -> None:
        self.writer.write(b"".join(encode(packet, self.version) for packet in packets))

    def publish(self, number: int, topic: str = TOPIC) -> None:
        self.send(Publish(2, topic, number, b"%d" % number, None))

    async def next(self):
        while not self.queue:
            data = await self.reader.read(65_536)
            if not data:
                return None
            self.queue += self.decoder.feed(data)
        return self.queue.pop(0)

    async def acknowledged(self, *numbers: int) -> None:
        for number in numbers:
            packet = await self.next()
            assert (packet.kind, packet.packet_id) == (Kind.PUBACK, number)


class Served:
    """A server with fronts, until the end of a block."""

    def __init__(self, host, folder: Path, count: int = 1, store=None) -> None:
        self.server = MqttServer(host, store or MemorySessions(), system_clock)
        self.fronts = Fronts(self.server, folder, count, Principal)
        self.port = 0

    async def __aenter__(self) -> Served:
        await self.server.inherit(self.fronts)
        if self.fronts.count:
            _, self.port = self.fronts.listen("127.0.0.1", 0, None)
        await self.fronts.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.close()

    async def client(self, name: str, **values) -> Client:
        return await Client.open(self.port, name, **values)


def payloads(host) -> list[int]:
    return [int(message.payload) for message in host.messages]


def front_processes() -> list[int]:
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return [
        int(pid)
        for pid in children
        if b"gemel.connect.mqtt.front" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


def test_what_a_front_acknowledged_is_taken_over_in_order_and_routed(
    run_once, host, tmp_path, wait_until
):
    async def scenario():
        async with Served(host, tmp_path, 2) as served:
            watcher = await served.client("watcher")
            watcher.send(Subscribe(1, (("devices/#", 1),), {}))
            await watcher.next()
            sender = await served.client("pump-1")
            for number in range(1, 101):
                sender.publish(number)
                if number == 50:
                    await sender.acknowledged(*range(1, 51))
            await sender.acknowledged(*range(51, 101))
            for number in range(1, 101):
                assert int((await watcher.next()).payload) == number
            assert payloads(host) == list(range(1, 101))
            assert {message.who.name for message in host.messages} == {"admin"}
            found = served.server.statistics()
            assert (found["received_messages"], found["fronts"]) == (100, 2)
            assert [path.name for path in tmp_path.glob("spool/*/*.log")], "all was passed on"
            await wait_until(lambda: served.server.statistics()["undurable_bytes"] == 0)
        assert not list(tmp_path.glob("spool/*")), "a clean end leaves nothing to take over"

    run_once(scenario())


def test_a_command_reaches_a_device_at_a_front(run_once, host, tmp_path, wait_until):
    async def scenario():
        async with Served(host, tmp_path, 2) as served:
            devices = [await served.client(f"d{n}", version=5) for n in range(4)]
            for n, device in enumerate(devices):
                device.send(Subscribe(1, ((f"devices/d{n}/commands/#", 1),), {}))
                await device.next()
            for n, device in enumerate(devices):
                assert served.server.publish(f"devices/d{n}/commands/stop/1", b"{}", 1) == 1
                assert (await device.next()).topic == f"devices/d{n}/commands/stop/1"
                device.send(Publish(2, f"devices/d{n}/responses/1", 9, b"{}", None))
                assert (await device.next()).packet_id == 9
            assert served.server.statistics()["hurried"] == 4

    run_once(scenario())


def test_a_session_is_taken_over_from_another_front(run_once, host, tmp_path):
    async def scenario():
        async with Served(host, tmp_path, 2) as served:
            for _ in range(6):  # whichever front they come to
                first = await served.client("same", version=5)
                second = await served.client("same", version=5)
                ended = await first.next()
                assert isinstance(ended, Disconnect)
                assert ended.reason == Reason.SESSION_TAKEN_OVER
                second.writer.close()

    run_once(scenario())


def test_what_the_host_cannot_store_yet_is_given_to_it_again(
    run_once, host, tmp_path, wait_until, monkeypatch
):
    monkeypatch.setattr(taker, "RETRY_SECONDS", 0.02)

    async def scenario():
        async with Served(host, tmp_path) as served:
            sender = await served.client("pump-1")
            sender.publish(1)
            await sender.acknowledged(1)
            host.error = Unavailable("the disk is full")
            sender.publish(2)
            await sender.acknowledged(2)
            await wait_until(lambda: len(host.calls) > 4)
            assert served.server.waits_since()
            host.error = None
            await wait_until(lambda: served.server.statistics()["undurable_bytes"] == 0)
            assert set(payloads(host)) == {1, 2}
            assert host.calls[-1][0].received == host.calls[1][0].received

    run_once(scenario())


def test_a_front_that_is_killed_loses_nothing_it_acknowledged(run_once, host, tmp_path, wait_until):
    async def scenario():
        async with Served(host, tmp_path) as served:
            sender = await served.client("pump-1")
            sender.publish(1)
            await sender.acknowledged(1)
            host.is_manual = True
            for number in range(2, 200):
                sender.publish(number)
            await sender.acknowledged(*range(2, 200))
            (pid,) = front_processes()
            os.kill(pid, signal.SIGKILL)
            assert await sender.next() is None
            host.is_manual = False
            for done in host.pending:
                done(None)
            await wait_until(lambda: len(host.messages) == 199)
            again = await served.client("pump-1")
            again.publish(200)
            await again.acknowledged(200)
            assert payloads(host) == list(range(1, 201))
            assert host.ended("pump-1") == ["lost"]
            assert served.server.statistics()["front_restarts"] == 1

    run_once(scenario())


def test_a_spool_that_cannot_be_written_costs_speed_and_nothing_else(run_once, host, tmp_path):
    async def scenario():
        async with Served(host, tmp_path) as served:
            sender = await served.client("pump-1")
            sender.publish(1)
            await sender.acknowledged(1)
            shutil.rmtree(tmp_path / spool.FOLDER)
            (tmp_path / spool.FOLDER).write_text("no folder can be made here")
            for number in range(2, 100):
                sender.publish(number)
            await sender.acknowledged(*range(2, 100))
            assert payloads(host) == list(range(1, 100))
            assert not list(tmp_path.glob("spool/*/*.log"))

    run_once(scenario())


@pytest.mark.parametrize("is_new", [True, False])
def test_a_spool_deleted_under_the_server_is_made_again(
    run_once, host, tmp_path, wait_until, is_new
):
    async def scenario():
        async with Served(host, tmp_path) as served:
            sender = await served.client("pump-1")
            sent: list[int] = []

            async def send() -> None:
                sent.append(len(sent) + 1)
                sender.publish(sent[-1])
                await sender.acknowledged(sent[-1])

            def is_taken() -> bool:
                return payloads(host) == sent and served.fronts.is_idle

            for _ in range(0 if is_new else 50):
                await send()
            for _ in range(2):
                await wait_until(is_taken)
                shutil.rmtree(next(tmp_path.glob("spool/*")))
                while not list(tmp_path.glob("spool/*/*.log")):
                    await send()
            await wait_until(is_taken)
            assert served.server.statistics()["front_restarts"] == 0

    run_once(scenario())


def test_what_was_deleted_before_it_was_taken_over_is_named_and_the_rest_goes_on(
    run_once, host, tmp_path, wait_until, monkeypatch, caplog
):
    monkeypatch.setattr(taker, "RETRY_SECONDS", 0.02)

    async def scenario():
        async with Served(host, tmp_path) as served:
            sender = await served.client("pump-1")
            sender.publish(1)
            await sender.acknowledged(1)
            await wait_until(lambda: payloads(host) == [1] and served.fronts.waiting == 0)
            host.error = Unavailable("the disk is full")
            sender.publish(2)  # waits with the host
            await sender.acknowledged(2)
            (taking,) = served.fronts._takers
            await wait_until(lambda: taking.has_failed)
            sender.publish(3)  # waits in the spool
            await sender.acknowledged(3)
            await wait_until(lambda: len(taking._queue) == 1)
            taking.spool.close()  # as if it had not been read yet
            shutil.rmtree(next(tmp_path.glob("spool/*")))
            host.error = None
            sender.publish(4)
            await sender.acknowledged(4)
            await wait_until(lambda: payloads(host)[-1] == 4 and served.fronts.waiting == 0)
            assert 3 not in payloads(host)
            assert "bytes that were acknowledged are lost" in caplog.text

    run_once(scenario())


def test_a_device_that_falls_silent_is_lost(run_once, host, tmp_path):
    async def scenario():
        async with Served(host, tmp_path) as served:
            device = await served.client("pump-1", keep_alive=1)
            assert await device.next() is None
            assert host.ended("pump-1") == ["timeout"]

    run_once(scenario())


def test_what_an_earlier_server_left_in_a_spool_is_taken_first(run_once, host, tmp_path):
    folder = tmp_path / spool.FOLDER / "00000007"
    writer = spool.Writer(folder)
    writer.rotate()
    who = b'{"name": "d", "role": "device", "twins": ["d"], "session": "d", "five": false}'
    sent = encode(Publish(2, TOPIC, 1, b"41", None), 4)
    sent += encode(Publish(0, TOPIC, 0, b"42", None), 4)
    old = encode(Publish(2, TOPIC, 1, b"40", None), 4)
    records = [spool.entry(spool.IDENTITY, 3, who, 5), spool.entry(spool.PACKETS, 3, old, 5)]
    spool.Spool(folder).take(writer.append(records))
    writer.append([spool.entry(spool.PACKETS, 3, sent, 6)])
    writer.close()

    async def scenario():
        async with Served(host, tmp_path, 0):
            assert payloads(host) == [41, 42]
            assert host.messages[0].who == Principal("d", "device", ("d",))
            assert {message.received for message in host.messages} == {6}
        assert not folder.exists()

    run_once(scenario())
