from __future__ import annotations

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.connect.mqtt.codec import Decoder
from gemel.connect.mqtt.packets import Publish
from gemel.core.errors import ConfigInvalid
from gemel.load.frames import Frames
from gemel.load.plan import Plan

START = 1_763_799_000_000_000


@settings(deadline=None, max_examples=40)
@given(
    devices=st.integers(1, 9),
    connections=st.integers(1, 4),
    readings=st.sampled_from((1, 3, 12)),
    qos=st.sampled_from((0, 1)),
    first=st.integers(0, 200_000),
)
def test_a_chunk_is_the_plan_in_packets(
    devices: int, connections: int, readings: int, qos: int, first: int
) -> None:
    plan = Plan(devices, min(devices, connections), readings, START, 250, 7)
    connection = plan.connections - 1
    frames = Frames(plan, "x/{device}/up", qos)
    data = frames.chunk(connection, first, 5)
    assert len(data) == 5 * frames.length
    packets = Decoder(4).feed(data)
    values = plan.values()
    mine = plan.devices_of(connection)
    for number, packet in enumerate(packets, first):
        assert isinstance(packet, Publish)
        assert packet.topic == f"x/{plan.name(mine[number % len(mine)])}/up"
        assert packet.flags == qos << 1
        assert packet.packet_id == (number % 65_535 + 1 if qos else 0)
        body = orjson.loads(packet.payload)
        assert body.pop("ts") == START + connection * 7 + number * 250
        assert list(body) == plan.signals
        assert list(body.values()) == values[(number + connection * 31) % 997].tolist()


def test_a_topic_without_the_device_is_refused() -> None:
    with pytest.raises(ConfigInvalid, match=r"\{device\}"):
        Frames(Plan(1, 1, 1, START, 1), "a/b", 0)
