"""A scene is checked by place and rule, and exported as a GLB that holds what it says."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gemel.cli.main import main
from gemel.scene.evaluate import build
from gemel.scene.gltf import to_glb
from gemel.scene.kinds import builtin
from gemel.scene.validate import findings

DEMO = Path(__file__).parents[2] / "src/gemel/simulate/plants/demo/scene.json"
SCENE: dict[str, Any] = {
    "version": 1,
    "name": "Small",
    "kinds": {
        "slab": {"parameters": {"w": 2}, "shapes": [{"shape": "box", "size": ["w", 1, "w"]}]}
    },
    "objects": [
        {"kind": "pump", "twin": "pump-1", "at": [0, 0, 0], "turn": 90},
        {"kind": "pump", "twin": "pump-2", "at": [4, 0]},
        {"kind": "slab", "at": [8, 0, 0], "scale": 2},
    ],
    "pipes": [{"points": [[0, 1, 0], [4, 1, 0], [4, 1, 4]], "diameter": 0.2}],
}


def opened(glb: bytes) -> tuple[dict[str, Any], bytes]:
    magic, version, length = struct.unpack_from("<III", glb)
    assert (magic, version, length) == (0x46546C67, 2, len(glb))
    size, kind = struct.unpack_from("<II", glb, 12)
    assert kind == 0x4E4F534A
    return json.loads(glb[20 : 20 + size]), glb[20 + size + 8 :]


def test_export_has_a_node_for_each_object_and_shares_meshes() -> None:
    document, binary = opened(to_glb(SCENE))
    roots = [document["nodes"][i] for i in document["scenes"][0]["nodes"]]
    assert [node["name"] for node in roots] == ["pump-1", "pump-2", "slab", "pipe"]
    assert roots[0]["extras"]["twin"] == "pump-1"
    assert roots[0]["mesh"] == roots[1]["mesh"]
    assert roots[1]["translation"] == [4, 0, 0]
    assert document["buffers"] == [{"byteLength": len(binary)}]
    mesh = document["meshes"][roots[0]["mesh"]]
    position = document["accessors"][mesh["primitives"][0]["attributes"]["POSITION"]]
    assert position["count"] == build("pump").body.triangles * 3


def test_an_empty_scene_is_a_valid_file() -> None:
    document, _ = opened(to_glb({"objects": []}))
    assert "meshes" not in document


def test_the_demo_plant_has_no_findings() -> None:
    assert findings(json.loads(DEMO.read_text("utf-8"))) == []


WRONG = [
    ([], "scene"),
    ({"version": 2}, "version"),
    ({"objects": {}}, "objects"),
    ({"objects": [1]}, "objects[0]"),
    ({"objects": [{"at": [0, 0]}]}, "objects[0].kind"),
    ({"objects": [{"kind": "pump", "at": [0]}]}, "objects[0].at"),
    ({"objects": [{"kind": "pump", "at": [0, float("nan")]}]}, "objects[0].at"),
    ({"objects": [{"kind": "pump", "at": [0, 0], "turn": "x"}]}, "objects[0].turn"),
    (
        {"objects": [{"kind": "pump", "at": [0, 0], "parameters": {"length": -1}}]},
        "objects[0].parameters.length",
    ),
    ({"objects": [{"kind": "pump", "at": [0, 0], "motion": {}}]}, "objects[0].motion"),
    ({"objects": [{"kind": "pump", "at": [0, 0], "twin": 7}]}, "objects[0].twin"),
    ({"objects": [{"kind": "box", "at": [0, 0], "id": "a"}] * 2}, "objects[1].id"),
    ({"zones": [{"at": [0, 0]}]}, "zones[0].size"),
    ({"pipes": [{"points": [[0, 0, 0]]}]}, "pipes[0].points"),
    ({"camera": {"position": [1]}}, "camera"),
    ({"kinds": {"x": {"shapes": [{"shape": "teapot"}]}}}, "kinds.x"),
    ({"kinds": {"x": {"shapes": [{"shape": "box", "size": ["1/0", 1, 1]}]}}}, "kinds.x"),
]


@pytest.mark.parametrize(("scene", "place"), WRONG)
def test_an_error_names_its_place(scene: Any, place: str) -> None:
    assert place in [f.place for f in findings(scene) if f.is_error]


@pytest.mark.parametrize(
    ("thing", "place"),
    [
        ({"kind": "teapot", "at": [0, 0]}, "objects[0].kind"),
        ({"kind": "pump", "at": [0, 0], "twin": "gone"}, "objects[0].twin"),
        ({"kind": "pump", "at": [0, 0], "colour": "red"}, "objects[0].colour"),
        ({"kind": "pump", "at": [0, 0], "parameters": {"size": 1}}, "objects[0].parameters.size"),
    ],
)
def test_what_can_still_be_drawn_is_a_warning(thing: dict[str, Any], place: str) -> None:
    assert [(f.place, f.is_error) for f in findings({"objects": [thing]}, {"pump-1"})] == [
        (place, False)
    ]


def test_commands_check_and_export_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, target = tmp_path / "scene.json", tmp_path / "scene.glb"
    file.write_text(json.dumps(SCENE))
    assert main(["scene", "validate", str(file)]) == 0
    assert "3 things, 0 errors, 0 warnings" in capsys.readouterr().out
    assert main(["scene", "export", str(file), "--gltf", str(target)]) == 0
    assert opened(target.read_bytes())[0]["asset"]["extras"]["scene"]["name"] == "Small"
    file.write_text('{"objects": [{"kind": "pump"}]}')
    assert main(["scene", "validate", str(file), "--json"]) == 1
    assert main(["scene", "export", str(file), "--gltf", str(target)]) == 1


VALIDATOR = Path(__file__).parents[2] / "ui" / "node_modules" / "gltf-validator"
VALIDATE = """
const [, package_, file] = process.argv;
const bytes = new Uint8Array(require("node:fs").readFileSync(file));
require(package_).validateBytes(bytes).then((found) => console.log(JSON.stringify(found)));
"""


@pytest.mark.skipif(
    shutil.which("node") is None or not VALIDATOR.exists(),
    reason="needs Khronos' validator: npm ci --ignore-scripts in ui",
)
def test_the_validator_of_khronos_finds_nothing_in_a_scene_of_every_kind(tmp_path: Path) -> None:
    things = [{"kind": kind, "at": [i * 20, 0, 0]} for i, kind in enumerate(builtin()["kinds"])]
    file = tmp_path / "all.glb"
    file.write_bytes(to_glb({**SCENE, "objects": things + SCENE["objects"]}))
    command = ["node", "-e", VALIDATE, str(VALIDATOR), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    found = json.loads(done.stdout)
    assert found["issues"]["messages"] == []
    assert found["info"]["totalTriangleCount"] > 20_000
