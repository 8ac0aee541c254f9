"""Both ways of reading and writing many sockets at a time give the same, and close what ends."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connect.test_mqtt_server import Raw, listening
from gemel.connect.mqtt import direct
from gemel.connect.mqtt.codec import encode_publish
from gemel.connect.mqtt.limits import Limits
from gemel.connect.mqtt.packets import Ack, Kind, Publish, Subscribe
from gemel.core import fast
from gemel.core.access import SYSTEM

pytestmark = pytest.mark.skipif(not direct.IS_HERE, reason="this system has no epoll")


@pytest.fixture(params=["compiled", "plain"])
def way(request, monkeypatch):
    if request.param == "compiled" and not fast.READS_MANY:
        pytest.skip("the C fast path is not compiled here")
    monkeypatch.setattr(fast, "READS_MANY", request.param == "compiled")
    return request.param


class Owner(fast.Line):
    def __init__(self, number: int, topics: dict[bytes, str] | None = None) -> None:
        self.number = number
        self.who, self.known_topics = SYSTEM, topics or {}
        self.is_five, self.is_plain = False, topics is not None
        self.maximum, self.quota, self.unacknowledged = 1 << 20, 1 << 40, 0


class Pairs:
    """Connected TCP sockets; ours are watched."""

    def __init__(self, count: int) -> None:
        self.direct: direct.Direct[Owner] = direct.Direct()
        self.ours, self.theirs = [], []
        self.owners = [Owner(number) for number in range(count)]
        with socket.create_server(("127.0.0.1", 0)) as door:
            for owner in self.owners:
                self.theirs.append(socket.create_connection(door.getsockname()))
                one, _ = door.accept()
                one.setblocking(False)
                self.ours.append(one)
                self.direct.add(one.fileno(), owner)

    def __enter__(self) -> Pairs:
        return self

    def __exit__(self, *_) -> None:
        self.direct.close()
        for one in self.ours + self.theirs:
            one.close()

    def receive(self) -> list[tuple[int, bytes]]:
        assert select.select([self.direct], [], [], 60)[0]
        return self.receive_now()

    def receive_now(self) -> list[tuple[int, bytes]]:
        runs, rests, size = self.direct.receive(fast.Messages(), 0)
        assert (runs, size) == ([], 0)
        return [(owner.number, data) for owner, data in rests]


def test_all_have_their_turn_where_all_send_more_than_is_read(way):
    count = 40
    with Pairs(count) as pairs:
        for one in pairs.theirs:
            one.setblocking(False)
        served: list[int] = []
        while len(set(served)) < count and len(served) < 5 * count:
            for one in pairs.theirs:
                with contextlib.suppress(BlockingIOError):
                    while True:
                        one.send(bytes(65_536))
            served += [number for number, _ in pairs.receive_now()]
        assert len(set(served)) == count


@settings(max_examples=30, deadline=None)
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=8))
def test_both_ways_read_the_same(sent):
    found = []
    for reads_many in {fast.READS_MANY, False}:
        with pytest.MonkeyPatch.context() as patch, Pairs(len(sent)) as pairs:
            patch.setattr(fast, "READS_MANY", reads_many)
            got: dict[int, bytes] = {}
            for one, data in zip(pairs.theirs, sent, strict=True):
                one.sendall(data)
            while sum(map(len, got.values())) < sum(map(len, sent)):
                for number, data in pairs.receive():
                    assert data
                    got[number] = got.get(number, b"") + data
            assert pairs.receive_now() == []
            found.append(got)
    assert all(got == found[0] for got in found)
    assert found[0] == {number: data for number, data in enumerate(sent) if data}


def test_much_comes_in_several_calls_of_bounded_size(way):
    size = 300_000
    with Pairs(20) as pairs:
        for one in (*pairs.ours, *pairs.theirs):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        got = dict.fromkeys(range(20), 0)
        sent = dict.fromkeys(range(20), 0)
        for one in pairs.theirs:
            one.setblocking(False)
        while min(got.values()) < size:
            for number, one in enumerate(pairs.theirs):
                if sent[number] < size:
                    try:
                        sent[number] += one.send(bytes(size - sent[number]))
                    except BlockingIOError:
                        continue
            found = pairs.receive()
            assert all(len(data) <= direct.OF_ONE for _, data in found)
            assert sum(len(data) for _, data in found) <= direct.OF_ALL
            for number, data in found:
                got[number] += len(data)
        assert set(got.values()) == {size}


def test_the_end_and_a_reset_come_as_no_bytes(way):
    with Pairs(3) as pairs:
        pairs.theirs[0].sendall(b"last words")
        pairs.theirs[0].shutdown(socket.SHUT_WR)
        linger = struct.pack("ii", 1, 0)
        pairs.theirs[1].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        pairs.theirs[1].close()
        found: list[tuple[int, bytes]] = []
        while sum(not data for _, data in found) < 2:
            new = pairs.receive()
            found += new
            for number, data in new:
                if not data:
                    pairs.direct.remove(pairs.ours[number].fileno(), pairs.owners[number])
        assert sorted(found) == [(0, b""), (0, b"last words"), (1, b"")]
        assert pairs.receive_now() == []


def test_what_is_removed_is_not_read(way):
    with Pairs(2) as pairs:
        for one in pairs.theirs:
            one.sendall(b"x")
        pairs.direct.remove(pairs.ours[0].fileno(), pairs.owners[0])
        assert pairs.receive() == [(1, b"x")]
        pairs.direct.remove(pairs.ours[1].fileno(), pairs.owners[0])  # another's by now
        pairs.theirs[1].sendall(b"y")
        assert pairs.receive() == [(1, b"y")]
        number = pairs.ours[1].fileno()
        pairs.ours[1].close()
        pairs.direct.remove(number, pairs.owners[1])
        pairs.direct.add(pairs.ours[0].fileno(), pairs.owners[0])
        assert pairs.receive() == [(0, b"x")]


def test_nothing_wakes_while_it_rests(way):
    def is_awake() -> bool:
        return bool(select.select([pairs.direct], [], [], 0)[0])

    with Pairs(2) as pairs:
        pairs.theirs[0].sendall(b"x")
        assert select.select([pairs.direct], [], [], 60)[0]
        pairs.direct.rest()
        assert not is_awake()
        pairs.theirs[1].sendall(b"y")
        assert select.select([pairs.ours[1]], [], [], 60)[0]
        assert not is_awake()
        assert sorted(pairs.receive_now()) == [(0, b"x"), (1, b"y")]
        pairs.direct.watch()
        assert not is_awake()
        pairs.theirs[0].sendall(b"z")
        assert pairs.receive() == [(0, b"z")]


def test_what_a_socket_does_not_take_is_told(way):
    with Pairs(3) as pairs:
        much = bytes(64 << 20)
        numbers = [one.fileno() for one in pairs.ours]
        pairs.ours[2].close()
        left = dict(
            direct.transmit([(numbers[0], b"abc"), (numbers[1], much), (numbers[2], b"gone")])
        )
        assert set(left) == {1, 2}
        assert 0 < left[1] < len(much)
        assert left[2] == 0
        assert pairs.theirs[0].recv(10) == b"abc"
        assert direct.transmit([(numbers[1], b"more")]) == [(0, 0)]
        assert direct.transmit([]) == []


@pytest.mark.parametrize("piece", [("x", b""), (1, "text"), (1,), 1])
def test_what_is_no_piece_is_refused(piece):
    if not fast.READS_MANY:
        pytest.skip("the C fast path is not compiled here")
    with pytest.raises((TypeError, SystemError)):
        fast.transmit([piece])
    with pytest.raises(OSError, match="descriptor"):
        fast.receive(-1, {}, fast.Messages(), 0, 16)


PACKETS = st.one_of(
    st.builds(
        lambda qos, topic, number, payload: encode_publish(
            4, topic, payload, qos << 1, number if qos else 0
        ),
        st.integers(0, 2),
        st.sampled_from(["a", "plant/x", "other"]),
        st.integers(1, 65_535),
        st.binary(max_size=200),
    ),
    st.sampled_from([b"\xc0\x00", b"\x62\x02\x00\x07", b"\x31\x05\x00\x01axx"]),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.lists(PACKETS, max_size=6), st.integers(0, 40)), min_size=1, max_size=5),
    st.integers(0, 5),
)
def test_plain_messages_are_taken_as_scan_takes_them(sent, quota):
    if not fast.READS_MANY:
        pytest.skip("the C fast path is not compiled here")
    with Pairs(0) as pairs, socket.create_server(("127.0.0.1", 0)) as door:
        streams = []
        for number, (packets, cut) in enumerate(sent):
            owner = Owner(number, {b"a": "a", b"plant/x": "plant/x"})
            owner.quota = quota
            pairs.theirs.append(socket.create_connection(door.getsockname()))
            one, _ = door.accept()
            pairs.ours.append(one)
            pairs.direct.add(one.fileno(), owner)
            stream = b"".join(packets)
            streams.append(stream[: len(stream) - cut])
            pairs.theirs[-1].sendall(streams[-1])
            assert streams[-1] == b"" or select.select([one], [], [], 60)[0]
        messages = fast.Messages()
        runs, rests, size = pairs.direct.receive(messages, 7)
        took = {owner.number: (first, count, acks) for owner, first, count, acks in runs}
        left = {owner.number: data for owner, data in rests}
        total = 0
        for number, stream in enumerate(streams):
            alone = fast.Messages()
            known = {b"a": "a", b"plant/x": "plant/x"}
            end, count, acks = fast.scan(alone, stream, 0, False, 1 << 20, known, quota, SYSTEM, 7)
            total += end
            assert left.get(number, b"") == stream[end:]
            assert (number in took) == (count > 0)
            if count:
                first, found, given_acks = took[number]
                assert (found, given_acks) == (count, acks)
                assert [messages[first + i] for i in range(count)] == list(alone)
        assert size == total
        assert len(messages) == sum(count for _, count, _ in took.values())


def test_unacknowledged_messages_are_counted():
    if not fast.READS_MANY:
        pytest.skip("the C fast path is not compiled here")
    with Pairs(1) as pairs:
        owner = pairs.owners[0]
        owner.known_topics, owner.is_plain, owner.quota = {b"a": "a"}, True, 3
        third = encode_publish(4, "a", b"x", 2, 3)
        for number in (1, 2):
            pairs.theirs[0].sendall(encode_publish(4, "a", b"x", 2, number))
        pairs.theirs[0].sendall(third)
        owner.quota = 2
        runs, rests = [], []
        while len(b"".join(data for _, data in rests)) < len(third):
            assert select.select([pairs.direct], [], [], 60)[0]
            some, more, _ = pairs.direct.receive(fast.Messages(), 0)
            runs += some
            rests += more
        assert sum(count for _, _, count, _ in runs) == owner.unacknowledged == 2
        owner.is_plain = False
        pairs.theirs[0].sendall(third)
        assert pairs.receive() == [(0, third)]


def test_a_server_reads_and_answers_many_clients(way, run_once, host, wait_until):
    async def scenario():
        server, port = await listening(host)
        clients = [await Raw.open(port, 4) for _ in range(40)]
        for number, client in enumerate(clients):
            await client.connect(f"c{number}")
        for turn in range(1, 6):
            for client in clients:
                client.send(Publish(2, "plant/x", turn, b"1"))
            for client in clients:
                assert await client.next() == Ack(Kind.PUBACK, turn)
        assert len(host.messages) == 200
        clients[0].send(Publish(2, "plant/x", 9, b"2"))
        clients[0].writer.close()
        for client in clients[1:20]:
            client.cut()
        await wait_until(lambda: server.connections == 20)
        await server.close()

    run_once(scenario())


def test_a_client_that_reads_late_gets_all_in_order(way, run_once, host, wait_until):
    async def scenario():
        server, port = await listening(host, limits=Limits(write_bytes=1 << 16))
        reader = await Raw.open(port, 4)
        await reader.connect("late")
        reader.send(Subscribe(1, (("t", 0),)))
        assert (await reader.next()).reasons == b"\0"
        reader.writer.transport.pause_reading()
        (session,) = server.broker.sessions.values()
        count = 0
        while not session.link.is_paused:
            server.publish("t", count.to_bytes(4, "big") + bytes(60_000))
            count += 1
            await asyncio.sleep(0)
        reader.writer.transport.resume_reading()
        for number in range(count):
            assert (await reader.next()).payload[:4] == number.to_bytes(4, "big")
        await wait_until(lambda: not session.link.is_paused)
        reader.send(Publish(2, "plant/x", 7, b"still there"))
        assert await reader.next() == Ack(Kind.PUBACK, 7)
        await server.close()

    run_once(scenario())


def test_what_lies_in_sockets_is_read_once_the_platform_has_sent_something(
    run_once, host, monkeypatch
):
    monkeypatch.setattr("gemel.connect.mqtt.server._LATER", 1e6)

    async def scenario():
        server, port = await listening(host)
        client = await Raw.open(port, 4)
        await client.connect("c")
        for number in (1, 2):
            client.send(Publish(2, "a", number, b"x"))
            if number == 2:
                assert server._resting is not None
                server.publish("b", b"do")
            assert await client.next() == Ack(Kind.PUBACK, number)
        client.cut()
        await server.close()

    run_once(scenario())


def test_who_sends_much_is_read_soon(run_once, host, monkeypatch):
    monkeypatch.setattr("gemel.connect.mqtt.server._LATER", 1e6)
    monkeypatch.setattr("gemel.connect.mqtt.server._BRISK", 1e6)

    async def scenario():
        server, port = await listening(host)
        client = await Raw.open(port, 4)
        await client.connect("c")
        client.send(*(Publish(2, "a", number, b"x") for number in (1, 2)))
        for number in (1, 2):
            assert await client.next() == Ack(Kind.PUBACK, number)
        client.send(Publish(2, "a", 3, b"x"))
        assert await client.next() == Ack(Kind.PUBACK, 3)
        client.cut()
        await server.close()

    run_once(scenario())


@pytest.mark.parametrize(("length", "is_soon"), [(1, False), (3_000, True)])
def test_many_that_send_little_each_and_wait_for_nothing_are_read_in_larger_shares(
    run_once, host, wait_until, monkeypatch, length, is_soon
):
    monkeypatch.setattr("gemel.connect.mqtt.server._ANSWER", 0)
    count = direct.AT_ONCE + 44

    async def scenario():
        server, port = await listening(host)
        clients = [await Raw.open(port, 4) for _ in range(count)]
        for number, client in enumerate(clients):
            await client.connect(f"c{number}")
            client.send(Publish(0, f"a/{number}", None, b"first"))
        await wait_until(lambda: server.broker.counters.received_messages == count)
        server._watch()
        server.direct.rest()
        server._brisk_until = 0.0
        for number, client in enumerate(clients):
            client.send(Publish(0, f"a/{number}", None, length * b"x"))
        assert server._receive_directly()
        assert server.broker.counters.received_messages == 2 * count
        assert (server._brisk_until > server.time()) == is_soon
        for client in clients:
            client.cut()
        await server.close()

    run_once(scenario())
