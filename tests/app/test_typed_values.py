"""Values of every type come back the same: from log, segments, answers and Parquet."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from app.inside import Inside, inside, until
from cli.test_keep import gemel
from gemel.app import parquet
from gemel.backends.object_folder import FolderObjects
from gemel.core.errors import InvalidInput, Unavailable
from gemel.history import History

MODEL: dict[str, Any] = {
    "@id": "dtmi:test:Typed;1",
    "@type": "Interface",
    "@context": "dtmi:dtdl:context;3",
    "contents": [
        {"@type": "Telemetry", "name": "level", "schema": "double"},
        {"@type": "Telemetry", "name": "total", "schema": "long"},
        {"@type": "Telemetry", "name": "running", "schema": "boolean"},
        {"@type": "Telemetry", "name": "note", "schema": "string"},
        {
            "@type": "Telemetry",
            "name": "mode",
            "schema": {
                "@type": "Enum",
                "valueSchema": "string",
                "enumValues": [
                    {"name": "idle", "enumValue": "idle"},
                    {"name": "full", "enumValue": "full"},
                ],
            },
        },
        {
            "@type": "Telemetry",
            "name": "tags",
            "schema": {"@type": "Map", "mapKey": {"name": "key", "schema": "string"},
                       "mapValue": {"name": "value", "schema": "integer"}},
        },
    ],
}  # fmt: skip
VALUES: dict[str, list[Any]] = {
    "level": [0.1, -1e-308, 1.7976931348623157e308, 12.5],
    "total": [2**53 + 1, -(2**63), 2**63 - 1, 7],
    "running": [True, False, True, False],
    "note": ["läuft", "", 'a "quoted" line\n', "12.5"],
    "mode": ["idle", "full", "idle", "full"],
    "tags": [{"a": 1}, {}, {"ü": 2, "b": 3}, {"a": 1}],
}


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("typed") / "data") as found:
        found.ask("POST", "/plant", {"models": [MODEL], "twins": {"t-1": {"model": MODEL["@id"]}}})
        for row in range(3):
            _send(found, row)
            found.platform.history.seal()  # a segment each, merged below
        _send(found, 3)
        yield found


def _send(server: Inside, row: int) -> None:
    values = {name: some[row] for name, some in VALUES.items()}
    body = orjson.loads(orjson.dumps(values))
    server.ingest("t-1", **body, time=f"2026-01-01T00:00:0{row}Z")


def _asked(server: Inside, name: str) -> list[Any]:
    span = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T00:01:00Z"}
    [series] = server.ask("GET", "/history", twin="t-1", property=name, **span)["series"]
    texts = {int(row): orjson.loads(text) for row, text in series.get("text", {}).items()}
    found = [texts.get(row, value) for row, value in enumerate(series["value"])]
    return [bool(one) for one in found] if name == "running" else found


@pytest.mark.parametrize("is_merged", [False, True])
def test_every_type_comes_back_from_history(typed: Inside, is_merged: bool) -> None:
    if is_merged:
        typed.platform.history.seal()
        typed.platform.history.compact()
        until(lambda: typed.platform.history.statistics().segments == 1)
    for name, values in VALUES.items():
        assert _asked(typed, name) == values, name


@pytest.fixture(scope="module")
def exported(typed: Inside, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "all.parquet"
    code, out, err = gemel("parquet", path, "--data", typed.platform.folder.path, "--json")
    assert code == 0, err
    told = orjson.loads(out)
    assert (told["readings"], told["series"]) == (24, 6)
    assert told["bytes"] == path.stat().st_size
    return path


def test_every_type_comes_back_from_parquet(exported: Path) -> None:
    rows = pq.read_table(exported).to_pylist()
    assert {row["provenance"] for row in rows} == {"measured"}
    assert [row["time"].second for row in rows] == [0, 1, 2, 3] * 6
    for name, values in VALUES.items():
        mine = [row for row in rows if row["property"] == name]
        found = [r["value"] if r["text"] is None else orjson.loads(r["text"]) for r in mine]
        assert all((r["value"] is None) == (r["text"] is not None) for r in mine)
        assert found == values, name


def test_duckdb_reads_the_file(exported: Path) -> None:
    """In a process of its own: DuckDB 2.0 complains of itself when it ends."""
    program = (
        "import duckdb, sys; print(duckdb.execute('SELECT property, count(*), max(value) FROM "
        "read_parquet(?) WHERE twin = ? AND property = ? GROUP BY ALL', sys.argv[1:]).fetchall())"
    )
    words = [sys.executable, "-c", program, str(exported), "t-1", "running"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[('running', 4, 1.0)]"


def test_a_running_server_leaves_no_snapshot_behind(typed: Inside, exported: Path) -> None:
    assert exported.exists()
    folder = typed.platform.folder.path / "backups"
    assert [path for path in folder.glob("*") if path.is_dir()] == []


def test_parts_are_exported_by_twin_property_and_time(typed: Inside, tmp_path: Path) -> None:
    words = ("--data", typed.platform.folder.path, "--twin", "t-1", "--property", "total")
    span = ("--from", "2026-01-01T00:00:01Z", "--to", "2026-01-01T00:00:03Z")
    code, out, err = gemel("parquet", tmp_path / "some.parquet", *words, *span)
    assert code == 0, err
    assert out.startswith("2 readings of 1 series")
    rows = pq.read_table(tmp_path / "some.parquet").to_pylist()
    assert [orjson.loads(row["text"]) for row in rows] == VALUES["total"][1:3]


def test_what_cannot_be_exported_is_said(typed: Inside, exported: Path, tmp_path: Path) -> None:
    data = typed.platform.folder.path
    before = exported.read_bytes()
    for words, says in (
        ((exported,), "already"),
        ((tmp_path / "x.parquet", "--twin", "none"), "no twin"),
        ((tmp_path / "missing" / "x.parquet",), "cannot be written"),
    ):
        code, _, err = gemel("parquet", *words, "--data", data)
        assert code == 1
        assert says in err
    assert exported.read_bytes() == before
    assert list(tmp_path.iterdir()) == []


def _written(history: History, series: Sequence[int], path: Path) -> tuple[int, int]:
    made = parquet.write_parquet(history, series, 0, 1 << 62, FolderObjects(path.parent), path.name)
    return made.readings, made.series


def test_large_histories_go_out_in_row_groups(
    typed: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "ROWS_A_GROUP", 8)
    history = typed.platform.history
    path = tmp_path / "groups.parquet"
    assert _written(history, range(6), path) == (24, 6)
    assert pq.read_metadata(path).num_row_groups == 3


def test_without_pyarrow_the_extra_is_named(
    typed: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(parquet.importlib, "import_module", missing)
    with pytest.raises(InvalidInput) as caught:
        _written(typed.platform.history, [0], tmp_path / "x.parquet")
    assert "gemel[parquet]" in caught.value.hint


def test_no_half_file_stays_when_writing_fails(
    typed: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(parquet, "_table", full)
    with pytest.raises(Unavailable):
        _written(typed.platform.history, [0], tmp_path / "x.parquet")
    assert list(tmp_path.iterdir()) == []


SIZE = {"@type": "Object", "fields": [{"name": "height", "schema": "double"}]}
SHAPED: dict[str, Any] = {
    "@id": "dtmi:test:Shaped;1",
    "@type": "Interface",
    "@context": "dtmi:dtdl:context;3",
    "contents": [
        {"@type": "Property", "name": "size", "schema": SIZE},
        {"@type": "Telemetry", "name": "spectrum",
         "schema": {"@type": "Array", "elementSchema": "double"}},
        {"@type": "Telemetry", "name": "sizes",
         "schema": {"@type": "Array", "elementSchema": SIZE}},
        {"@type": "Telemetry", "name": "place", "schema": "point"},
    ],
}  # fmt: skip


def test_what_a_device_sends_is_of_its_schema_inside_too(tmp_path: Path) -> None:
    place = {"type": "Point", "coordinates": [8.5, 47.4]}
    right = {
        "size": [{"height": 2}, {}],
        "spectrum": [[1.5, 2], []],
        "sizes": [[{"height": 2.5}], []],
        "place": [place],
    }
    wrong = {
        "size": [{"height": "2"}, {"width": 2}, {"height": None}, []],
        "spectrum": [[1.5, "x"], [True], [None], [[1.5]], {}],
        "sizes": [[{"height": 2.5}, {"height": True}], [5]],
        "place": [{**place, "coordinates": "x"}, {"place": 5}],
    }
    with inside(tmp_path / "data") as server:
        made = {"models": [SHAPED], "twins": {"s-1": {"model": SHAPED["@id"]}}}
        server.ask("POST", "/plant", made)
        rows = [{n: one} for n, some in right.items() for one in some]
        assert server.ask("POST", "/ingest/s-1", rows)["rejected"] == 0
        for name, some in wrong.items():
            for one in some:
                found = server.ask("POST", "/ingest/s-1", {name: one})
                assert (found["readings"], found["rejected"]) == (0, 1), (name, one)
                assert found["rejects"][0]["reason"] == "wrong-type"
        shown = server.ask("GET", "/digitaltwins/s-1")
        assert shown["size"] == {}
        server.ask("PUT", "/digitaltwins/s-1", shown)  # what is shown is of the model

        contents = [{"@type": "Property", "name": "size", "schema": "string"}]
        contents += [{**SHAPED["contents"][1], "schema": {"@type": "Array", "elementSchema": SIZE}}]
        server.ask("DELETE", f"/models/{SHAPED['@id']}")
        server.ask("POST", "/models", [{**SHAPED, "contents": contents}])
        assert server.ask("POST", "/ingest/s-1", {"spectrum": [{"height": 1}]})["rejected"] == 0
        assert server.ask("POST", "/ingest/s-1", {"spectrum": [1.5]})["rejected"] == 1
