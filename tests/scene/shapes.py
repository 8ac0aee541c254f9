"""Small GLB files for tests: a unit cube as somebody's program would write it."""

from __future__ import annotations

from typing import Any

import numpy as np

from gemel.scene.glb import write

CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], "<f4")
FACES = np.array(
    [
        *(0, 1, 3, 0, 3, 2, 4, 6, 7, 4, 7, 5, 0, 4, 5, 0, 5, 1),
        *(2, 3, 7, 2, 7, 6, 0, 2, 6, 0, 6, 4, 1, 5, 7, 1, 7, 3),
    ],
    "<u2",
)


def cube_document(binary: bytes) -> dict[str, Any]:
    size = CORNERS.nbytes
    return {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 8, "type": "VEC3"},
            {"bufferView": 1, "componentType": 5123, "count": 36, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteLength": size},
            {"buffer": 0, "byteOffset": size, "byteLength": FACES.nbytes},
        ],
        "buffers": [{"byteLength": len(binary)}],
    }


def cube(**changes: Any) -> bytes:
    """A cube from 0 to 1, with some of its document replaced."""
    binary = CORNERS.tobytes() + FACES.tobytes()
    return write({**cube_document(binary), **changes}, binary)


def ball(rings: int, sides: int) -> bytes:
    """A ball of `2 * rings * sides` triangles, some of them without area at its poles."""
    up, round_ = np.linspace(0, np.pi, rings + 1), np.linspace(0, 2 * np.pi, sides, endpoint=False)
    u, r = np.meshgrid(up, round_, indexing="ij")
    points = np.stack([np.sin(u) * np.cos(r), -np.cos(u), np.sin(u) * np.sin(r)], -1)
    i, k = np.meshgrid(np.arange(rings), np.arange(sides), indexing="ij")
    a, b = i * sides + k, i * sides + (k + 1) % sides
    faces = np.stack([a, a + sides, b, b, a + sides, b + sides], -1).ravel().astype("<u4")
    positions = points.reshape(-1, 3).astype("<f4")
    binary = positions.tobytes() + faces.tobytes()
    document = cube_document(binary)
    document["accessors"][0]["count"] = len(positions)
    document["accessors"][1] |= {"count": len(faces), "componentType": 5125}
    document["bufferViews"] = [
        {"buffer": 0, "byteLength": positions.nbytes},
        {"buffer": 0, "byteOffset": positions.nbytes, "byteLength": faces.nbytes},
    ]
    return write(document, binary)
