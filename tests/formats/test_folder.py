"""A data folder is read by its pages alone, and everything in it is what the server answers.

The folder is made by a real server with two ingest processes, under load from paho: every type of
value, late and doubled readings, several provenances, merged segments with roll-ups, a log, and a
spool that nobody has taken over when the server is killed.
"""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import signal
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from app.inside import Device
from cli.test_keep import gemel
from formats.folder_reader import Documents, spooled, summed, unpacked
from formats.history_reader import History, Reading, Rolled, Series, checkpoint_blobs
from gemel.services.packing import pack
from running import Running

BEGIN = 1_790_000_000_000
"""A minute's begin, in ms."""
ROWS = 400
ENUM = {
    "@type": "Enum",
    "valueSchema": "string",
    "enumValues": [{"name": n, "enumValue": n} for n in ("idle", "full")],
}
CODES = {
    "@type": "Enum",
    "valueSchema": "integer",
    "enumValues": [{"name": f"c{n}", "enumValue": n} for n in (3, 7)],
}
POSITION = {
    "@type": "Object",
    "fields": [{"name": "x", "schema": "double"}, {"name": "tags", "schema": "string"}],
}
SCHEMAS: dict[str, Any] = {
    "level": "double",
    "total": "long",
    "running": "boolean",
    "note": "string",
    "mode": ENUM,
    "code": CODES,
    "position": POSITION,
}
MODEL = {
    "@id": "dtmi:test:Typed;1",
    "@type": "Interface",
    "@context": "dtmi:dtdl:context;3",
    "contents": [
        {"@type": "Telemetry", "name": name, "schema": schema} for name, schema in SCHEMAS.items()
    ],
}
TWINS = ("t-1", "t-2")
IMPORT = b'{"Section": "Header"}\n' * 1000
LIMITS = {"level": {"maximum": 1000}}
Sent = dict[Series, set[tuple[int, str]]]


def value_of(name: str, row: int, chance: random.Random) -> Any:
    match name:
        case "level":
            return chance.choice([chance.gauss(20, 3), round(chance.gauss(20, 3), 2), -0.0, 1e308])
        case "total":
            return chance.choice([row, 2**53 + row, -(2**63), 2**63 - 1])
        case "running":
            return row % 7 < 3
        case "note":
            return chance.choice(["läuft", "", 'a "line"\n\u2028', "12.5", "😀"])
        case "mode":
            return chance.choice(["idle", "full"])
        case "code":
            return chance.choice([3, 7])
    return {"x": chance.random(), "tags": f"t{row % 5}"}


class Load:
    """Sends as devices and programs do, and keeps what was acknowledged."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.sent: Sent = defaultdict(set)
        self.chance = random.Random(11)
        self.devices: dict[str, Device] = {}

    def connect(self) -> None:
        for twin in TWINS:
            host, port = self.running.mqtt_host, self.running.mqtt_port
            token = self.running.call("POST", "/tokens", {"role": "device", "twins": [twin]})
            self.devices[twin] = Device(host, port, twin, token["token"])

    def send(self, twin: str, rows: range, names: Any = SCHEMAS, step: int = 100) -> None:
        """One message of columns, and a copy of it."""
        time = [BEGIN + row * step for row in rows]
        columns: dict[str, list[Any]] = {"time": time}
        for name in names:
            columns[name] = [value_of(name, row, self.chance) for row in rows]
            self.note(Series(twin, name, "measured"), time, columns[name])
        payload = json.dumps(columns)
        for _ in range(2):
            self.devices[twin].publish(f"devices/{twin}/telemetry", payload)

    def predict(self, provenance: str) -> None:
        """Says twice of the same times what will be: both are kept."""
        for _ in range(2):
            times = [BEGIN + row * 2000 for row in range(30)]
            columns: dict[str, list[Any]] = {"time": times}
            for name in ("level", "level@q0.05"):
                columns[name] = [self.chance.gauss(20, 3) for _ in times]
                self.note(Series("t-2", name, provenance), times, columns[name])
            self.running.call("POST", f"/ingest/t-2?provenance={provenance}", columns)

    def note(self, series: Series, times: list[int], values: list[Any]) -> None:
        self.sent[series] |= {(time, same(one)) for time, one in zip(times, values, strict=True)}


def same(value: Any) -> str:
    """What two values that are the same have in common, whether read as a number or as text."""
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True)
    is_number = isinstance(value, bool | int | float)
    return repr(float(value)) if is_number and int(value) == float(value) else repr(value)


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


def prepare(running: Running, load: Load) -> None:
    settings = {MODEL["@id"]: {"properties": LIMITS}}
    twins = {twin: {"model": MODEL["@id"]} for twin in TWINS}
    running.call("POST", "/plant", {"models": [MODEL], "twins": twins, "settings": settings})
    with running.http() as client:
        client.put("/imports/plant.ndjson", content=IMPORT).raise_for_status()
    load.connect()
    for begin in (100, 0, 200, 300):  # not in order
        load.send("t-2", range(begin, begin + 100))
        load.send("t-1", range(begin, begin + 100), ("level", "running"))
    load.send("t-1", range(0, 20_000, 4), ("level",), step=50)  # enough for roll-ups
    load.devices["t-2"].publish("devices/t-2/telemetry", '{"strange": 1, "level": "x"}')
    load.predict("predicted")
    load.predict("derived")


def said(running: Running) -> Iterator[tuple[Series, list[Reading]]]:
    """Every reading of every series, as GET /history has it."""
    for twin in TWINS:
        series = running.call("GET", "/history/series", twin=twin)["value"]
        paths = ",".join(sorted({one["property"] for one in series}))
        span = {"from": BEGIN - 10_000_000, "to": BEGIN + 100_000_000}
        some = {"provenance": "all", "versions": "all", "quality": "all", "limit": 1_000_000}
        for one in running.call("GET", "/history", twin=twin, property=paths, **span, **some)[
            "series"
        ]:
            texts = {int(row): orjson.loads(text) for row, text in one.get("text", {}).items()}
            rows = zip(one["time"], one["value"], one["quality"], strict=True)
            received = one.get("received", [0.0] * len(one["time"]))
            if not one["time"]:
                continue
            yield (
                Series(twin, one["property"], one["provenance"]),
                [
                    Reading(round(time * 1e6), texts.get(row, value), quality, int(received[row]))
                    for row, (time, value, quality) in enumerate(rows)
                ],
            )


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
