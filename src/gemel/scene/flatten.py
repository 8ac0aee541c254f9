"""From the nodes and meshes of a GLB to one grey mesh on the ground, and its plain form."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gemel.core.batch import F64
from gemel.core.document import Json
from gemel.scene.glb import Glb, is_index, refuse

I64 = npt.NDArray[np.int64]
TRIANGLES, STRIP, FAN = 4, 5, 6
FEW_TRIANGLES = 300
DARKEST, LIGHTEST = 0.5, 1.0
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
COARSEST, FINEST = 2, 14
REACH = 1e6


@dataclass(frozen=True, slots=True)
class Flat:
    """Triangles: `indices` (3n) into `positions` and `normals` (m, 3) and `shades` (m)."""

    positions: F64
    normals: F64
    shades: F64
    indices: I64

    @property
    def triangles(self) -> int:
        return len(self.indices) // 3

    def bounds(self) -> tuple[F64, F64]:
        used = self.positions[self.indices]
        return used.min(axis=0), used.max(axis=0)


class Flattener:
    """Walks the nodes of the file's scene."""

    def __init__(self, glb: Glb, most_triangles: int, most_nodes: int) -> None:
        self._glb = glb
        self._most = most_triangles
        self._most_nodes = most_nodes
        self._parts: list[Flat] = []
        self._skipped: Counter[str] = Counter()

    def flat(self) -> Flat:
        """All that is drawn, with the centre of its base at the origin."""
        nodes = self._glb.entries("nodes")
        if len(nodes) > self._most_nodes:
            refuse("nodes", f"{len(nodes):,} of them; at most {self._most_nodes:,}", "merge some")
        placed = self._placed(nodes)
        self._measure(nodes, [i for i, _ in placed])
        for i, matrix in placed:
            mesh = nodes[i].get("mesh")
            if mesh is not None:
                self._mesh(mesh, matrix)
        if not self._parts:
            refuse("meshes", "no triangles that its scene shows", "export the meshes themselves")
        return _standing(_joined(self._parts))

    def notes(self) -> list[str]:
        return [f"{count:,} {words}" for words, count in self._skipped.items()]

    def _placed(self, nodes: list[Json]) -> list[tuple[int, F64]]:
        """The nodes of the scene with their place in it; each has one parent at most."""
        waiting = [(i, np.eye(4)) for i in self._roots(nodes)]
        seen: set[int] = set()
        found: list[tuple[int, F64]] = []
        while waiting:
            i, above = waiting.pop()
            self._glb.at("nodes", i, "nodes")
            if i in seen:
                refuse(f"nodes[{i}]", "is below two nodes, or below itself")
            seen.add(i)
            matrix = above @ _matrix(nodes[i], f"nodes[{i}]")
            found.append((i, matrix))
            waiting += [(child, matrix) for child in _indices(nodes[i].get("children", []), i)]
        return found

    def _roots(self, nodes: list[Json]) -> list[int]:
        scenes = self._glb.entries("scenes")
        if scenes:
            chosen = self._glb.at("scenes", self._glb.document.get("scene", 0), "scene")
            return _indices(chosen.get("nodes", []), "scene")
        below = {k for i, node in enumerate(nodes) for k in _indices(node.get("children", []), i)}
        return [i for i in range(len(nodes)) if i not in below]

    def _measure(self, nodes: list[Json], shown: list[int]) -> None:
        """Before any is read: a small file may show one large mesh many times."""
        each: dict[int, tuple[int, int, int]] = {}
        triangles = vertices = sets = 0
        for i in shown:
            mesh = nodes[i].get("mesh")
            if mesh is None:
                continue
            if not is_index(mesh) or mesh not in each:
                each[mesh] = self._sizes(mesh)
            more = each[mesh]
            triangles, vertices, sets = triangles + more[0], vertices + more[1], sets + more[2]
            if triangles > self._most:
                words = f"more than {self._most:,} triangles"
                hint = "reduce the mesh (Blender: Decimate), or leave out what is inside"
                refuse("meshes", words, hint)
            if vertices > 3 * self._most or sets > self._most_nodes:
                limits = f"{3 * self._most:,} vertices or {self._most_nodes:,} primitives"
                refuse("meshes", f"more than {limits}", "join meshes and share no vertices")

    def _sizes(self, mesh: Any) -> tuple[int, int, int]:
        """How many triangles, vertices and primitives a mesh has at most."""
        triangles = all_vertices = 0
        primitives = self._primitives(mesh)
        for place, primitive in primitives:
            attributes = primitive.get("attributes")
            if not isinstance(attributes, dict) or "POSITION" not in attributes:
                refuse(f"{place}.attributes", "needs POSITION")
            _, vertices = self._glb.width_and_count(attributes["POSITION"], place)
            count = vertices
            if "indices" in primitive:
                _, count = self._glb.width_and_count(primitive["indices"], place)
            triangles += count // 3 if primitive.get("mode", TRIANGLES) == TRIANGLES else count
            all_vertices += vertices
        return triangles, all_vertices, len(primitives)

    def _primitives(self, mesh: Any) -> list[tuple[str, Json]]:
        found = self._glb.at("meshes", mesh, "nodes").get("primitives")
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            refuse(f"meshes[{mesh}].primitives", "must be a list of objects")
        return [(f"meshes[{mesh}].primitives[{i}]", one) for i, one in enumerate(found)]

    def _mesh(self, mesh: Any, matrix: F64) -> None:
        for place, primitive in self._primitives(mesh):
            mode = primitive.get("mode", TRIANGLES)
            if mode not in (TRIANGLES, STRIP, FAN):
                self._skipped["sets of points or lines are not drawn"] += 1
                continue
            if "targets" in primitive:
                self._skipped["meshes are shown without their morph targets"] += 1
            flat = self._primitive(primitive, place, mode, matrix)
            if flat is not None:
                self._parts.append(flat)

    def _primitive(self, primitive: Json, place: str, mode: int, matrix: F64) -> Flat | None:
        attributes = primitive["attributes"]
        positions = self._vectors(attributes, "POSITION", place)
        assert positions is not None
        indices = _triangles(self._indices_of(primitive, place, len(positions)), mode)
        if not len(indices):
            return None
        normals = self._vectors(attributes, "NORMAL", place)
        if normals is None or len(normals) != len(positions):
            positions, normals, indices, order = _faceted(positions, indices)
        else:
            order = np.arange(len(positions))
        shades = self._vertex_shades(attributes, place, order) * self._shade(primitive, place)
        linear = matrix[:3, :3]
        with np.errstate(all="ignore"):
            positions = positions @ linear.T + matrix[:3, 3]
            normals = _units(normals @ _cofactors(linear).T)
        if not np.isfinite(positions).all() or np.abs(positions).max() > REACH:
            refuse(f"{place}.attributes.POSITION", f"lies more than {REACH:,.0f} m away")
        if np.linalg.det(linear) < 0:
            indices = indices.reshape(-1, 3)[:, ::-1].ravel()
            normals = -normals
        return Flat(positions, normals, DARKEST + (LIGHTEST - DARKEST) * shades, indices)

    def _vectors(self, attributes: Json, name: str, place: str) -> F64 | None:
        if name not in attributes:
            return None
        found = self._glb.values(attributes[name], f"{place}.attributes.{name}")
        if found.shape[1] != 3:
            refuse(f"{place}.attributes.{name}", "must be VEC3")
        return found

    def _indices_of(self, primitive: Json, place: str, vertices: int) -> I64:
        if "indices" not in primitive:
            return np.arange(vertices)
        found = self._glb.values(primitive["indices"], f"{place}.indices")
        indices = found[:, 0].astype(np.int64)
        if found.shape[1] != 1 or indices.min() < 0 or indices.max() >= vertices:
            refuse(f"{place}.indices", f"point beyond its {vertices:,} vertices")
        return indices

    def _shade(self, primitive: Json, place: str) -> float:
        """How light its material is, as an eye sees it: 0 to 1."""
        if "material" not in primitive:
            return 1.0
        material = self._glb.at("materials", primitive["material"], f"{place}.material")
        metallic = material.get("pbrMetallicRoughness")
        factor = metallic.get("baseColorFactor") if isinstance(metallic, dict) else None
        if not isinstance(factor, list) or len(factor) < 3 or not all(map(_is_number, factor)):
            return 1.0
        light = float(np.clip(np.array(factor[:3], float), 0, 1) @ LUMINANCE)
        return math.pow(light, 1 / 2.2)

    def _vertex_shades(self, attributes: Json, place: str, order: I64) -> F64:
        if "COLOR_0" not in attributes:
            return np.ones(len(order))
        colours = self._glb.values(attributes["COLOR_0"], f"{place}.attributes.COLOR_0")
        if colours.shape[1] < 3 or order.max() >= len(colours):
            refuse(f"{place}.attributes.COLOR_0", "must be VEC3 or VEC4, one for each vertex")
        found: F64 = (np.clip(colours[:, :3], 0, 1) @ LUMINANCE) ** (1 / 2.2)
        return found[order]


def placed(flat: Flat, binding: Json) -> Flat:
    """As a scene binds it: larger or smaller, turned about its upright axis, moved."""
    size = float(binding.get("scale") or 1)
    half = math.radians(float(binding.get("turn") or 0)) / 2
    turn = _rotation([0, math.sin(half), 0, math.cos(half)])
    move = np.array(binding.get("at") or [0, 0, 0], float)
    positions = flat.positions @ turn.T * size + move
    return Flat(positions, flat.normals @ turn.T, flat.shades, flat.indices)


def plain_form(flat: Flat) -> Flat:
    """The same with few triangles: corners that lie close together become one."""
    if flat.triangles <= FEW_TRIANGLES:
        return flat
    low, high = flat.bounds()
    longest = float((high - low).max())
    best: Flat | None = None
    for cells in range(COARSEST, FINEST + 1):
        found = _clustered(flat, low, longest / cells)
        if found.triangles > FEW_TRIANGLES:
            break
        if found.triangles:
            best = found
    return best or _box(low, high, float(flat.shades.mean()))


def _clustered(flat: Flat, low: F64, cell: float) -> Flat:
    grid = np.floor((flat.positions - low) / cell + 0.5).astype(np.int64)
    _, group = np.unique(grid, axis=0, return_inverse=True)
    group = group.ravel()
    counts = np.bincount(group)
    centres = np.stack(
        [np.bincount(group, flat.positions[:, k]) / counts for k in range(3)], axis=1
    )
    shades = np.bincount(group, flat.shades) / counts
    faces = group[flat.indices].reshape(-1, 3)
    is_flat = (faces[:, 0] == faces[:, 1]) | (faces[:, 1] == faces[:, 2])
    faces = faces[~(is_flat | (faces[:, 0] == faces[:, 2]))]
    _, first = np.unique(np.sort(faces, axis=1), axis=0, return_index=True)
    kept = faces[np.sort(first)].ravel()
    positions, normals, indices, order = _faceted(centres, kept)
    return Flat(positions, normals, shades[order], indices)


def _box(low: F64, high: F64, shade: float) -> Flat:
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([k for a, b, c, d in quads for k in (a, b, c, a, c, d)])
    positions, normals, indices, order = _faceted(low + corners * (high - low), faces)
    return Flat(positions, normals, np.full(len(order), shade), indices)


def _faceted(positions: F64, indices: I64) -> tuple[F64, F64, I64, I64]:
    """Each triangle with corners and a normal of its own; also where each corner came from."""
    corners = positions[indices].reshape(-1, 3, 3)
    with np.errstate(all="ignore"):
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    flat = corners.reshape(-1, 3)
    return flat, np.repeat(_units(normals), 3, axis=0), np.arange(len(flat)), indices


def _triangles(indices: I64, mode: int) -> I64:
    """Strips and fans as triangles; what is left over at the end is no triangle."""
    if mode == TRIANGLES or len(indices) < 3:
        return indices[: len(indices) // 3 * 3]
    a, b, c = indices[:-2], indices[1:-1], indices[2:]
    if mode == FAN:
        return np.stack([np.full(len(b), indices[0]), b, c], axis=1).ravel()
    odd = np.arange(len(a)) % 2 == 1
    return np.stack([a, np.where(odd, c, b), np.where(odd, b, c)], axis=1).ravel()


def _joined(parts: list[Flat]) -> Flat:
    starts = np.cumsum([0, *(len(part.positions) for part in parts[:-1])])
    return Flat(
        np.concatenate([part.positions for part in parts]),
        np.concatenate([part.normals for part in parts]),
        np.concatenate([part.shades for part in parts]),
        np.concatenate([p.indices + start for p, start in zip(parts, starts, strict=True)]),
    )


def _standing(flat: Flat) -> Flat:
    """With the centre of its base at the origin, and darker towards the floor like all kinds."""
    low, high = flat.bounds()
    base = np.array([(low[0] + high[0]) / 2, low[1], (low[2] + high[2]) / 2])
    positions = flat.positions - base
    shades = flat.shades * (0.7 + 0.3 * np.clip(positions[:, 1] / 1.6, 0, 1))
    return Flat(positions, flat.normals, shades, flat.indices)


def _matrix(node: Json, place: str) -> F64:
    given = node.get("matrix")
    if given is not None:
        if not _is_list(given, 16):
            refuse(f"{place}.matrix", "must be 16 numbers")
        return np.array(given, float).reshape(4, 4).T
    move, turn, size = (
        node.get("translation", [0, 0, 0]),
        node.get("rotation", [0, 0, 0, 1]),
        node.get("scale", [1, 1, 1]),
    )
    if not (_is_list(move, 3) and _is_list(turn, 4) and _is_list(size, 3)):
        refuse(place, "translation and scale must be 3 numbers, rotation 4")
    found = np.eye(4)
    found[:3, :3] = _rotation(turn) * np.array(size, float)
    found[:3, 3] = move
    return found


def _rotation(turn: list[float]) -> F64:
    length = math.sqrt(sum(float(one) ** 2 for one in turn)) or 1.0
    x, y, z, w = (float(one) / length for one in turn)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def _cofactors(linear: F64) -> F64:
    """What turns normals as `linear` turns surfaces; unlike an inverse, it always exists."""
    a, b, c = linear
    return np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)])


def _units(normals: F64) -> F64:
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    is_none = ~np.isfinite(lengths) | (lengths < 1e-30)
    found = np.where(is_none, [0.0, 1.0, 0.0], normals / np.where(is_none, 1.0, lengths))
    return np.asarray(found, np.float64)


def _indices(found: Any, place: Any) -> list[int]:
    if not isinstance(found, list) or not all(is_index(one) for one in found):
        refuse(f"nodes[{place}]", "must name its nodes by their numbers")
    return found


def _is_list(found: Any, length: int) -> bool:
    return isinstance(found, list) and len(found) == length and all(map(_is_number, found))


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) < REACH
