"""Microseconds of processor time per CoAP message: the codec, the server, all of Gemel, aiocoap.

    scripts/bench coap [--json]

The server is fed over loopback by a child process, whose messages are made ahead: confirmable
POSTs, 64 under way. `server` has a host that takes everything at once; `Gemel` is the whole
platform, durable before each answer; `aiocoap` is that library's server, which only answers.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any

import uvloop
from against.rows import parser, tell

from gemel.api.app import create_app
from gemel.app import plant_files, tokens
from gemel.app.config import Config
from gemel.app.serve import Server
from gemel.connect.coap.codec import Packet, decode, encode
from gemel.connect.coap.server import CoapServer
from gemel.connect.coap.words import CON, NON, POST, Option
from gemel.core.access import SYSTEM, Principal
from gemel.core.clock import system_clock
from gemel.core.message import LastValue, Message

TWIN = "pump-7"
NAMES = [f"s{n:02}" for n in range(100)]
START = 1_700_000_000_000
CASES = {"1 reading, 29 B": (1, 60_000), "100 readings, 2.4 kB": (100, 12_000)}
SOCKETS = 8
WINDOW = 8
"""Under way of each socket."""
MODEL = {
    "@id": "dtmi:bench:Pump;1",
    "@type": "Interface",
    "@context": "dtmi:dtdl:context;3",
    "contents": [{"@type": "Telemetry", "name": name, "schema": "double"} for name in NAMES],
}
SECRET = "gml_" + "x" * 43


class Taking:
    """A host that takes everything at once."""

    def authenticate(self, name: str, secret: str) -> Principal | None:
        return SYSTEM

    def takes(self, topic: str) -> bool:
        return True

    may_publish = may_subscribe = may_receive = lambda *_: True

    def is_urgent(self, topic: str) -> bool:
        return False

    def accept(self, messages: Sequence[Message], done: Callable[[Exception | None], None]) -> None:
        done(None)

    def lost(self, messages: Sequence[Message], cause: str) -> None:
        raise AssertionError(cause)

    def connected(self, who: Principal, client_id: str) -> None: ...

    def disconnected(self, who: Principal, client_id: str, cause: str) -> None: ...

    def values(self, who: Principal, twin: str) -> list[LastValue]:
        return []

    def desired(self, twin: str) -> dict[str, object]:
        return {}

    def watch(self, twin: str, is_watched: bool) -> None: ...

    def changed(self) -> set[str]:
        return set()


def payload(readings: int, number: int) -> bytes:
    if readings == 1:
        return b'{"time":%d,"s00":%d}' % (START + number, number % 10)
    rows = ",".join(f'["{name}",{START + number},{number % 10}.5]' for name in NAMES)
    return f'{{"r":[{rows}]}}'.encode()


def datagram(secret: str, readings: int, number: int, kind: int = CON) -> bytes:
    path = ("devices", TWIN, "telemetry")
    options = [(int(Option.URI_PATH), level.encode()) for level in path]
    options.append((int(Option.CONTENT_FORMAT), b"\x32"))
    options.append((int(Option.URI_QUERY), f"token={secret}".encode()))
    packet = Packet(kind, POST, number & 0xFFFF, b"\x01", tuple(options), payload(readings, number))
    return encode(packet)


def send(port: int, secret: str, readings: int, count: int) -> None:
    """The child: sends all, `WINDOW` of each socket under way; repeats what was lost."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(SOCKETS)]
    each = count // SOCKETS
    lines = []
    for index, one in enumerate(sockets):
        one.connect(("127.0.0.1", port))
        one.settimeout(2)
        lines.append([datagram(secret, readings, index * each + n) for n in range(each)])
    for at in range(0, each, WINDOW):
        for one, line in zip(sockets, lines, strict=True):
            for data in line[at : at + WINDOW]:
                one.send(data)
        for one, line in zip(sockets, lines, strict=True):
            _collect(one, line[at : at + WINDOW])


def _collect(one: socket.socket, sent: list[bytes]) -> None:
    """Takes the answers to all of these."""
    left = {data[2:4]: data for data in sent}
    while left:
        try:
            answer = one.recv(1_500)
        except TimeoutError:
            for data in left.values():
                one.send(data)
            continue
        if answer[1]:
            if answer[1] != 0x44:
                raise SystemExit(f"answered {answer!r}")
            left.pop(answer[2:4], None)


async def fed(port: int, secret: str, readings: int, count: int) -> float:
    """Processor microseconds of this process per message."""
    arguments = (port, secret, readings, count)
    child = multiprocessing.get_context("spawn").Process(target=send, args=arguments)
    before = time.process_time()
    child.start()
    await asyncio.to_thread(child.join)
    if child.exitcode:
        raise SystemExit("the sender failed")
    return (time.process_time() - before) / count * 1e6


async def bare(readings: int, count: int) -> float:
    server = CoapServer(Taking(), system_clock)
    _, port = await server.start("127.0.0.1", 0)
    found = await fed(port, SECRET, readings, count)
    await server.close()
    return found


async def whole(readings: int, count: int) -> float:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        free = "127.0.0.1:0"
        server = Server(Config(data=folder, http=free, mqtt=free, coap=free), create_app)
        found = await server.start()
        platform = server.platform
        plant = {"models": [MODEL], "twins": {TWIN: {"model": MODEL["@id"]}}}
        await plant_files.import_plant(platform, plant, "bench")
        secret = tokens.create(
            platform.documents, system_clock(), role="device", name=TWIN, who="bench", twins=(TWIN,)
        ).secret
        port = int(found.coap.rsplit(":", 1)[1])
        await fed(port, secret, 100, 800)
        took = await fed(port, secret, readings, count)
        await server.close()
        return took


async def library(readings: int, count: int) -> float:
    import aiocoap
    from aiocoap import resource

    class Answers(resource.Resource):
        async def render_post(self, request: aiocoap.Message) -> aiocoap.Message:
            return aiocoap.Message(code=aiocoap.CHANGED)

    site = resource.Site()
    site.add_resource(["devices", TWIN, "telemetry"], Answers())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    context = await aiocoap.Context.create_server_context(
        site, bind=("127.0.0.1", port), transports=["udp6"]
    )
    took = await fed(port, SECRET, readings, count // 10)
    await context.shutdown()
    return took


def codec_cost(readings: int) -> float:
    data = [datagram(SECRET, readings, number, NON) for number in range(1_000)]
    best = 1e9
    for _ in range(20):
        start = time.perf_counter()
        for one in data:
            decode(one)
        best = min(best, time.perf_counter() - start)
    return best / len(data) * 1e6


def run(work: Coroutine[Any, Any, float]) -> float:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def measured() -> Iterator[dict[str, Any]]:
    for name, (readings, count) in CASES.items():
        yield {"name": f"codec, {name}", "us": codec_cost(readings)}
        yield {"name": f"server, {name}", "us": run(bare(readings, count))}
        yield {"name": f"Gemel, {name}", "us": run(whole(readings, count))}
        yield {"name": f"aiocoap, {name}", "us": run(library(readings, count))}


def line(row: dict[str, Any]) -> str:
    return f"{row['name']:40} {row['us']:8.2f} us"


def main() -> None:
    tell(measured(), parser(__doc__).parse_args().json, line)


if __name__ == "__main__":
    main()
