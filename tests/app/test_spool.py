"""What ingest processes left behind: checked, copied and taken over with the rest."""

from __future__ import annotations

from pathlib import Path

from app.inside import inside
from gemel.app.checkup import check_at_rest
from gemel.connect.mqtt import spool
from gemel.connect.mqtt.codec import encode
from gemel.connect.mqtt.packets import Publish


def left_behind(data: Path, *values: int) -> Path:
    """A spool as it is after `kill -9` of everything: acknowledged, and in no history."""
    folder = data / spool.FOLDER / "00000001"
    writer = spool.Writer(folder)
    writer.rotate()
    who = b'{"name": "d", "role": "device", "twins": ["p1"], "session": "d", "five": false}'
    for number, value in enumerate(values):
        sent = Publish(2, "devices/p1/telemetry", 1, b'{"temperature": %d}' % value, None)
        entries = [spool.entry(spool.IDENTITY, 1, who, number)] if not number else []
        writer.append([*entries, spool.entry(spool.PACKETS, 1, encode(sent, 4), number + 1)])
    writer.close()
    return spool.path_of(folder, 1)


def made(data: Path) -> None:
    with inside(data) as server:
        server.pumps("p1")


def stored(data: Path) -> list[float]:
    with inside(data) as server:
        found = server.ask(
            "GET", "/history", twin="p1", property="temperature", **{"from": 0, "to": 10}
        )
        return found["series"][0]["value"] if found["series"] else []


def test_a_start_takes_over_what_was_acknowledged_before(tmp_path: Path):
    made(tmp_path / "data")
    left_behind(tmp_path / "data", 10, 11)
    assert stored(tmp_path / "data") == [10.0, 11.0]
    assert not spool.folders(tmp_path / "data")
    assert check_at_rest(tmp_path / "data")["sound"]


def test_damage_is_named_and_the_rest_is_taken_over(tmp_path: Path):
    made(tmp_path / "data")
    path = left_behind(tmp_path / "data", 10, 11, 12)
    content = bytearray(path.read_bytes())
    at = content.index(b"11}")
    content[at] ^= 1
    path.write_bytes(content)
    (fault,) = check_at_rest(tmp_path / "data")["damage"]
    assert fault["file"] == "spool/00000001/00000001.log"
    assert fault["offset"] <= at < fault["offset"] + fault["length"]
    assert stored(tmp_path / "data") == [10.0, 12.0]
