"""Requests and answers over one connection, against devices that answer late, wrongly or never."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gemel.connect.modbus.codec import read_request
from gemel.connect.modbus.exchange import Exchange, NotSent, Silence
from gemel.connect.modbus.settings import ModbusConnection

REQUEST = read_request("holding", 0, 1)
Say = Callable[[bytes], Awaitable[bytes]]


def talk(
    answer: Say, work: Callable[[Exchange], Awaitable[None]], timeout: float = 0.2, at_once: int = 1
) -> None:
    """Does something with a connection to a device that answers so."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            writer.write(await answer(data))
        writer.close()

    async def run() -> None:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            settings = ModbusConnection(f"127.0.0.1:{port}", timeout=timeout, at_once=at_once)
            exchange = Exchange(settings, lambda: None)
            await exchange.open()
            try:
                async with asyncio.timeout(30):
                    await work(exchange)
            finally:
                exchange.close()

    asyncio.run(run())


async def never(_: bytes) -> bytes:
    return b""


def test_what_is_not_to_come_late_does_not_leave() -> None:
    async def work(exchange: Exchange) -> None:
        first = asyncio.ensure_future(exchange.ask(1, REQUEST))
        await asyncio.sleep(0)
        with pytest.raises(NotSent, match="others were asked"):
            await exchange.ask(1, REQUEST, 0.01)
        with pytest.raises(Silence):
            await first
        with pytest.raises(Silence):  # its turn is free again
            await exchange.ask(1, REQUEST, 1.0)

    talk(never, work)


def test_one_that_is_given_up_leaves_its_turn_to_others() -> None:
    async def work(exchange: Exchange) -> None:
        tasks = [asyncio.ensure_future(exchange.ask(1, REQUEST)) for _ in range(3)]
        await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with pytest.raises(Silence):
            await exchange.ask(1, REQUEST, 0.0001)

    talk(never, work)


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\0\1\0\0\0\5\1\4\2\0\7",  # another function
        b"\0\1\0\0\0\7\1\3\4\0\7\0\7",  # more registers than were asked for
    ],
)
def test_an_answer_that_is_none_ends_the_connection(said: bytes) -> None:
    async def answer(_: bytes) -> bytes:
        return said

    async def work(exchange: Exchange) -> None:
        with pytest.raises(ConnectionError):
            await exchange.ask(1, REQUEST)
        assert exchange.why
        with pytest.raises(NotSent):
            await exchange.ask(1, REQUEST)

    talk(answer, work)


def test_answers_find_their_requests_in_any_order() -> None:
    held: list[bytes] = []

    async def answer(data: bytes) -> bytes:
        for start in range(0, len(data), 12):
            held.append(data[start : start + 2])
        if len(held) < 3:
            return b""
        return b"".join(n + b"\0\0\0\5\1\3\2" + n for n in reversed(held))

    async def work(exchange: Exchange) -> None:
        found = await asyncio.gather(*(exchange.ask(1, REQUEST) for _ in range(3)))
        assert found == [b"\0\1", b"\0\2", b"\0\3"]

    talk(answer, work, timeout=10, at_once=3)
