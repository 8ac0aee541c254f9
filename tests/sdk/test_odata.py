"""OData through clients of others, and its metadata against the schema of OASIS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import peers
from app.inside import Inside, inside
from gemel.api.odata import metadata
from gemel.api.odata_sets import SETS

HERE = Path(__file__).parent
T = 1_700_000_000
READINGS = 1_500
NAMESPACE = "http://docs.oasis-open.org/odata/ns/edm"

pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("odata") / "data") as found:
        found.pumps("p0", "p1", "p2")
        line = {"$metadata": {"$model": "dtmi:test:Line;1"}, "name": "Line 1"}
        found.ask("PUT", "/digitaltwins/line", line)
        link = {"$targetId": "p0", "$relationshipName": "contains"}
        found.ask("PUT", "/digitaltwins/line/relationships/r0", link)
        rows = [{"flow": n, "time": T + n} for n in range(READINGS)]
        found.ask("POST", "/ingest/p0", rows)
        yield found


def folder_of(fetched: peers.Fetched) -> Path:
    folder, why_not = fetched
    if folder is None:
        pytest.skip(why_not)
    return folder


def said(*command: str, path: Path | None = None) -> Any:
    environment = {**os.environ, "PYTHONPATH": str(path)} if path else None
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_metadata_fits_the_schema_of_oasis() -> None:
    xmlschema = pytest.importorskip("xmlschema")
    folder = folder_of(peers.npm("odata-csdl@0.11.2")) / "node_modules/odata-csdl/schemas"
    schema = xmlschema.XMLSchema(
        str(folder / "edmx.xsd"), locations={NAMESPACE: str(folder / "edm.xsd")}
    )
    schema.validate(metadata())
    with pytest.raises(xmlschema.XMLSchemaValidationError):
        schema.validate(metadata().replace("<Key>", "<Keys>").replace("</Key>", "</Keys>"))


def test_metadata_becomes_csdl_json_by_the_converter_of_oasis(tmp_path: Path) -> None:
    folder = folder_of(peers.npm("odata-csdl@0.11.2"))
    file = tmp_path / "metadata.xml"
    file.write_text(metadata())
    program = (
        f"const {{xml2json}} = require('{folder}/node_modules/odata-csdl');"
        f"const xml = require('fs').readFileSync('{file}');"
        "console.log(JSON.stringify(xml2json(xml, {strict: true})))"
    )
    found = said("node", "-e", program)["Gemel"]
    assert found["Twin"]["$Key"] == ["Id"]
    assert found["Alarm"]["Twin"]["$Type"] == "Gemel.Twin"
    assert found["Container"]["Alarms"]["$NavigationPropertyBinding"] == {"Twin": "Twins"}


def test_the_client_of_npm_reads(server: Inside) -> None:
    folder = folder_of(peers.npm("@odata/client@2.21.10"))
    script = str(HERE / "odata_client.mjs")
    found = said("node", script, str(folder), f"{server.url}/odata/", server.admin)
    assert found["one"]["Id"] == "p1"
    shown = [(one["Id"], one["ModelName"]) for one in found["some"]]
    assert shown == [("p2", "Pump"), ("p1", "Pump")]
    assert found["count"] == 3
    assert found["expanded"][0]["Parent"]["Id"] == "line"


def test_the_client_of_pypi_makes_classes_of_metadata_and_follows_pages(server: Inside) -> None:
    folder = folder_of(peers.pip("odata", "python-odata==0.8.1", "requests"))
    script = str(HERE / "odata_python.py")
    found = said(sys.executable, script, f"{server.url}/odata/", server.admin, path=folder)
    assert found["entities"] == sorted(SETS)
    assert found["some"] == [["p2", "Pump"], ["p1", "Pump"]]
    assert [one[0] for one in found["values"]] == [float(n) for n in range(1490, READINGS)]
    assert found["values"][0][1].startswith("2023-11-14T22:38:10")
    assert found["all"] == READINGS
    assert found["alarms"] == 0
