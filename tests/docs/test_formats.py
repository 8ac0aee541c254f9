"""docs/formats: the example of a plant is imported as it stands; the data folder is described."""

from __future__ import annotations

import fnmatch
import re
import sqlite3
from pathlib import Path

import orjson
import yaml
from pages import code, read, section, table

from gemel.app import plant_files
from gemel.app.snapshot import BESIDES, DOCUMENTS, EXPORT_CURSORS, HISTORY, IMPORTS, SESSIONS
from gemel.connect.mqtt import spool
from running import Running

PLANT = read("docs/formats/plant.md")
FOLDER = read("docs/formats/data-folder.md")


def telemetry(name: str, unit: str, kind: str) -> dict[str, str | list[str]]:
    return {"@type": ["Telemetry", kind], "name": name, "schema": "double", "unit": unit}


CONTEXT = ["dtmi:dtdl:context;3", "dtmi:dtdl:extension:quantitativeTypes;1"]
NAME = {"@type": "Property", "name": "name", "schema": "string"}
PIPE = {"@type": "Property", "name": "pipe", "schema": "string"}
MODELS = [
    {
        "@context": CONTEXT,
        "@id": "dtmi:example:Pump;1",
        "@type": "Interface",
        "contents": [
            NAME,
            {"@type": "Property", "name": "manufacturer", "schema": "string"},
            telemetry("flow", "cubicMetrePerHour", "VolumeFlowRate"),
            {
                "@type": "Command",
                "name": "setSpeed",
                "request": {"name": "speed", "schema": "double"},
            },
            {"@type": "Relationship", "name": "feeds", "properties": [PIPE]},
        ],
    },
    {
        "@context": CONTEXT,
        "@id": "dtmi:example:Station;1",
        "@type": "Interface",
        "contents": [NAME, {"@type": "Relationship", "name": "contains"}],
    },
]


def example(folder: Path) -> Path:
    """The example of plant.md as files."""
    text = re.search(r"```yaml\n(.*?)```", PLANT, re.DOTALL)
    assert text
    (folder / "models").mkdir()
    (folder / "models" / "all.json").write_bytes(orjson.dumps(MODELS))
    (folder / "scene.json").write_text('{"objects": []}')
    file = folder / "plant.yaml"
    file.write_text(text[1])
    return file


def test_the_example_of_a_plant_is_imported_and_read_back(tmp_path: Path, served: Running) -> None:
    plant = plant_files.read(example(tmp_path))
    made = served.call("POST", "/plant", plant)
    assert made["models"] == 2
    assert made["twins"] == 3
    assert made["rules"] == made["kpis"] == made["bindings"] == 1
    assert served.call("POST", "/plant", plant) == {}
    back = served.call("GET", "/plant")
    assert back["twins"]["station-1"]["contains"] == ["pump-1", "pump-2"]
    assert back["rules"][-1]["id"] == "flow-low"


def test_fields_of_a_plant_are_all_described() -> None:
    rows = table(section(PLANT, "## Fields").partition("###")[0], "field")
    assert {code(row[0]) for row in rows} == set(plant_files.FIELDS)
    text = re.search(r"```yaml\n(.*?)```", PLANT, re.DOTALL)
    assert text
    assert set(yaml.safe_load(text[1])) == set(plant_files.FIELDS)


def test_fields_of_a_models_settings_are_all_described() -> None:
    rows = table(section(PLANT, "### Settings of a model"), "field")
    assert {code(row[0]) for row in rows} == set(plant_files.SETTINGS)


def test_what_is_in_the_data_folder_is_described(served: Running) -> None:
    described = [
        name.strip("/")
        for row in table(FOLDER, "name")
        for name in re.findall(r"`([^`]+)`", row[0])
    ]
    there = sorted(path.name for path in served.data.iterdir())
    assert [n for n in there if not any(fnmatch.fnmatch(n, p) for p in described)] == []
    assert {"gemel.sqlite", "mqtt.sqlite", "history", "lock", "server.json"} <= set(there)


def test_tables_of_the_documents_are_as_described(served: Running) -> None:
    with sqlite3.connect(f"file:{served.data / 'gemel.sqlite'}?mode=ro", uri=True) as database:
        for row in table(section(FOLDER, "## `gemel.sqlite`"), "table"):
            columns = {c[1] for c in database.execute(f"PRAGMA table_info({code(row[0])})")}
            assert columns == set(re.findall(r"`(\w+)`", row[1])) - {"edits"}
        number = database.execute("PRAGMA application_id").fetchone()[0]
    database.close()
    assert f"0x{number:08X}" in FOLDER


def test_whatever_is_lost_if_deleted_is_in_a_backup() -> None:
    kept = {DOCUMENTS, SESSIONS, HISTORY, IMPORTS, spool.FOLDER, EXPORT_CURSORS, *BESIDES}
    for row in table(FOLDER.partition("## `gemel.sqlite`")[0], "name"):
        name = code(row[0]).strip("/")
        if row[2] not in ("nothing", "-") and "*" not in name:
            assert name in kept, f"{name} is lost with its disk, and no backup has it"
