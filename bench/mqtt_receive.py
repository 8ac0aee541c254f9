"""Microseconds per MQTT message, receiving side: the codec alone, and the server.

    scripts/bench mqtt_receive [--json] [--uvloop]

The server, with a host that takes everything at once, is fed by a child process over loopback; its
own processor time is what is measured.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from against.rows import parser, tell

from gemel.connect.mqtt.codec import Decoder, encode_connect, encode_publish
from gemel.connect.mqtt.journal import MemorySessions
from gemel.connect.mqtt.packets import Connect
from gemel.connect.mqtt.server import MqttServer
from gemel.core.access import SYSTEM, Principal
from gemel.core.clock import system_clock
from gemel.core.message import Message

TOPIC = "devices/pump-7/telemetry"
SMALL = b'{"time":1700000000000,"flow":12.4,"pressure":3.2,"on":true}'[:58]
LARGE = (b'{"time":1700000000000,"v":%d}' % 12)[:28] * 100
CASES = [("1 reading, 58 B", SMALL, 200_000), ("100 readings, 2.8 kB", LARGE, 40_000)]


class NullHost:
    def __init__(self, count: int) -> None:
        self.messages = 0
        self.count = count
        self.first: tuple[int, float, float] | None = None
        self.last: tuple[int, float, float] | None = None
        self.all_there = asyncio.Event()

    def authenticate(self, name: str, secret: str) -> Principal | None:
        return SYSTEM

    def may_publish(self, who: Principal, topic: str) -> bool:
        return True

    def may_subscribe(self, who: Principal, topic_filter: str) -> bool:
        return True

    def is_urgent(self, topic: str) -> bool:
        return False

    def lost(self, messages: Sequence[Message], cause: str) -> None:
        raise AssertionError(cause)

    def may_receive(self, who: Principal, topic: str) -> bool:
        return True

    def accept(self, messages: Sequence[Message], done: Callable[[Exception | None], None]) -> None:
        self.messages += len(messages)
        if self.first is None:
            self.first = (self.messages, time.process_time(), time.perf_counter())
        if self.messages >= self.count and self.last is None:
            self.last = (self.messages, time.process_time(), time.perf_counter())
            self.all_there.set()
        done(None)

    def connected(self, who: Principal, client_id: str) -> None: ...

    def disconnected(self, who: Principal, client_id: str, cause: str) -> None: ...


def codec_cost(payload: bytes, flags: int, version: int) -> float:
    frame = encode_publish(version, TOPIC, payload, flags, 7 if flags else 0)
    count = max(1, 262_144 // len(frame))
    data = frame * count
    decoder = Decoder(version)
    best = 1e9
    for _ in range(40):
        start = time.perf_counter()
        packets = decoder.feed(data)
        best = min(best, time.perf_counter() - start)
        assert len(packets) == count
    return best / count * 1e6


def send(port: int, payload: bytes, flags: int, version: int, count: int) -> None:
    """The child: connects, sends all messages, reads acknowledgements until all are there."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.sendall(encode_connect(Connect("bench", version, True)))
    sock.recv(1024)
    sock.setblocking(True)
    group = 1000
    data = b"".join(
        encode_publish(version, TOPIC, payload, flags, n + 1 if flags else 0) for n in range(group)
    )
    waiting = 0
    for _ in range(count // group):
        sock.sendall(data)
        waiting += 4 * group if flags else 0
        while waiting > 4 * 8 * group:
            waiting -= len(sock.recv(65_536))
    while waiting > 0:
        waiting -= len(sock.recv(65_536))
    sock.shutdown(socket.SHUT_WR)
    sock.recv(1024)
    sock.close()


async def server_cost(payload: bytes, flags: int, version: int, count: int) -> tuple[float, float]:
    """(processor us, wall us) per message of the serving process."""
    host = NullHost(count)
    server = MqttServer(host, MemorySessions(), system_clock)
    _, port = await server.start("127.0.0.1", 0)
    child = multiprocessing.get_context("spawn").Process(
        target=send, args=(port, payload, flags, version, count)
    )
    child.start()
    await asyncio.wait_for(host.all_there.wait(), 20)
    await asyncio.to_thread(child.join)
    await server.close()
    assert host.first is not None
    assert host.last is not None
    early, cpu, wall = (after - before for before, after in zip(host.first, host.last, strict=True))
    return cpu / early * 1e6, wall / early * 1e6


def run(coroutine_function: Callable[[], object], use_uvloop: bool) -> object:
    if use_uvloop:
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(coroutine_function())  # type: ignore[arg-type]
    return asyncio.run(coroutine_function())  # type: ignore[arg-type]


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--uvloop", action="store_true", help="uvloop only; else both loops")
    options = made.parse_args()
    loops = ("uvloop",) if options.uvloop else ("asyncio", "uvloop")
    tell(measured(loops), options.json, line)


def measured(loops: Sequence[str]) -> Iterator[dict[str, Any]]:
    for name, payload, count in CASES:
        for qos in (0, 1):
            for version in (4, 5):
                what = f"codec v{version} QoS {qos} {name}"
                yield {"name": what, "us": codec_cost(payload, qos << 1, version)}
            for loop in loops:
                gc.collect()
                cpu, wall = run(
                    lambda p=payload, q=qos, c=count: server_cost(p, q << 1, 4, c), loop == "uvloop"
                )  # type: ignore[misc]
                yield {"name": f"server {loop} v4 QoS {qos} {name}", "us": cpu, "wall_us": wall}


def line(row: dict[str, Any]) -> str:
    wall = f"   ({row['wall_us']:.2f} wall)" if "wall_us" in row else ""
    return f"{row['name']:52} {row['us']:6.2f} us{wall}"


if __name__ == "__main__":
    main()
