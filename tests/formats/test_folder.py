"""A data folder is read by its pages alone, and everything in it is what the server answers.

The folder is made by a real server with two ingest processes, under load from paho: every type of
value, late and doubled readings, several provenances, merged segments with roll-ups, a log, and a
spool that nobody has taken over when the server is killed.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from cli.test_keep import gemel
from formats.folder_reader import Documents, spooled, summed, unpacked
from formats.history_reader import History, Reading, Rolled, Series, checkpoint_blobs
from formats.load import IMPORT, LIMITS, ROWS, Load, Sent, prepare, said, same
from gemel.services.packing import pack
from running import Running


class Made:
    """The folders a test looks at, and what the server said of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.backup = folder / "backup"
        self.killed = folder / "killed"
        self.stopped = folder / "data"
        self.sent: Sent = {}
        self.waiting = 0
        """Messages that were acknowledged while nobody took them over."""
        self.said: dict[Series, list[Reading]] = {}
        self.documents: dict[str, Any] = {}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    found = Made(tmp_path_factory.mktemp("folder"))
    running = Running(found.stopped, "--ingest-processes", "2")
    running.environment = {"GEMEL_SEAL_ROWS": "3000"}
    with running:
        load = Load(running)
        prepare(running, load)
        running.call("POST", "/compact")
        running.call("POST", "/audit/checkpoint")
        gemel("backup", found.folder / "backups", "--data", found.stopped)
        [backup] = (found.folder / "backups").glob("gemel-*Z")
        backup.rename(found.backup)
        load.send("t-2", range(ROWS, ROWS + 50))  # newer, then late, in the log
        load.send("t-1", range(50, 60))
        load.predict("simulated")
        os.kill(running.process.pid, signal.SIGSTOP)
        for begin in (900, 910):
            load.send("t-2", range(begin, begin + 10))
            found.waiting += 2
        for device in load.devices.values():
            device.drop()
        running.kill()
        shutil.copytree(found.stopped, found.killed)
        running.start()
        found.said = dict(said(running))
        found.documents = documents(running)
        found.sent = load.sent
        assert running.stop() == 0
    return found


def documents(running: Running) -> dict[str, Any]:
    exported = running.data.with_name("audit.jsonl")
    gemel("audit", "export", exported, "--data", running.data)
    return {
        "twins": running.call("GET", "/plant")["twins"],
        "models": running.call("GET", "/plant")["models"],
        "audit": [orjson.loads(line) for line in exported.read_bytes().splitlines()],
    }


def alike(readings: list[Reading]) -> list[tuple[int, str, int]]:
    return [(one.time, same(one.value), one.quality) for one in readings]


def test_every_reading_of_a_stopped_folder_is_what_the_server_answers(made: Made) -> None:
    history = History(made.stopped / "history")
    assert not list(spooled(made.stopped))
    assert set(history.series) == set(made.said)
    for series, answered in made.said.items():
        assert alike(history.of(series)) == alike(answered), series
        if any(one.received for one in answered):
            found = [one.received for one in history.of(series)]
            assert found == [one.received for one in answered], series
    provenances = {series.provenance for series in history.series}
    assert provenances == {"measured", "predicted", "simulated", "derived"}


@pytest.mark.parametrize("which", ["killed", "stopped"])
def test_whatever_was_acknowledged_is_there_once(made: Made, which: str) -> None:
    folder = made.folder / ("data" if which == "stopped" else which)
    history = History(folder / "history")
    found: Sent = defaultdict(set)
    for series in history.series:
        readings = [(one.time // 1_000_000, same(one.value)) for one in history.of(series)]
        assert len(readings) == len(set(readings)), series
        found[series] |= set(readings)
    waiting = list(spooled(folder))
    assert len(waiting) >= made.waiting if which == "killed" else not waiting
    for topic, payload in waiting:
        columns = json.loads(payload)
        times = columns.pop("time")
        for name, values in columns.items():
            rows = zip(times, map(same, values), strict=True)
            found[Series(topic.split("/")[1], name, "measured")] |= set(rows)
    for series, sent in made.sent.items():
        assert found[series] == sent, series


def test_roll_ups_of_a_backup_are_those_of_its_readings(made: Made) -> None:
    history = History(made.backup / "history")
    counted = 0
    for width, span in (("1m", 60 * 10**9), ("1h", 3600 * 10**9)):
        for rolled in history.roll_ups[width]:
            assert rolled.begin % span == 0
            end = rolled.begin + span
            mine = [
                (one.time, one.value)
                for one in history.counting(rolled.series)
                if rolled.begin <= one.time < end
            ]
            assert rolled.has_readings
            check_rolled(rolled, mine)
            counted += 1
    assert counted > 10


def check_rolled(rolled: Rolled, mine: list[tuple[int, float]]) -> None:
    values = [value for _, value in mine]
    assert rolled.count == len(mine)
    assert rolled.first == mine[0]
    assert rolled.last == mine[-1]
    assert rolled.lowest == min(mine, key=lambda one: one[1])
    assert rolled.highest == max(mine, key=lambda one: one[1])
    assert rolled.total == pytest.approx(math.fsum(values))
    mean = math.fsum(values) / len(values)
    deviation = math.sqrt(math.fsum((one - mean) ** 2 for one in values) / len(values))
    assert rolled.deviation == pytest.approx(deviation, rel=1e-5, abs=1e-9)


def test_what_was_rejected_is_there(made: Made) -> None:
    for folder in (made.backup, made.stopped):
        rejects = History(folder / "history").rejects
        assert [(one["field"], one["reason"]) for one in rejects] == [
            ("strange", "unknown-property"),
            ("level", "wrong-type"),
        ]


def test_documents_are_what_the_server_answers_and_their_chain_holds(made: Made) -> None:
    found = Documents(made.stopped / "gemel.sqlite")
    assert found.checkpoints
    exported = made.documents["audit"]
    assert [(one.seq, one.hash.hex()) for one in found.edits][: len(exported)] == [
        (one["seq"], one["hash"]) for one in exported
    ]
    twins = {key: doc["$metadata"]["$model"] for key, doc in found.of("twin").items()}
    assert twins == {key: doc["model"] for key, doc in made.documents["twins"].items()}
    [model] = found.of("model").values()
    assert [one["@id"] for one in made.documents["models"]] == [model["@id"]]
    assert found.of("settings")[model["@id"]]["properties"] == LIMITS
    before = Documents(made.backup / "gemel.sqlite")
    assert found.edits[: len(before.edits)] == before.edits


def test_checkpoints_and_packs_are_read(made: Made) -> None:
    newest = max((made.stopped / "history" / "checkpoints").glob("*.ckpt"))
    blobs = checkpoint_blobs(newest)
    packed = {name: unpacked(blob) for name, blob in blobs.items() if blob[:8] == b"GMLPACK1"}
    print(newest.name, {name: blob[:8] for name, blob in blobs.items()})
    assert packed
    arrays = {"a": np.arange(6, dtype=np.int32).reshape(2, 3), "b": np.array(["ü", "xy"])}
    document, back = unpacked(pack({"some": ["thing"]}, arrays))
    assert document == {"some": ["thing"]}
    assert all((back[name] == column).all() for name, column in arrays.items())


def test_files_of_import_jobs_fit_their_sums(made: Made) -> None:
    for folder in (made.stopped, made.backup):
        assert summed(folder / "imports") == {"plant.ndjson": IMPORT}
