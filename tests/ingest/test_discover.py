from __future__ import annotations

import orjson
import pytest

from gemel.core.clock import SECOND
from gemel.core.errors import InvalidInput
from gemel.ingest import discover
from gemel.ingest.discover import Discovery
from gemel.ingest.intake import Unknown

NOW = 1_763_800_000 * SECOND


def hear(discovery, device="fan", now=NOW, count=1, **sample):
    return discovery.add({device: Unknown("a/fan", sample, count)}, now)


def test_device_is_new_once_and_counted():
    discovery = Discovery()
    assert hear(discovery, rpm=900, on=True, mode="eco", deep="[1]") == ["fan"]
    assert hear(discovery, now=NOW + SECOND, count=3, rpm=950.5) == []
    fan = discovery.devices["fan"]
    assert (fan.first_seen, fan.last_seen, fan.messages) == (NOW, NOW + SECOND, 4)
    assert fan.source == "a/fan"
    assert fan.sample == {"rpm": 950.5, "on": True, "mode": "eco", "deep": "[1]"}
    assert {p: n.kind for p, n in fan.names.items()} == {
        "rpm": "double",
        "on": "boolean",
        "mode": "string",
        "deep": "array",
    }
    assert (fan.names["rpm"].minimum, fan.names["rpm"].maximum) == (900.0, 950.5)


def test_samples_are_the_newest_few():
    discovery = Discovery()
    for i in range(20):
        hear(discovery, x=i)
    assert discovery.devices["fan"].names["x"].samples == [15, 16, 17, 18, 19]


def test_mixed_kinds_suggest_text():
    discovery = Discovery()
    hear(discovery, x=1)
    hear(discovery, x="off")
    hear(discovery, x=2)
    assert discovery.devices["fan"].names["x"].kind == "string"


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(discover, "MOST_DEVICES", 3)
    monkeypatch.setattr(discover, "MOST_NAMES", 4)
    discovery = Discovery()
    for i in range(9):
        hear(discovery, device=f"d{i}", **{f"n{j}": j for j in range(9)})
    assert list(discovery.devices) == ["d0", "d1", "d2"]
    assert len(discovery.devices["d0"].names) == 4


def test_what_is_written_is_read_again():
    discovery = Discovery()
    hear(discovery, rpm=900, on=True, mode="eco")
    hear(discovery, device="pump", big=2**60)
    documents = orjson.loads(orjson.dumps(discovery.to_json()))
    again = Discovery.from_json(documents)
    assert again.devices == discovery.devices
    again.forget("fan")
    again.forget("fan")
    assert list(again.devices) == ["pump"]


@pytest.mark.parametrize("damage", [{"messages": None}, {"firstSeen": "x"}, {"names": [1]}])
def test_damaged_document_is_named(damage):
    discovery = Discovery()
    hear(discovery, rpm=900)
    doc = discovery.to_json()["fan"] | damage
    with pytest.raises(InvalidInput, match="'fan' is damaged"):
        Discovery().restore([doc])
