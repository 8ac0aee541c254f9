from __future__ import annotations

import json
from pathlib import Path

import pytest

from gemel.app import event_cursors
from gemel.core.errors import Damaged


def test_cursors_come_back_and_those_of_before_there_was_a_checksum_too(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    assert event_cursors.read(path) == ("", {})
    event_cursors.write(path, "urn:uuid:1", {"b": 12, "a": 7})
    assert event_cursors.read(path) == ("urn:uuid:1", {"a": 7, "b": 12})
    path.write_text('{"source": "urn:uuid:1", "cursors": {"a": 7}}')
    assert event_cursors.read(path) == ("urn:uuid:1", {"a": 7})


@pytest.mark.parametrize("change", [("12", "13"), ("uuid:1", "uuid:3"), ("crc32", "crs32")])
def test_a_changed_one_is_damage(tmp_path: Path, change: tuple[str, str]) -> None:
    path = tmp_path / "c.json"
    event_cursors.write(path, "urn:uuid:1", {"b": 12})
    assert json.loads(path.read_text())["crc32"]
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(Damaged, match="sent again"):
        event_cursors.read(path)
