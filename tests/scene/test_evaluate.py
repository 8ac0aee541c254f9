"""Shape specs: the same meshes as the page's evaluator makes (ui/test/scene/spec.test.ts)."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from gemel.core.errors import InvalidInput
from gemel.scene.evaluate import Built, build
from gemel.scene.expression import compute
from gemel.scene.kinds import builtin

GOLDEN = Path(__file__).parent / "golden.json"
KINDS = sorted(builtin()["kinds"])


def described(kind: str, parameters: dict[str, float]) -> dict[str, object]:
    built = build(kind, parameters)
    return {"kind": kind, "parameters": parameters, **_shape(built)}


def _shape(built: Built) -> dict[str, object]:
    parts = [part.mesh for part in built.parts]
    return {
        "triangles": [built.body.triangles, *(part.triangles for part in parts)],
        "bounds": [
            [[round(float(v), 4) + 0.0 for v in end] for end in mesh.bounds()]
            for mesh in (built.body, *parts)
        ],
    }


def golden() -> list[dict[str, object]]:
    """Every kind twice: as it comes, and a third larger in every measure."""
    found = []
    for kind in KINDS:
        larger = {n: round(v * 4 / 3, 3) for n, v in builtin()["kinds"][kind]["parameters"].items()}
        found += [described(kind, {}), described(kind, larger)]
    return found


def test_meshes_are_those_of_the_golden_file_that_the_page_is_held_to_too() -> None:
    assert golden() == json.loads(GOLDEN.read_text("utf-8"))


@pytest.mark.parametrize("kind", KINDS)
def test_normals_have_the_length_1_and_nothing_is_below_the_ground(kind: str) -> None:
    positions, normals, _ = build(kind).body.columns()
    assert np.allclose(np.linalg.norm(normals, axis=1), 1)
    assert positions[:, 1].min() > -0.3


SOLID = [
    {"shape": "box", "size": [1, 2, 3]},
    {"shape": "box", "size": [1, 2, 3], "bevel": 0.1},
    {"shape": "cylinder", "radius": 1, "length": 2, "axis": "x"},
    {"shape": "cylinder", "radius": 1, "top": 0, "length": 2, "axis": "z"},
    {"shape": "sphere", "radius": 1},
    {"shape": "ring", "radius": 2, "thickness": 0.4},
    {"shape": "lathe", "profile": [[0, 0], [1, 0.5], [0, 2]]},
    {"shape": "extrude", "outline": [[0, 0], [0, 1], [1, 1], [1, 0]], "height": 2},
]


@pytest.mark.parametrize("shape", SOLID)
def test_surfaces_face_outwards(shape: dict[str, object]) -> None:
    """The volume that a closed surface encloses is positive when its triangles face outwards."""
    own = {"one": {"parameters": {}, "shapes": [shape]}}
    a, b, c = build("one", own=own).body.columns()[0].reshape(-1, 3, 3).transpose(1, 0, 2)
    assert np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6 > 0.3


@pytest.mark.parametrize("shape", SOLID)
def test_surfaces_have_no_holes_and_no_triangle_faces_inwards(shape: dict[str, object]) -> None:
    """Every edge is walked once each way; the edges of a point on an axis fall together."""
    built = build("one", own={"one": {"parameters": {}, "shapes": [shape]}})
    corners = built.body.columns()[0].reshape(-1, 3, 3).round(6) + 0.0
    walked = Counter(
        (tuple(one[i]), tuple(one[(i + 1) % 3])) for one in corners.tolist() for i in range(3)
    )
    assert [edge for edge in walked if walked[edge] != walked[edge[::-1]]] == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2*3", 7),
        ("(1 + 2)*3 - -1", 10),
        ("if(a > 2, 10, 20) % 7", 3),
        ("max(a, 5)/2", 2.5),
        ("round(2.5)", 3),
        ("2 - 1 - 1", 0),
        ("(1 < 2)*4", 4),
    ],
)
def test_arithmetic(text: str, value: float) -> None:
    assert compute(text, {"a": 3}) == value


@pytest.mark.parametrize(
    "text", ["", "1 +", "b", "1/0", "__import__('os')", "a.b", "f(1)", "(", "1 2"]
)
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        compute(text, {"a": 3})


@pytest.mark.parametrize(
    "shapes",
    [
        [{"shape": "teapot"}],
        [{"use": "nothing"}],
        ["box"],
        {"shape": "box"},
        [{"repeat": "i", "count": 400, "shapes": [{"shape": "sphere", "sides": 40, "rings": 9}]}],
        [{"repeat": "i", "to": 4, "step": 0, "shapes": []}],
    ],
)
def test_a_spec_that_cannot_be_drawn_is_refused(shapes: object) -> None:
    with pytest.raises(InvalidInput):
        build("own", own={"own": {"parameters": {}, "shapes": shapes}})
