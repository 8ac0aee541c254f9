"""The server over real sockets, with clients that others wrote."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import ssl
import subprocess
import threading

import paho.mqtt.client as paho
import pytest
from gmqtt import Client as GmqttClient
from paho.mqtt.enums import CallbackAPIVersion

from gemel.backends.mqtt_sessions import SqliteMqttSessions
from gemel.connect.mqtt.client import MqttClient, Will
from gemel.connect.mqtt.codec import Decoder, encode, encode_publish
from gemel.connect.mqtt.journal import MemorySessions
from gemel.connect.mqtt.limits import Limits
from gemel.connect.mqtt.packets import (
    Ack,
    ConnAck,
    Connect,
    Disconnect,
    Kind,
    ProtocolError,
    Publish,
    Reason,
)
from gemel.connect.mqtt.server import MqttServer
from gemel.core.clock import system_clock
from gemel.core.errors import Forbidden, NotAuthenticated

needs_mosquitto = pytest.mark.skipif(
    shutil.which("mosquitto_pub") is None,
    reason="mosquitto_pub and mosquitto_sub are not installed",
)


async def listening(host, store=None, **values):
    server = MqttServer(host, store or MemorySessions(), system_clock, **values)
    _, port = await server.start("127.0.0.1", 0)
    return server, port


async def program(*words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


class Raw:
    """A client of bare packets over a real socket."""

    def __init__(self, reader, writer, version: int) -> None:
        self.reader, self.writer, self.version = reader, writer, version
        self.decoder = Decoder(version)
        self.queue: list = []

    @classmethod
    async def open(cls, port: int, version: int = 5):
        return cls(*await asyncio.open_connection("127.0.0.1", port), version)

    async def connect(self, client_id: str, **values):
        values.setdefault("username", "secret")
        self.send(Connect(client_id, self.version, **values))
        answer = await self.next()
        assert isinstance(answer, ConnAck)
        return answer

    def send(self, *packets) -> None:
        self.writer.write(b"".join(encode(packet, self.version) for packet in packets))

    async def next(self):
        while not self.queue:
            data = await self.reader.read(65_536)
            if not data:
                return None
            self.queue += self.decoder.feed(data)
        return self.queue.pop(0)

    def cut(self) -> None:
        self.writer.transport.abort()


@pytest.mark.peer
@needs_mosquitto
@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
def test_mosquitto_programs_publish_subscribe_and_see_retained(run_once, host, wait_until, version):
    async def scenario():
        server, port = await listening(host)
        base = ["-h", "127.0.0.1", "-p", str(port), "-V", version, "-u", "secret"]
        sub = await program(
            "mosquitto_sub", *base, "-t", "plant/+/flow/#", "-q", "2", "-C", "4", "-v"
        )
        await wait_until(lambda: server.statistics()["subscriptions"] == 1)
        for qos in "012":
            pub = await program(
                "mosquitto_pub", *base, "-t", f"plant/p{qos}/flow", "-q", qos, "-m", qos, "-r"
            )
            assert await pub.wait() == 0
        pub = await program("mosquitto_pub", *base, "-t", "plant/p9/flow/x", "-m", "end")
        await pub.wait()
        out, _ = await sub.communicate()
        assert out.decode().split("\n")[:-1] == [
            "plant/p0/flow 0",
            "plant/p1/flow 1",
            "plant/p2/flow 2",
            "plant/p9/flow/x end",
        ]
        late = await program("mosquitto_sub", *base, "-t", "#", "-C", "3", "-F", "%r %t")
        out, _ = await late.communicate()
        assert sorted(out.decode().split("\n"))[1:] == [f"1 plant/p{n}/flow" for n in "012"]
        assert [m.payload for m in host.messages] == [b"0", b"1", b"2", b"end"]
        await server.close()

    run_once(scenario())


@pytest.mark.peer
@needs_mosquitto
def test_mosquitto_programs_with_a_wrong_token_are_refused(run_once, host):
    async def scenario():
        server, port = await listening(host)
        for version in ("mqttv311", "mqttv5"):
            pub = await program(
                *f"mosquitto_pub -h 127.0.0.1 -p {port} -V {version} -u wrong -t t -m x".split()
            )
            _, err = await pub.communicate()
            assert pub.returncode != 0
            assert b"refused" in err.lower() or b"password" in err.lower()
        assert host.messages == []
        await server.close()

    run_once(scenario())


@pytest.mark.peer
@needs_mosquitto
def test_the_will_of_a_killed_program_is_sent(run_once, host, wait_until):
    async def scenario():
        server, port = await listening(host)
        words = f"mosquitto_sub -h 127.0.0.1 -p {port} -u secret -i dying -t x"
        sub = await program(
            *words.split(), "--will-topic", "state", "--will-payload", "lost", "--will-qos", "1"
        )
        await wait_until(lambda: server.statistics()["subscriptions"] == 1)
        sub.kill()
        await sub.wait()
        await wait_until(lambda: host.messages)
        assert [(m.topic, m.payload) for m in host.messages] == [("state", b"lost")]
        assert host.ended("dying") == ["lost"]
        await server.close()

    run_once(scenario())


class PahoPeer:
    """paho-mqtt in its own thread."""

    def __init__(self, port: int, client_id: str, protocol, clean: bool = True, **hooks) -> None:
        values = {} if protocol == paho.MQTTv5 else {"clean_session": clean}
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, protocol=protocol, **values
        )
        self.client.username_pw_set("secret")
        self.messages: list[bytes] = []
        self.subscribed = threading.Event()
        self.is_present = None
        self.client.on_message = lambda c, u, m: self.messages.append(m.payload)
        self.client.on_subscribe = lambda *a: self.subscribed.set()

        def on_connect(client, userdata, flags, reason, properties):
            self.is_present = flags.session_present

        self.client.on_connect = on_connect
        arguments = {}
        if protocol == paho.MQTTv5:
            properties = paho.Properties(paho.PacketTypes.CONNECT)
            properties.SessionExpiryInterval = 0 if clean else 1000
            arguments = {"clean_start": clean, "properties": properties}
        self.client.connect("127.0.0.1", port, **arguments)
        self.client.loop_start()

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.mark.parametrize("protocol", [paho.MQTTv311, paho.MQTTv5])
def test_a_persistent_paho_session_outlives_a_disconnect_and_a_restart(
    run_once, host, wait_until, tmp_path, protocol
):
    async def scenario():
        store = SqliteMqttSessions(tmp_path)
        server, port = await listening(host, store)
        first = await asyncio.to_thread(PahoPeer, port, "keeper", protocol, False)
        first.client.subscribe("plant/#", 2)
        await asyncio.to_thread(first.subscribed.wait, 60)
        await asyncio.to_thread(first.stop)
        await wait_until(lambda: server.connections == 0)
        writer = await asyncio.to_thread(PahoPeer, port, "writer", protocol)
        infos = [writer.client.publish("plant/a", b"%d" % n, 1 + n % 2) for n in range(10)]
        await wait_until(lambda: all(info.is_published() for info in infos))
        await asyncio.to_thread(writer.stop)
        await server.close()
        store.close()

        store = SqliteMqttSessions(tmp_path)
        server, port = await listening(host, store)
        assert server.statistics()["queued"] == 10
        second = await asyncio.to_thread(PahoPeer, port, "keeper", protocol, False)
        await wait_until(lambda: len(second.messages) == 10)
        assert second.is_present
        # paho gives QoS 2 messages on after PUBREL: the order holds within one QoS.
        by_qos = [[int(m) for m in second.messages if int(m) % 2 == qos] for qos in (0, 1)]
        assert by_qos == [[0, 2, 4, 6, 8], [1, 3, 5, 7, 9]]
        await wait_until(lambda: server.statistics()["queued"] == 0)
        await asyncio.to_thread(second.stop)
        await server.close()
        assert [area for area, _, _ in store.load()] == ["session"]
        store.close()

    run_once(scenario())


@pytest.mark.parametrize("protocol", [paho.MQTTv311, paho.MQTTv5])
def test_paho_qos_2_arrives_exactly_once(run_once, host, wait_until, protocol):
    async def scenario():
        server, port = await listening(host)
        peer = await asyncio.to_thread(PahoPeer, port, "both", protocol)
        peer.client.subscribe("t", 2)
        await asyncio.to_thread(peer.subscribed.wait, 60)
        infos = [peer.client.publish("t", b"%d" % n, 2) for n in range(50)]
        await wait_until(lambda: all(info.is_published() for info in infos))
        await wait_until(lambda: len(peer.messages) >= 50)
        assert sorted(peer.messages, key=int) == [b"%d" % n for n in range(50)]
        assert len(host.messages) == 50
        await asyncio.to_thread(peer.stop)
        await server.close()

    run_once(scenario())


def test_gmqtt_publishes_and_subscribes(run, host, wait_until):
    async def scenario():
        server, port = await listening(host)
        client = GmqttClient("gm")
        client.set_auth_credentials("secret", None)
        got: list = []
        ready = asyncio.Event()
        client.on_subscribe = lambda *a: ready.set()

        def on_message(client, topic, payload, qos, properties):
            got.append((topic, payload, qos, properties.get("user_property")))
            return 0

        client.on_message = on_message
        await client.connect("127.0.0.1", port)
        client.subscribe("a/+", qos=1)
        await ready.wait()
        client.publish("a/b", b"hi", qos=1, user_property=("unit", "bar"))
        await wait_until(lambda: got)
        assert got == [("a/b", b"hi", 1, [("unit", "bar")])]
        await client.disconnect()
        await server.close()

    run(scenario())


@pytest.mark.parametrize("version", [4, 5])
def test_a_connection_cut_between_pubrec_and_pubrel_delivers_once(run, host, version, wait_until):
    async def scenario():
        server, port = await listening(host)
        values = {"clean": False}
        if version == 5:
            values["properties"] = {0x11: 1000}
        peer = await Raw.open(port, version)
        await peer.connect("q", **values)
        peer.send(Publish(4, "t", 9, b"once"))
        assert await peer.next() == Ack(Kind.PUBREC, 9)
        peer.cut()
        await wait_until(lambda: server.connections == 0)
        peer = await Raw.open(port, version)
        assert (await peer.connect("q", **values)).session_present
        peer.send(Publish(12, "t", 9, b"once"))
        assert await peer.next() == Ack(Kind.PUBREC, 9)
        peer.send(Ack(Kind.PUBREL, 9))
        assert await peer.next() == Ack(Kind.PUBCOMP, 9)
        assert len(host.messages) == 1
        await server.close()

    run(scenario())


def test_a_second_connection_takes_over(run, host):
    async def scenario():
        server, port = await listening(host)
        first, second = await Raw.open(port), await Raw.open(port)
        await first.connect("same")
        await second.connect("same")
        assert (await first.next()).reason == Reason.SESSION_TAKEN_OVER
        assert await first.next() is None
        assert server.connections == 1
        await server.close()

    run(scenario())


def test_a_silent_client_times_out(run, host):
    async def scenario():
        server, port = await listening(host)
        peer = await Raw.open(port)
        await peer.connect("silent", keep_alive=1)
        assert (await peer.next()).reason == Reason.KEEP_ALIVE_TIMEOUT
        assert await peer.next() is None
        assert host.ended("silent") == ["timeout"]
        await server.close()

    run(scenario())


def test_connections_that_never_greet_are_closed(run, host):
    async def scenario():
        server, port = await listening(host, limits=Limits(greeting_seconds=0.2))
        peer = await Raw.open(port)
        assert await peer.next() is None
        assert server.statistics()["greeting_timeouts"] == 1
        await server.close()

    run(scenario())


def test_a_greeting_that_is_too_long_is_not_waited_for(run, host):
    async def scenario():
        server, port = await listening(host)
        large = await Raw.open(port)
        large.writer.write(b"\x10\xff\xff\x7f" + b"x" * 70_000)
        assert await large.next() is None
        assert server.statistics()["malformed"] == 1
        await server.close()

    run(scenario())


def test_too_many_connections_are_closed_at_once(run, host):
    async def scenario():
        server, port = await listening(host, limits=Limits(connections=1))
        first = await Raw.open(port)
        await first.connect("a")
        second = await Raw.open(port)
        assert await second.next() is None
        assert server.statistics()["too_many_connections"] == 1
        await server.close()

    run(scenario())


def test_malformed_bytes_end_the_connection_with_a_reason(run, host):
    async def scenario():
        server, port = await listening(host)
        peer = await Raw.open(port)
        await peer.connect("bad")
        peer.writer.write(encode_publish(5, "t", b"good", 2, 1) + b"\x36\x06\x00\x01a\x00\x01\x00")
        found = [await peer.next(), await peer.next()]
        reasons = [p.reason for p in found if isinstance(p, Disconnect)]
        assert reasons == [Reason.MALFORMED]
        assert await peer.next() is None
        assert [m.payload for m in host.messages] == [b"good"]
        await server.close()

    run(scenario())


def test_sockets_are_not_read_while_too_much_is_not_durable(run, host, wait_until):
    async def scenario():
        host.is_manual = True
        server, port = await listening(host, limits=Limits(undurable_bytes=300_000))
        peer = await Raw.open(port)
        await peer.connect("fast")
        size, count = 20_000, 400
        for n in range(count):
            peer.send(Publish(2, "t", n + 1, b"x" * size))
        await wait_until(lambda: server.is_congested)
        held = server.statistics()["undurable_bytes"]
        assert held < size * count / 4
        host.is_manual = False
        while host.pending:
            host.pending.pop(0)(None)
        for _ in range(count):
            assert isinstance(await peer.next(), Ack)
        assert len(host.messages) == count
        assert server.statistics()["undurable_bytes"] == 0
        assert not server.is_congested
        await server.close()

    run(scenario())


def test_a_subscriber_that_does_not_read_costs_bounded_memory(run, host, wait_until):
    async def scenario():
        limits = Limits(write_bytes=50_000, queue_bytes=200_000)
        server, port = await listening(host, limits=limits)
        peer = await Raw.open(port)
        await peer.connect("slow")
        peer.writer.transport.pause_reading()
        peer.writer.write(bytes.fromhex("820900010000032f2f2300"))
        await wait_until(lambda: server.statistics()["subscriptions"] == 1)
        for _ in range(40):
            for _ in range(100):
                server.publish("//x", b"x" * 5_000)
            await asyncio.sleep(0)
        assert server.statistics()["dropped_slow"] > 0
        assert server.broker.counters.delivered < 4_000
        await server.close()

    run(scenario())


def make_certificate(folder):
    from datetime import UTC, datetime, timedelta
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.fromtimestamp(system_clock() / 1e9, UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return server, ssl.create_default_context(cafile=str(folder / "cert.pem"))


def test_tls_with_our_client_and_plain_bytes_on_the_tls_port(run, host, tmp_path):
    async def scenario():
        server_side, client_side = make_certificate(tmp_path)
        server, plain = await listening(host)
        _, port = await server.start("127.0.0.1", 0, server_side)
        client = MqttClient("127.0.0.1", port, client_id="tls", username="secret", tls=client_side)
        await client.start()
        await client.publish("t", b"x" * 300_000)
        peer = await Raw.open(port)
        peer.send(Connect("plain", 5, username="secret"))
        # What comes is a TLS alert, which is no MQTT packet either.
        with contextlib.suppress(ConnectionError, ProtocolError):
            assert not isinstance(await peer.next(), ConnAck)
        assert [len(m.payload) for m in host.messages] == [300_000]
        assert plain != port
        await client.close()
        await server.close()

    run(scenario())


@pytest.mark.peer
@needs_mosquitto
def test_tls_with_mosquitto_pub(run_once, host, tmp_path):
    async def scenario():
        server_side, _ = make_certificate(tmp_path)
        server = MqttServer(host, MemorySessions(), system_clock)
        _, port = await server.start("127.0.0.1", 0, server_side)
        cafile = str(tmp_path / "cert.pem")
        words = f"mosquitto_pub -h 127.0.0.1 -p {port} -u secret -t t -q 1 -m hi --cafile".split()
        pub = await program(*words, cafile)
        _, err = await pub.communicate()
        assert (pub.returncode, err) == (0, b"")
        assert [m.payload for m in host.messages] == [b"hi"]
        await server.close()

    run_once(scenario())


# -- our own client ------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [4, 5])
def test_our_client_publishes_subscribes_and_leaves_a_will(run, host, wait_until, version):
    async def scenario():
        server, port = await listening(host)
        got: list = []
        states: list = []
        client = MqttClient(
            "127.0.0.1",
            port,
            client_id="ours",
            username="secret",
            version=version,
            will=Will("state", b"lost", 1),
            on_message=got.append,
            on_state=lambda state, cause: states.append(state),
        )
        await client.start()
        await client.connected()
        assert await client.subscribe("a/#", 2) == 2
        await asyncio.gather(*(client.publish("a/b", b"%d" % n, n % 3) for n in range(300)))
        await wait_until(lambda: len(got) == 300)
        by_qos = [[int(m.payload) for m in got if m.qos == qos] for qos in range(3)]
        assert by_qos == [list(range(qos, 300, 3)) for qos in range(3)]
        client._link.transport.abort()
        await wait_until(lambda: any(m.topic == "state" for m in host.messages))
        await client.connected()
        await client.close()
        assert states[:2] == ["connecting", "connected"]
        assert states[-1] == "closed"
        await wait_until(lambda: server.connections == 0)
        assert host.ended("ours") == ["lost", "goodbye"]
        await server.close()

    run(scenario())


def test_our_client_is_told_when_it_is_refused(run, host):
    async def scenario():
        server, port = await listening(host)
        host.denied.add("no")
        client = MqttClient("127.0.0.1", port, client_id="x", username="wrong")
        await client.start()
        with pytest.raises(NotAuthenticated):
            await client.connected()
        await client.close()
        client = MqttClient("127.0.0.1", port, client_id="x", username="secret")
        await client.start()
        with pytest.raises(Forbidden):
            await client.publish("no", b"")
        with pytest.raises(Forbidden):
            await client.subscribe("no")
        await client.close()
        await server.close()

    run(scenario())


def test_our_client_loses_nothing_over_restarts_of_the_server(run, host, wait_until, tmp_path):
    async def scenario():
        store = SqliteMqttSessions(tmp_path)
        server, port = await listening(host, store)
        got: list = []
        client = MqttClient(
            "127.0.0.1",
            port,
            client_id="steady",
            username="secret",
            session_expiry=1000,
            on_message=got.append,
        )
        await client.start()
        await client.subscribe("down", 2)
        futures = []
        for era in range(3):
            host.is_manual = era == 1
            futures += [
                client.publish_nowait("up", b"%d.%d" % (era, n), 1 + n % 2) for n in range(50)
            ]
            await wait_until(lambda era=era: len(host.calls) > era)
            server.publish("down", b"%d" % era, 2)
            journal = server.broker.journal
            await wait_until(lambda journal=journal: journal.is_idle)
            if host.is_manual:
                host.pending.clear()
                server._listeners[0].close()
                for sock in list(server._sockets.values()):
                    sock.transport.abort()
                server.broker.inbox._batches.clear()
            await server.close()
            host.is_manual = False
            server = MqttServer(host, store, system_clock)
            await server.start("127.0.0.1", port)
            await client.connected()
        await asyncio.gather(*futures)
        await wait_until(lambda: len(got) >= 3)
        sent = {b"%d.%d" % (era, n) for era in range(3) for n in range(50)}
        assert {m.payload for m in host.messages} == sent
        assert sorted(m.payload for m in got) == [b"0", b"1", b"2"]
        await client.close()
        await server.close()
        store.close()

    run(scenario())


def test_manual_acknowledgement_brings_messages_back(run, host, wait_until):
    async def scenario():
        acked: list[str] = []
        server, port = await listening(host, delivered=lambda who, _: acked.append(who.name))
        got: list = []
        client = MqttClient(
            "127.0.0.1",
            port,
            client_id="manual",
            username="secret",
            session_expiry=1000,
            manual_ack=True,
            on_message=got.append,
        )
        await client.start()
        await client.subscribe("t", 1)
        server.publish("t", b"1", 1)
        server.publish("t", b"2", 1)
        await wait_until(lambda: len(got) == 2)
        got[0].ack()
        await wait_until(lambda: acked == ["admin"])
        client.reconnect("test")
        await wait_until(lambda: len(got) == 3)
        got[1].ack()
        assert (got[2].payload, got[2].is_repeated) == (b"2", True)
        got[2].ack()
        got[2].ack()
        await wait_until(lambda: len(acked) == 2)
        await client.close()
        await server.close()

    run(scenario())


def test_handlers_that_wait_run_one_after_the_other(run, host, wait_until):
    async def scenario():
        server, port = await listening(host)
        seen: list = []

        async def take(message):
            await asyncio.sleep(0)
            seen.append(int(message.payload))
            if message.payload == b"3":
                raise RuntimeError("a handler's own fault")

        client = MqttClient("127.0.0.1", port, client_id="h", username="secret", on_message=take)
        await client.start()
        await client.subscribe("t", 1)
        for n in range(3000):
            server.publish("t", b"%d" % n, 1)
        await wait_until(lambda: len(seen) == 3000)
        assert seen == list(range(3000))
        await client.close()
        await server.close()

    run(scenario())


def test_disconnecting_a_principal_closes_its_connections(run, host):
    async def scenario():
        server, port = await listening(host)
        one, two = await Raw.open(port), await Raw.open(port)
        await one.connect("a", username="pump-token")
        await two.connect("b")
        assert server.disconnect(lambda who: who.name == "pump-1") == 1
        assert (await one.next()).reason == Reason.ADMINISTRATIVE
        assert await one.next() is None
        assert server.connections == 1
        await server.close()
        assert (await two.next()).reason == Reason.SHUTTING_DOWN

    run(scenario())


def test_close_waits_for_what_is_on_its_way(run, host, wait_until):
    async def scenario():
        host.is_manual = True
        server, port = await listening(host)
        peer = await Raw.open(port)
        await peer.connect("a")
        peer.send(Publish(2, "t", 1, b"x"))
        await wait_until(lambda: host.pending)
        closing = asyncio.ensure_future(server.close())
        await asyncio.sleep(0)
        host.pending[0](None)
        assert await peer.next() == Ack(Kind.PUBACK, 1)
        await closing
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 1)

    run(scenario())


def test_a_timer_that_comes_sooner_takes_the_place_of_a_later_one(run_once, host, wait_until):
    async def scenario():
        server = MqttServer(host, MemorySessions(), system_clock)
        await server.start("127.0.0.1", 0)
        server._gather(3_600 * 10**9)
        later = server._gathering
        server._gather(3_601 * 10**9)
        assert server._gathering is later
        server._gather(1_000_000)
        assert later.cancelled()
        await wait_until(lambda: server._gathering is None)
        server._gather(3_600 * 10**9)
        server._gather(0)
        assert server._gathering is None
        await server.close()

    run_once(scenario())
