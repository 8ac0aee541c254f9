"""A plan as MQTT 3.1.1 PUBLISH packets, hundreds at once: a template, with digits set by numpy.

All packets of a plan have one length, so a chunk of them is a table of bytes, and packet `i` of it
lies at `i * length`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gemel.connect.mqtt.codec import encode_publish
from gemel.core.errors import ConfigInvalid
from gemel.load.plan import DIGITS, ROWS, Plan

DEVICE = "{device}"
POWERS = 10 ** np.arange(DIGITS - 1, -1, -1, dtype=np.int64)
PACKET_IDS = 65_535
_Bytes = NDArray[np.uint8]


class Frames:
    """Makes the packets of a plan."""

    def __init__(self, plan: Plan, topic: str, qos: int) -> None:
        if DEVICE not in topic:
            raise ConfigInvalid(f"--topic '{topic}' does not say {DEVICE}")
        if len(topic.replace(DEVICE, plan.name(0)).encode()) > 65_535:
            raise ConfigInvalid("--topic is longer than MQTT allows")
        self.plan = plan
        self._qos = qos
        topics = [topic.replace(DEVICE, plan.name(d)).encode() for d in range(plan.devices)]
        size = len(topics[0])
        self._topics = np.frombuffer(b"".join(topics), np.uint8).reshape(-1, size)
        zeros = b'{"ts":' + b"0" * DIGITS
        rows = []
        for row in plan.values():
            pairs = ",".join(f'"{n}":{v:.1f}' for n, v in zip(plan.signals, row, strict=True))
            payload = zeros + b"," + pairs.encode() + b"}"
            rows.append(encode_publish(4, topics[0].decode(), payload, qos << 1, 1))
        self.length = len(rows[0])
        self._template = np.frombuffer(b"".join(rows), np.uint8).reshape(ROWS, self.length)
        body = len(payload)
        self._time_at = self.length - body + len(zeros) - DIGITS
        self._topic_at = self.length - body - size - (2 if qos else 0)

    def chunk(self, connection: int, first: int, count: int) -> bytes:
        """Packets `first` to `first + count` of a connection, one after the other."""
        plan = self.plan
        numbers = np.arange(first, first + count, dtype=np.int64)
        table: _Bytes = self._template[plan.rows(connection, numbers)]
        times = plan.times(connection, numbers)
        table[:, self._time_at : self._time_at + DIGITS] = times[:, None] // POWERS % 10 + 48
        devices = plan.devices_of(connection)
        topics = self._topics[devices.start : devices.stop : devices.step]
        end = self._topic_at + topics.shape[1]
        table[:, self._topic_at : end] = topics[numbers % len(devices)]
        if self._qos:
            ids = packet_ids(numbers)
            table[:, end] = ids >> 8
            table[:, end + 1] = ids & 255
        return table.tobytes()


def packet_ids(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """The packet ids of messages: 1 to 65,535, round and round."""
    return numbers % PACKET_IDS + 1
