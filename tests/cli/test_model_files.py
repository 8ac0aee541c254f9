"""gemel model import, export and convert, and plants whose models are in the short form."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from app.inside import MODELS, PUMP, Inside, inside
from gemel.app.model_files import parse_models
from gemel.cli.main import main

SHORT = """\
- {model: "dtmi:hand:Tank;1", telemetry: {level: m, pressure: bar}}
- {model: "dtmi:hand:Site;1", relationships: {contains: "dtmi:hand:Tank;1"}}
"""


def gemel(*words: str | Path) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(word) for word in words])
    return code, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("models") / "data") as found:
        found.ask("POST", "/models", MODELS)
        yield found


def test_models_written_by_hand_are_imported_once_and_exported(
    server: Inside, tmp_path: Path
) -> None:
    file = tmp_path / "hand.yaml"
    file.write_text(SHORT, "utf-8")
    data = server.platform.folder.path
    assert gemel("model", "import", file, "--data", data)[1].startswith("imported 2 of 2")
    assert gemel("model", "import", file, "--data", data)[1].startswith("imported 0 of 2")
    code, text, _ = gemel("model", "export", "dtmi:hand:Tank;1", "--data", data)
    assert code == 0
    assert parse_models(text, "out") == parse_models(SHORT, "in")[:1]
    _, everything, _ = gemel("model", "export", "--format", "dtdl", "--data", data)
    found = {model["@id"]: model for model in orjson.loads(everything)}
    assert found[PUMP] == next(m for m in MODELS if m["@id"] == PUMP)
    assert "dtmi:hand:Site;1" in found


def test_a_plant_exported_with_short_models_is_the_same_plant(
    server: Inside, tmp_path: Path
) -> None:
    data = server.platform.folder.path
    gemel("export", tmp_path / "plant", "--models", "yaml", "--data", data)
    assert (tmp_path / "plant" / "models" / "test.Pump-1.yaml").exists()
    code, said, _ = gemel("import", tmp_path / "plant" / "plant.yaml", "--data", data)
    assert (code, said) == (0, "nothing to import: all of it is there already\n")


def test_models_are_converted_without_a_server(tmp_path: Path) -> None:
    file = tmp_path / "hand.yaml"
    file.write_text(SHORT, "utf-8")
    _, text, _ = gemel("model", "convert", file)
    assert [model["@type"] for model in orjson.loads(text)] == ["Interface", "Interface"]
    (tmp_path / "back.json").write_text(text, "utf-8")
    _, again, _ = gemel("model", "convert", tmp_path / "back.json", "--format", "yaml")
    assert parse_models(again, "again") == orjson.loads(text)


def test_a_mistake_is_named_with_file_and_place(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("model: dtmi:hand:Tank;1\ntelemetry: {level: furlong}\n", "utf-8")
    code, _, said = gemel("model", "convert", file)
    assert code == 1
    assert "bad.yaml: model dtmi:hand:Tank;1: telemetry.level: 'furlong'" in said
