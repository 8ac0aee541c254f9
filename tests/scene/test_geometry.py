"""Users' GLB files: drawn as they are, refused with place and rule, never a crash."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.core.errors import GemelError, InvalidInput
from gemel.scene.flatten import FEW_TRIANGLES, placed
from gemel.scene.geometry import MOST_BYTES, open_geometry, packed, picture_size
from gemel.scene.glb import read, write
from gemel.scene.gltf import to_glb
from scene.shapes import CORNERS, FACES, ball, cube, cube_document

SQUARE = {"translation": [5, 7, 9], "scale": [2, 4, 2], "rotation": [0, 0.7071068, 0, 0.7071068]}


def test_a_cube_stands_with_the_centre_of_its_base_at_the_origin() -> None:
    found = open_geometry(cube(nodes=[{"mesh": 0, **SQUARE}]))
    low, high = found.whole.bounds()
    assert low == pytest.approx([-1, 0, -1], abs=1e-5)
    assert high == pytest.approx([1, 4, 1], abs=1e-5)
    assert found.whole.triangles == 12
    assert found.notes == []


def test_normals_point_outwards_also_when_a_node_mirrors() -> None:
    for scale in ([1, 1, 1], [-1, 1, 1]):
        flat = open_geometry(cube(nodes=[{"mesh": 0, "scale": scale}])).whole
        corners = flat.positions[flat.indices].reshape(-1, 3, 3)
        faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        outward = corners.mean(axis=1) - np.array([0, 0.5, 0])
        assert (np.einsum("ij,ij->i", faces, outward) > 0).all()
        normals = flat.normals[flat.indices[::3]]
        assert (np.einsum("ij,ij->i", normals, outward) > 0).all()


def test_a_dark_material_gives_a_dark_shade() -> None:
    def shade(colour: list[float]) -> float:
        material = {"pbrMetallicRoughness": {"baseColorFactor": colour}}
        primitive = {"attributes": {"POSITION": 0}, "indices": 1, "material": 0}
        content = cube(materials=[material], meshes=[{"primitives": [primitive]}])
        return float(open_geometry(content).whole.shades.mean())

    assert shade([0, 0, 0, 1]) < shade([0.2, 0.2, 0.2, 1]) < shade([1, 1, 1, 1]) <= 1


def test_the_plain_form_has_few_triangles_and_the_same_extent() -> None:
    found = open_geometry(ball(40, 60))
    assert found.whole.triangles == 4800
    assert 20 < found.plain.triangles <= FEW_TRIANGLES
    low, high = found.plain.bounds()
    assert np.allclose(high - low, 2, atol=0.45)


def test_what_the_page_reads_is_a_valid_file_that_reads_back_the_same() -> None:
    found = open_geometry(ball(20, 20))
    glb = read(packed(found, "ball"))
    assert [mesh["name"] for mesh in glb.entries("meshes")] == ["whole", "plain"]
    again = open_geometry(packed(found))
    assert again.whole.triangles == found.whole.triangles
    assert np.allclose(again.whole.positions, found.whole.positions, atol=1e-6)


def test_a_shape_is_exported_with_the_scene_where_it_is_bound() -> None:
    flat = open_geometry(cube()).whole
    bound = {"glb": "0" * 64, "scale": 3, "turn": 90, "at": [0, 1, 0]}
    scene = {
        "geometries": {"mine": bound},
        "objects": [
            {"kind": "pump", "geometry": "mine", "twin": "a", "at": [1, 0, 0]},
            {"kind": "mine", "twin": "b", "at": [5, 0, 0]},
            {"kind": "pump", "twin": "c", "at": [9, 0, 0]},
        ],
    }
    glb = read(to_glb(scene, {"mine": flat}))
    assert [node.get("mesh") for node in glb.entries("nodes")[:2]] == [0, 0]
    accessor = glb.entries("accessors")[0]
    assert accessor["min"] == pytest.approx([-1.5, 1, -1.5])
    assert placed(flat, bound).bounds()[1] == pytest.approx([1.5, 4, 1.5])


MOVED = {"attributes": {"POSITION": 0}, "indices": 1}
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"asset": {"version": "1.0"}}, "asset.version"),
    ({"extensionsRequired": ["KHR_draco_mesh_compression"]}, "Draco"),
    ({"extensionsRequired": ["VENDOR_thing"]}, "VENDOR_thing"),
    ({"buffers": [{"byteLength": 9, "uri": "model.bin"}]}, "buffers[0].uri"),
    ({"buffers": [{"byteLength": 9}, {"byteLength": 9}]}, "one buffer"),
    ({"images": [{"uri": "https://example.com/a.png"}]}, "images[0].uri"),
    ({"images": [{"bufferView": 0}]}, "images[0]: is no PNG"),
    ({"images": [{}] * 65}, "images: 65"),
    ({"nodes": [{"mesh": 0, "children": [0]}]}, "nodes[0]: is below"),
    ({"nodes": [{"mesh": 7}]}, "meshes[7]"),
    ({"nodes": [{"mesh": 0, "scale": [1e-5] * 3}]}, "m long"),
    ({"nodes": [{"mesh": 0, "scale": [5e3] * 3}]}, "m long"),
    ({"nodes": [{"mesh": 0, "matrix": [1]}]}, "nodes[0].matrix"),
    ({"nodes": [{"mesh": 0, "rotation": ["x", 0, 0, 1]}]}, "nodes[0]"),
    ({"nodes": [{}]}, "no triangles"),
    ({"meshes": [{"primitives": [{"attributes": {}}]}]}, "needs POSITION"),
    ({"meshes": [{"primitives": [{**MOVED, "material": 3}]}]}, "materials[3]"),
    ({"meshes": [{"primitives": 3}]}, "meshes[0].primitives"),
    ({"meshes": [{"primitives": [MOVED] * 10_001}]}, "triangles"),
    ({"scenes": [{"nodes": [0, 0]}]}, "nodes[0]: is below"),
]


@pytest.mark.parametrize(("changes", "words"), WRONG, ids=[words for _, words in WRONG])
def test_what_cannot_be_drawn_is_refused_with_place_and_way_out(
    changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        open_geometry(cube(**changes))
    assert words in str(caught.value)
    assert caught.value.code == "GeometryInvalid"
    assert caught.value.hint


def accessor_change(index: int, **changes: Any) -> bytes:
    binary = CORNERS.tobytes() + FACES.tobytes()
    document = cube_document(binary)
    document["accessors"][index] |= changes
    return write(document, binary)


@pytest.mark.parametrize(
    ("index", "changes", "words"),
    [
        (0, {"count": 9}, "beyond the end"),
        (0, {"byteOffset": 1 << 31}, "beyond the end"),
        (0, {"count": 4}, "point beyond its 4 vertices"),
        (0, {"count": 1 << 31}, "more than 300,000 vertices"),
        (0, {"count": -1}, "count above 0"),
        (0, {"type": "MAT4"}, "type"),
        (0, {"componentType": 7}, "componentType"),
        (0, {"sparse": {}}, "sparse"),
        (1, {"count": 3_000_000_000}, "triangles"),
    ],
)
def test_accessors_that_lie_are_refused(index: int, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        open_geometry(accessor_change(index, **changes))


def test_many_copies_of_one_mesh_are_counted_before_any_is_read() -> None:
    nodes = [{"mesh": 0} for _ in range(9000)]
    with pytest.raises(InvalidInput, match="more than 100,000 triangles"):
        open_geometry(cube(nodes=nodes, scenes=[{"nodes": list(range(9000))}]))


def test_numbers_that_are_none_are_refused() -> None:
    corners = CORNERS.copy()
    corners[3] = np.nan
    binary = corners.tobytes() + FACES.tobytes()
    with pytest.raises(InvalidInput, match="NaN"):
        open_geometry(write(cube_document(binary), binary))


def test_what_is_not_shown_is_noted() -> None:
    found = open_geometry(cube(animations=[{}], extensionsUsed=["VENDOR_x"])).notes
    assert any("VENDOR_x" in note for note in found)
    assert any("animations" in note for note in found)


def test_sizes_of_pictures_are_read_from_their_headers() -> None:
    png = (
        b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + (640).to_bytes(4, "big") + (48).to_bytes(4, "big")
    )
    jpeg = b"\xff\xd8\xff\xe0\0\4\0\0\xff\xc0\0\x11\x08\0\x30\x02\x80\3"
    assert picture_size(png) == picture_size(jpeg) == (640, 48)
    assert picture_size(b"GIF89a") is None
    assert picture_size(b"\xff\xd8\xff") is None


def test_other_files_and_too_large_ones_are_refused() -> None:
    with pytest.raises(InvalidInput, match="no binary glTF"):
        open_geometry(b"PK\3\4" + bytes(40))
    with pytest.raises(GemelError, match="at most"):
        open_geometry(bytes(MOST_BYTES + 1))


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_the_bytes_are_the_answer_is_a_shape_or_an_error(data: st.DataObject) -> None:
    content = bytearray(cube(materials=[{"pbrMetallicRoughness": {}}]))
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    for one in (bytes(content), bytes(content[:cut])):
        with suppress(GemelError):
            packed(open_geometry(one))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 1 << 33) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
PLACES = ["scene", "scenes", "nodes", "meshes", "accessors", "bufferViews", "buffers", "images"]


@given(st.sampled_from(PLACES), st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_the_document_says_the_answer_is_a_shape_or_an_error(
    name: str, data: st.DataObject
) -> None:
    binary = CORNERS.tobytes() + FACES.tobytes()
    document = cube_document(binary)
    place: Any = document
    key: Any = name
    document.setdefault("images", [])
    while isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
        place = place[key]
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
    place[key] = data.draw(JSON)
    with suppress(GemelError):
        packed(open_geometry(write(document, binary)))
