"""Triangles of plain shapes; ui/src/scene/spec/mesh.ts makes the same, and a test compares."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from gemel.core.batch import F64

Point = tuple[float, float, float]
Vertex = tuple[Point, Point]
"""A point and its normal."""


def along(axis: str, p: Point) -> Point:
    """From the shape's own axis, y, to the one that is asked for."""
    if axis == "x":
        return (p[1], -p[0], p[2])
    if axis == "z":
        return (p[0], -p[2], p[1])
    return p


@dataclass(frozen=True, slots=True)
class Placing:
    """A rotation about x, then y, then z (radians), then a move; nests."""

    matrix: F64 = field(default_factory=lambda: np.eye(3))
    at: F64 = field(default_factory=lambda: np.zeros(3))

    def inside(self, at: Point, turn: Point) -> Placing:
        (ca, sa), (cb, sb), (cc, sc) = ((math.cos(t), math.sin(t)) for t in turn)
        rotation = np.array(
            [
                [cb * cc, -cb * sc, sb],
                [ca * sc + sa * cc * sb, ca * cc - sa * sc * sb, -sa * cb],
                [sa * sc - ca * cc * sb, sa * cc + ca * sc * sb, ca * cb],
            ]
        )
        return Placing(self.matrix @ rotation, self.matrix @ np.array(at) + self.at)


class Mesh:
    """Triangles that share nothing: positions, normals and a shade for each corner."""

    def __init__(self) -> None:
        self._pieces: list[tuple[F64, F64, F64]] = []
        self.triangles = 0

    def add(self, vertices: list[Vertex], placing: Placing, shade: float) -> None:
        if not vertices:
            return
        points = np.array([v[0] for v in vertices]) @ placing.matrix.T + placing.at
        normals = np.array([v[1] for v in vertices]) @ placing.matrix.T
        self._pieces.append((points, normals, np.full(len(vertices), shade)))
        self.triangles += len(vertices) // 3

    def columns(self) -> tuple[F64, F64, F64]:
        """Positions (n, 3), normals (n, 3), shades (n)."""
        if not self._pieces:
            return np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0)
        positions, normals, shades = zip(*self._pieces, strict=True)
        return np.concatenate(positions), np.concatenate(normals), np.concatenate(shades)

    def bounds(self) -> tuple[F64, F64]:
        positions = self.columns()[0]
        return positions.min(axis=0), positions.max(axis=0)


class Pen:
    """Collects the triangles of one shape about its own axis."""

    def __init__(self, axis: str = "y") -> None:
        self._axis = axis
        self.vertices: list[Vertex] = []

    def triangle(self, *three: Vertex) -> None:
        self.vertices += [(along(self._axis, p), along(self._axis, n)) for p, n in three]

    def flat(self, *points: Point) -> None:
        """A flat polygon, its corners anticlockwise seen from outside."""
        normal = normal_of(*points[:3])
        for i in range(1, len(points) - 1):
            self.triangle(*((p, normal) for p in (points[0], points[i], points[i + 1])))

    def surface(
        self,
        rows: int,
        columns: int,
        at: Callable[[int, int], Vertex],
        is_point: Callable[[int], bool],
        *,
        is_flipped: bool = False,
    ) -> None:
        """A surface of rows and columns; `is_point` says which rows shrink to one point."""
        grid = [[at(r, c) for c in range(columns + 1)] for r in range(rows + 1)]
        for r in range(rows):
            for c in range(columns):
                a, b, d, e = grid[r][c], grid[r][c + 1], grid[r + 1][c + 1], grid[r + 1][c]
                for is_left_out, three in ((is_point(r), (a, d, b)), (is_point(r + 1), (a, e, d))):
                    if not is_left_out:
                        self.triangle(*(reversed(three) if is_flipped else three))


def normal_of(a: Point, b: Point, c: Point) -> Point:
    u = (b[0] - a[0], b[1] - a[1], b[2] - a[2])
    v = (c[0] - a[0], c[1] - a[1], c[2] - a[2])
    return unit((u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]))


def unit(p: Point) -> Point:
    length = math.hypot(*p) or 1.0
    return (p[0] / length, p[1] / length, p[2] / length)


def circle(column: int, columns: int) -> tuple[float, float]:
    a = column / columns * math.pi * 2
    return math.cos(a), math.sin(a)


def turned(points: Sequence[Point], sign: float) -> Sequence[Point]:
    return points if sign > 0 else list(reversed(points))


def draw_box(pen: Pen, size: Point, bevel: float) -> None:
    half = (size[0] / 2, size[1] / 2, size[2] / 2)
    edge = bevel if bevel > 0 and min(size) > bevel * 2.2 else 0.0
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        for s in (1, -1):
            corners = [
                _put(axis, u, v, s * half[axis], a * (half[u] - edge), b * (half[v] - edge))
                for a, b in CORNERS
            ]
            pen.flat(*turned(corners, s))
    if edge:
        _draw_bevels(pen, half, edge)


CORNERS = ((1, 1), (-1, 1), (-1, -1), (1, -1))


def _draw_bevels(pen: Pen, h: Point, e: float) -> None:
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        w = h[axis] - e
        for a, b in CORNERS:
            near = [_put(axis, u, v, s * w, a * h[u], b * (h[v] - e)) for s in (-1, 1)]
            far = [_put(axis, u, v, s * w, a * (h[u] - e), b * h[v]) for s in (-1, 1)]
            pen.flat(*turned([near[0], far[0], far[1], near[1]], a * b))
    for x in (1, -1):
        for y in (1, -1):
            for z in (1, -1):
                three = [
                    (x * h[0], y * (h[1] - e), z * (h[2] - e)),
                    (x * (h[0] - e), y * h[1], z * (h[2] - e)),
                    (x * (h[0] - e), y * (h[1] - e), z * h[2]),
                ]
                pen.flat(*turned(three, x * y * z))


def _put(axis: int, u: int, v: int, on_axis: float, on_u: float, on_v: float) -> Point:
    found = [0.0, 0.0, 0.0]
    found[axis], found[u], found[v] = on_axis, on_u, on_v
    return (found[0], found[1], found[2])


def draw_cylinder(pen: Pen, bottom: float, top: float, length: float, sides: int) -> None:
    slope = (bottom - top) / length

    def at(row: int, column: int) -> Vertex:
        c, s = circle(column, sides)
        radius = top if row else bottom
        return (c * radius, (row - 0.5) * length, s * radius), unit((c, slope, s))

    pen.surface(1, sides, at, lambda row: (top if row else bottom) == 0)
    for radius, y, sign in ((top, length / 2, 1), (bottom, -length / 2, -1)):
        if radius == 0:
            continue
        for i in range(sides):
            (c, s), (d, t) = circle(i, sides), circle(i + 1, sides)
            fan: list[Point] = [(0, y, 0), (d * radius, y, t * radius), (c * radius, y, s * radius)]
            pen.flat(*turned(fan, sign))


def draw_ball(
    pen: Pen, radius: float, end: float, flat: float, sides: int, rings: int, sign: float = 1.0
) -> None:
    """A ball from its pole to the angle `end` from it, flattened by `flat`."""

    def at(row: int, column: int) -> Vertex:
        angle = end - end * row / rings
        c, s = circle(column, sides)
        r, y = math.sin(angle), math.cos(angle)
        point = (c * r * radius, sign * y * radius * flat, s * r * radius)
        return point, unit((c * r, sign * y / flat, s * r))

    def is_point(row: int) -> bool:
        return row == rings or (row == 0 and end == math.pi)

    pen.surface(rings, sides, at, is_point, is_flipped=sign < 0)


def draw_ring(pen: Pen, radius: float, thickness: float, sides: int) -> None:
    def at(row: int, column: int) -> Vertex:
        c, s = circle(column, sides)
        d, t = circle(row, 5)
        reach = radius + d * thickness
        return (c * reach, t * thickness, s * reach), (c * d, t, s * d)

    pen.surface(5, sides, at, lambda _: False)


def draw_tube(pen: Pen, radius: float, length: float, sides: int) -> None:
    """An open tube that is seen from inside too."""
    for sign in (1, -1):

        def at(row: int, column: int, sign: int = sign) -> Vertex:
            c, s = circle(column, sides)
            return (c * radius, (row - 0.5) * length, s * radius), (c * sign, 0.0, s * sign)

        pen.surface(1, sides, at, lambda _: False, is_flipped=sign < 0)


def draw_lathe(pen: Pen, profile: list[tuple[float, float]], sides: int) -> None:
    """A profile of (radius, height), turned about the axis."""
    last = len(profile) - 1

    def at(row: int, column: int) -> Vertex:
        c, s = circle(column, sides)
        radius, y = profile[row]
        a, b = profile[max(0, row - 1)], profile[min(last, row + 1)]
        n, up = b[1] - a[1], a[0] - b[0]
        return (c * radius, y, s * radius), unit((c * n, up, s * n))

    pen.surface(last, sides, at, lambda row: profile[row][0] == 0)


def draw_extrude(pen: Pen, outline: list[tuple[float, float]], height: float) -> None:
    """A convex outline of (x, z), anticlockwise seen from above, raised to a height."""
    pen.flat(*((x, height, z) for x, z in outline))
    pen.flat(*((x, 0.0, z) for x, z in reversed(outline)))
    for i, (x, z) in enumerate(outline):
        p, q = outline[(i + 1) % len(outline)]
        pen.flat((x, 0.0, z), (p, 0.0, q), (p, height, q), (x, height, z))


def draw_loft(pen: Pen, rings: list[list[Point]]) -> None:
    """Rings of points joined to each other, flat between them."""
    for low, high in itertools.pairwise(rings):
        for k in range(len(low)):
            after = (k + 1) % len(low)
            pen.flat(low[k], low[after], high[after], high[k])
