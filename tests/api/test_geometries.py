"""Users' own shapes from upload to scene, over HTTP and the command line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.inside import PUMP, Inside, inside
from gemel.cli.main import main
from gemel.scene.glb import read
from scene.shapes import ball, cube

CUBE = cube()
CUBE_HASH = hashlib.sha256(CUBE).hexdigest()
SCENE = {
    "objects": [
        {"kind": "pump", "twin": "pump-1", "at": [0, 0, 0]},
        {"kind": "fan", "twin": "pump-2", "at": [4, 0, 0]},
    ]
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path / "data") as found:
        found.pumps("pump-1", "pump-2")
        found.ask("POST", "/plant", {"scene": SCENE})
        yield found


def upload(server: Inside, content: bytes, name: str = "cube.glb") -> dict[str, Any]:
    answer = server.http.post("/geometries", params={"name": name}, content=content)
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()
    return found


def drawn(server: Inside) -> dict[str, str]:
    objects = server.ask("GET", "/scene")["objects"]
    return {one["twin"]: one.get("geometry", "") for one in objects}


def test_a_file_is_kept_by_its_hash_and_bound_to_a_model_and_a_twin(server: Inside) -> None:
    doc = upload(server, CUBE)
    assert (doc["sha256"], doc["triangles"], doc["size"]) == (CUBE_HASH, 12, [1, 1, 1])
    assert server.http.post("/geometries", content=CUBE).status_code == 200
    assert [one["sha256"] for one in server.ask("GET", "/geometries")["value"]] == [CUBE_HASH]
    assert server.http.get(f"/geometries/{CUBE_HASH}/file").content == CUBE

    server.ask("PUT", "/scene/geometries/cube", {"glb": CUBE_HASH, "models": [PUMP], "scale": 2})
    assert drawn(server) == {"pump-1": "cube", "pump-2": "cube"}
    assert server.ask("GET", f"/geometries/{CUBE_HASH}")["usedAs"] == ["cube"]
    server.ask("PUT", "/scene/geometries/cube", {"glb": CUBE_HASH})
    server.ask("PUT", "/scene/objects/pump-2", {"kind": "fan", "geometry": "cube"})
    assert drawn(server) == {"pump-1": "", "pump-2": "cube"}

    exported = read(server.http.get("/scene.glb").content)
    assert "cube" in [mesh["name"] for mesh in exported.entries("meshes")]
    assert server.http.delete(f"/geometries/{CUBE_HASH}").status_code == 409
    assert server.http.delete("/scene/geometries/cube").status_code == 204
    assert drawn(server) == {"pump-1": "", "pump-2": ""}
    assert server.http.delete(f"/geometries/{CUBE_HASH}").status_code == 204
    assert server.http.get(f"/geometries/{CUBE_HASH}/mesh").status_code == 404


def test_the_page_gets_a_whole_and_a_plain_form(server: Inside) -> None:
    doc = upload(server, ball(40, 60))
    answer = server.http.get(f"/geometries/{doc['sha256']}/mesh")
    assert answer.headers["content-type"] == "model/gltf-binary"
    glb = read(answer.content)
    counts = [
        glb.entries("accessors")[mesh["primitives"][0]["indices"]]["count"] // 3
        for mesh in glb.entries("meshes")
    ]
    assert counts == [doc["triangles"], doc["plainTriangles"]]


def test_what_cannot_be_drawn_is_refused_and_not_kept(server: Inside) -> None:
    answer = server.http.post("/geometries", content=cube(images=[{"uri": "skin.png"}]))
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "GeometryInvalid"
    assert "images[0].uri" in answer.json()["error"]["message"]
    assert server.http.post("/geometries", content=bytes((16 << 20) + 1)).status_code == 413
    assert server.ask("GET", "/geometries")["value"] == []


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("Cube", {"glb": CUBE_HASH}, 400),
        ("cube", {"glb": "no hash"}, 400),
        ("cube", {"glb": "0" * 64}, 404),
        ("cube", {"glb": CUBE_HASH, "models": ["dtmi:no:Such;1"]}, 404),
        ("cube", {"glb": CUBE_HASH, "scale": 0}, 400),
        ("cube", {"glb": CUBE_HASH, "colour": "red"}, 400),
    ],
)
def test_a_binding_that_makes_no_sense_is_refused(
    server: Inside, name: str, body: dict[str, Any], status: int
) -> None:
    upload(server, CUBE)
    assert server.http.put(f"/scene/geometries/{name}", json=body).status_code == status
    assert "geometries" not in server.ask("GET", "/scene")


def test_a_file_that_is_gone_from_the_disk_is_said_so_and_can_be_uploaded_again(
    server: Inside, tmp_path: Path
) -> None:
    upload(server, CUBE)
    (tmp_path / "data" / "geometries" / CUBE_HASH).unlink()
    answer = server.http.get(f"/geometries/{CUBE_HASH}/file")
    assert (answer.status_code, "gone" in answer.json()["error"]["message"]) == (404, True)
    upload(server, CUBE)
    assert server.http.get(f"/geometries/{CUBE_HASH}/file").content == CUBE


def test_the_command_line_checks_uploads_binds_lists_and_deletes(
    server: Inside, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "cube.glb"
    file.write_bytes(CUBE)
    data = ["--data", str(tmp_path / "data")]
    assert main(["geometry", "check", str(file)]) == 0
    assert "12 triangles, 1 x 1 x 1 m" in capsys.readouterr().out
    assert main(["geometry", "add", str(file), "--as", "cube", "--twin", "pump-1", *data]) == 0
    assert drawn(server) == {"pump-1": "cube", "pump-2": ""}
    bind = ["geometry", "bind", CUBE_HASH[:8], "--as", "cube", "--model", PUMP, "--turn", "90"]
    assert main([*bind, *data]) == 0
    assert drawn(server) == {"pump-1": "cube", "pump-2": "cube"}
    capsys.readouterr()
    assert main(["geometry", "list", "--json", *data]) == 0
    assert json.loads(capsys.readouterr().out)["value"][0]["usedAs"] == ["cube"]
    assert main(["geometry", "delete", CUBE_HASH[:8], *data]) == 1
    assert main(["geometry", "unbind", "cube", *data]) == 0
    assert main(["geometry", "delete", CUBE_HASH[:8], *data]) == 0
    file.write_bytes(cube(nodes=[{}]))
    assert main(["geometry", "check", str(file)]) == 1
    assert "no triangles" in capsys.readouterr().err
