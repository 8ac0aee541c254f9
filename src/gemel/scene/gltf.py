"""A scene as one binary glTF 2.0 file (GLB), for Babylon.js, Unity, Unreal, Blender and others.

Each object is a node with `extras.twin` and `extras.kind`; moving parts are child nodes named
`part-N` with their motion in `extras`. Equal (kind, parameters) share meshes. The scene's own JSON
stands in `asset.extras.scene` without its objects.

Source:
    glTF 2.0 specification, Khronos Group (sections 3 and 4).
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from gemel.core.batch import F64
from gemel.core.document import Json
from gemel.scene.evaluate import Built, build
from gemel.scene.flatten import Flat, placed
from gemel.scene.glb import write
from gemel.scene.mesh import Mesh, Pen, Placing, draw_cylinder

BODY = (0.42, 0.46, 0.5)
"""Grey of a normal plant, linear."""
BRIGHTEST = 1.5
"""Shades go up to this; vertex colours end at 1."""
FLOAT, ARRAY_BUFFER = 5126, 34962


def to_glb(scene: Json, shapes: Mapping[str, Flat] | None = None) -> bytes:
    """The scene as a GLB file.

    Args:
        scene: must be valid (`gemel.scene.validate`).
        shapes: users' own, by their names in `geometries`; others are drawn as their kinds.
    """
    return _Writer(scene, shapes or {}).finish()


class _Writer:
    def __init__(self, scene: Json, shapes: Mapping[str, Flat]) -> None:
        self._scene = scene
        bindings = scene.get("geometries") or {}
        self._shapes = {n: placed(flat, bindings.get(n) or {}) for n, flat in shapes.items()}
        self._bytes = bytearray()
        self._json: dict[str, Any] = {
            "asset": {
                "version": "2.0",
                "generator": "Gemel",
                "extras": {"scene": {k: v for k, v in scene.items() if k != "objects"}},
            },
            "scene": 0,
            "scenes": [{"name": str(scene.get("name", "Plant")), "nodes": []}],
            "nodes": [],
            "meshes": [],
            "accessors": [],
            "bufferViews": [],
            "materials": [_material()],
        }
        self._built: dict[str, tuple[int | None, list[tuple[int, Json]]]] = {}

    def finish(self) -> bytes:
        own = self._scene.get("kinds")
        for thing in self._scene.get("objects", []):
            self._thing(thing, own if isinstance(own, dict) else None)
        for pipe in self._scene.get("pipes", []) or []:
            self._pipe(pipe)
        for empty in ("meshes", "accessors", "bufferViews", "nodes"):
            if not self._json[empty]:
                del self._json[empty]
        if not self._json.get("meshes"):
            del self._json["materials"]
        if not self._json["scenes"][0]["nodes"]:
            del self._json["scenes"][0]["nodes"]
        if self._bytes:
            self._json["buffers"] = [{"byteLength": len(self._bytes)}]
        return write(self._json, bytes(self._bytes))

    def _thing(self, thing: Json, own: dict[str, Any] | None) -> None:
        kind, parameters = str(thing.get("kind", "box")), thing.get("parameters") or {}
        shape = thing.get("geometry") or kind
        key = json.dumps([kind, parameters], sort_keys=True)
        if shape in self._shapes:
            key = f"geometry {shape}"
            if key not in self._built:
                self._built[key] = (self._shape(shape, self._shapes[shape]), [])
        elif key not in self._built:
            self._built[key] = self._meshes(kind, build(kind, parameters, own))
        body, parts = self._built[key]
        x, y, z = place(thing.get("at") or [])
        half = math.radians(float(thing.get("turn") or 0)) / 2
        scale = float(thing.get("scale") or 1)
        extras = {
            k: thing[k]
            for k in ("twin", "kind", "geometry", "motion", "level", "property")
            if k in thing
        }
        children = [
            self._node(
                {"name": f"part-{i}", "mesh": mesh, "extras": {"motion": motion}, **_rest(motion)}
            )
            for i, (mesh, motion) in enumerate(parts)
        ]
        self._root(
            {
                "name": str(thing.get("id") or thing.get("twin") or kind),
                "translation": [x, y, z],
                "rotation": [0.0, math.sin(half), 0.0, math.cos(half)],
                "scale": [scale] * 3,
                "extras": extras,
                **({"mesh": body} if body is not None else {}),
                **({"children": children} if children else {}),
            }
        )

    def _pipe(self, pipe: Json) -> None:
        points = [place(point) for point in pipe.get("points", [])]
        mesh = tube_along(points, float(pipe.get("diameter") or 0.3) / 2)
        if mesh.triangles:
            extras = {"kind": "pipe", **({"twin": pipe["twin"]} if "twin" in pipe else {})}
            self._root({"name": "pipe", "mesh": self._mesh("pipe", mesh), "extras": extras})

    def _meshes(self, kind: str, built: Built) -> tuple[int | None, list[tuple[int, Json]]]:
        body = self._mesh(kind, built.body, is_grounded=True) if built.body.triangles else None
        return body, [
            (self._mesh(f"{kind} part {i}", part.mesh), part.motion)
            for i, part in enumerate(built.parts)
        ]

    def _mesh(self, name: str, mesh: Mesh, *, is_grounded: bool = False) -> int:
        positions, normals, shades = mesh.columns()
        if is_grounded:
            shades = shades * (0.7 + 0.3 * np.clip(positions[:, 1] / 1.6, 0, 1))
        return self._primitive(name, positions, normals, shades)

    def _shape(self, name: str, flat: Flat) -> int:
        i = flat.indices
        return self._primitive(name, flat.positions[i], flat.normals[i], flat.shades[i])

    def _primitive(self, name: str, positions: F64, normals: F64, shades: F64) -> int:
        colours = np.repeat(np.clip(shades / BRIGHTEST, 0, 1)[:, None], 3, axis=1)
        attributes = {
            "POSITION": self._accessor(positions, has_bounds=True),
            "NORMAL": self._accessor(_units(normals)),
            "COLOR_0": self._accessor(colours),
        }
        self._json["meshes"].append(
            {"name": name, "primitives": [{"attributes": attributes, "material": 0}]}
        )
        return len(self._json["meshes"]) - 1

    def _accessor(self, values: F64, *, has_bounds: bool = False) -> int:
        packed = values.astype("<f4")
        view = {
            "buffer": 0,
            "byteOffset": len(self._bytes),
            "byteLength": packed.nbytes,
            "target": ARRAY_BUFFER,
        }
        self._bytes += packed.tobytes()
        self._json["bufferViews"].append(view)
        accessor: dict[str, Any] = {
            "bufferView": len(self._json["bufferViews"]) - 1,
            "componentType": FLOAT,
            "count": len(packed),
            "type": "VEC3",
        }
        if has_bounds:
            accessor["min"] = [float(v) for v in packed.min(axis=0)]
            accessor["max"] = [float(v) for v in packed.max(axis=0)]
        self._json["accessors"].append(accessor)
        return len(self._json["accessors"]) - 1

    def _node(self, node: Json) -> int:
        self._json["nodes"].append(node)
        return len(self._json["nodes"]) - 1

    def _root(self, node: Json) -> None:
        self._json["scenes"][0]["nodes"].append(self._node(node))


def _material() -> Json:
    colour = [round(channel * BRIGHTEST, 4) for channel in BODY]
    return {
        "name": "body",
        "pbrMetallicRoughness": {
            "baseColorFactor": [*colour, 1.0],
            "metallicFactor": 0.0,
            "roughnessFactor": 0.75,
        },
    }


def _rest(motion: Json) -> Json:
    """Where a part rests inside its thing."""
    if motion.get("type") == "spin":
        return {"translation": [float(v) for v in motion["at"]]}
    if motion.get("type") == "level":
        return {"translation": [0.0, float(motion["bottom"]), 0.0], "scale": [1.0, 0.5, 1.0]}
    return {}


def place(at: list[float]) -> tuple[float, float, float]:
    """`[x, y, z]`, or `[x, z]` on the ground."""
    values = [float(v) for v in at] + [0.0, 0.0, 0.0]
    return (values[0], values[1], values[2]) if len(at) > 2 else (values[0], 0.0, values[1])


def tube_along(points: list[tuple[float, float, float]], radius: float, sides: int = 9) -> Mesh:
    """A pipe of straight runs; each run is a cylinder that reaches into the next by its radius."""
    mesh = Mesh()
    for start, end in itertools.pairwise(points):
        a, b = np.array(start), np.array(end)
        length = float(np.linalg.norm(b - a))
        if length < 1e-6:
            continue
        pen = Pen()
        draw_cylinder(pen, radius, radius, length + radius, sides)
        mesh.add(pen.vertices, Placing(_towards((b - a) / length), (a + b) / 2), 1.0)
    return mesh


def _towards(direction: F64) -> F64:
    """The rotation that turns y to a direction."""
    side = np.array([1.0, 0, 0]) if abs(direction[0]) < 0.9 else np.array([0, 0, 1.0])
    x = np.cross(direction, side)
    x /= np.linalg.norm(x)
    return np.stack([x, direction, np.cross(x, direction)], axis=1)


def _units(normals: F64) -> F64:
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    found: F64 = normals / np.where(lengths == 0, 1, lengths)
    found[(lengths == 0)[:, 0]] = (0.0, 1.0, 0.0)
    return found
