"""From a shape spec and parameters to triangles: the body of a thing, and its moving parts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gemel.core.errors import InvalidInput
from gemel.scene import mesh as shapes
from gemel.scene.expression import HINT, compute
from gemel.scene.kinds import Spec, builtin, filled, find
from gemel.scene.mesh import Mesh, Pen, Placing, Point

MOST_REPEATS = 400
MOST_TRIANGLES = 20_000
DEEPEST = 12
Names = dict[str, float]


@dataclass(slots=True)
class Part:
    mesh: Mesh
    motion: dict[str, Any]
    """`type` is spin, slide, stroke or level; the rest are its measures."""


@dataclass(slots=True)
class Built:
    body: Mesh
    parts: list[Part] = field(default_factory=list)

    @property
    def triangles(self) -> int:
        return self.body.triangles + sum(part.mesh.triangles for part in self.parts)


def build(
    kind: str, parameters: Mapping[str, Any] | None = None, own: Mapping[str, Spec] | None = None
) -> Built:
    """Builds a kind; an unknown one is a box.

    Raises:
        InvalidInput: the spec of a scene's own kind cannot be drawn.
    """
    spec = find(kind, own) or builtin()["kinds"]["box"]
    builder = _Builder(builtin()["macros"])
    names: Names = dict(filled(spec, parameters or {}))
    builder.draw(spec.get("shapes") or [], names, Placing(), 1.0, 0)
    return builder.built


class _Builder:
    def __init__(self, macros: dict[str, Any]) -> None:
        self._macros = macros
        self.built = Built(Mesh())
        self._mesh = self.built.body

    def draw(self, list_: Any, names: Names, placing: Placing, shade: float, depth: int) -> None:
        if depth > DEEPEST or not isinstance(list_, list):
            raise InvalidInput("shapes: not a list, or nested too deeply", hint=HINT)
        for shape in list_:
            if not isinstance(shape, dict):
                raise InvalidInput("shapes: each must be an object", hint=HINT)
            if "let" in shape:
                for name, value in shape["let"].items():
                    names[name] = compute(value, names)
            elif "use" in shape:
                self._use(shape, names, placing, shade, depth)
            elif "part" in shape:
                self._part(shape, names, depth)
            elif "when" in shape:
                if compute(shape["when"], names):
                    self.draw(shape["shapes"], dict(names), placing, shade, depth + 1)
            elif "repeat" in shape or "each" in shape:
                for more in _rounds(shape, names):
                    self.draw(shape["shapes"], {**names, **more}, placing, shade, depth + 1)
            else:
                self._shape(shape, names, placing, shade)

    def _use(
        self, shape: dict[str, Any], names: Names, placing: Placing, shade: float, depth: int
    ) -> None:
        macro = self._macros.get(str(shape["use"]))
        if macro is None:
            raise InvalidInput(f"there is no macro '{shape['use']}'", hint=HINT)
        given = shape.get("with", [])
        inner = {n: compute(v, names) for n, v in zip(macro["takes"], given, strict=True)}
        at, turn = _point(shape.get("at"), names), _point(shape.get("turn"), names)
        darker = shade * compute(shape.get("shade", 1), names)
        self.draw(macro["shapes"], inner, placing.inside(at, turn), darker, depth + 1)

    def _part(self, shape: dict[str, Any], names: Names, depth: int) -> None:
        motion = {
            key: value
            if key in ("type", "axis")
            else (list(_point(value, names)) if isinstance(value, list) else compute(value, names))
            for key, value in shape["part"].items()
        }
        outer, self._mesh = self._mesh, Mesh()
        self.draw(shape["shapes"], dict(names), Placing(), 1.0, depth + 1)
        inner, self._mesh = self._mesh, outer
        if inner.triangles:
            self.built.parts.append(Part(inner, motion))

    def _shape(self, shape: dict[str, Any], names: Names, placing: Placing, outer: float) -> None:
        drawn = DRAW.get(str(shape.get("shape")))
        if drawn is None:
            raise InvalidInput(f"there is no shape '{shape.get('shape')}'", hint=HINT)
        pen = Pen(str(shape.get("axis", "y")))
        drawn(pen, _Reader(shape, names))
        at, turn = _point(shape.get("at"), names), _point(shape.get("turn"), names)
        shade = outer * compute(shape.get("shade", 1), names)
        self._mesh.add(pen.vertices, placing.inside(at, turn), shade)
        if self._mesh.triangles > MOST_TRIANGLES:
            raise InvalidInput(f"more than {MOST_TRIANGLES:,} triangles", hint=HINT)


def _rounds(shape: dict[str, Any], names: Names) -> Iterator[Names]:
    if "each" in shape:
        variables = shape["each"] if isinstance(shape["each"], list) else [shape["each"]]
        for row in shape["of"]:
            values = row if isinstance(row, list) else [row]
            yield {n: compute(v, names) for n, v in zip(variables, values, strict=True)}
        return
    start, step = compute(shape.get("from", 0), names), compute(shape.get("step", 1), names)
    if "to" in shape:
        if step <= 0:
            raise InvalidInput("repeat: step must be above 0", hint=HINT)
        count = math.ceil((compute(shape["to"], names) - start) / step - 1e-9)
    else:
        count = math.ceil(compute(shape["count"], names))
    for i in range(min(MOST_REPEATS, count)):
        yield {str(shape["repeat"]): start + i * step}


@dataclass(frozen=True, slots=True)
class _Reader:
    shape: dict[str, Any]
    names: Names

    def number(self, key: str, default: float) -> float:
        return compute(self.shape.get(key, default), self.names)

    def sides(self, default: int) -> int:
        return min(200, max(3, math.floor(self.number("sides", default) + 0.5)))

    def point(self, key: str) -> Point:
        return _point(self.shape.get(key), self.names)

    def points(self, value: Any) -> list[Point]:
        return [_point(one, self.names) for one in value]

    def pairs(self, key: str) -> list[tuple[float, float]]:
        return [(compute(a, self.names), compute(b, self.names)) for a, b in self.shape[key]]


def _point(values: Any, names: Names) -> Point:
    if not isinstance(values, list):
        return (0.0, 0.0, 0.0)
    x, y, z = (compute(value, names) for value in [*values, 0, 0, 0][:3])
    return (x, y, z)


def _box(pen: Pen, r: _Reader) -> None:
    shapes.draw_box(pen, r.point("size"), r.number("bevel", 0))


def _cylinder(pen: Pen, r: _Reader) -> None:
    radius = r.number("radius", 1)
    shapes.draw_cylinder(pen, radius, r.number("top", radius), r.number("length", 1), r.sides(20))


def _dome(pen: Pen, r: _Reader) -> None:
    radius, flat, sign = r.number("radius", 1), r.number("flat", 0.4), r.number("sign", 1)
    shapes.draw_ball(pen, radius, math.pi / 2, flat, r.sides(20), 6, sign)


def _sphere(pen: Pen, r: _Reader) -> None:
    rings = int(r.number("rings", 8))
    shapes.draw_ball(pen, r.number("radius", 1), math.pi, 1.0, r.sides(16), rings)


def _ring(pen: Pen, r: _Reader) -> None:
    shapes.draw_ring(pen, r.number("radius", 1), r.number("thickness", 0.1), r.sides(24))


def _tube(pen: Pen, r: _Reader) -> None:
    shapes.draw_tube(pen, r.number("radius", 1), r.number("length", 1), r.sides(24))


def _lathe(pen: Pen, r: _Reader) -> None:
    shapes.draw_lathe(pen, r.pairs("profile"), r.sides(20))


def _extrude(pen: Pen, r: _Reader) -> None:
    shapes.draw_extrude(pen, r.pairs("outline"), r.number("height", 1))


def _loft(pen: Pen, r: _Reader) -> None:
    shapes.draw_loft(pen, [r.points(ring) for ring in r.shape["rings"]])


def _quads(pen: Pen, r: _Reader) -> None:
    for quad in r.shape["quads"]:
        pen.flat(*r.points(quad))


DRAW: dict[str, Callable[[Pen, _Reader], None]] = {
    "box": _box,
    "cylinder": _cylinder,
    "dome": _dome,
    "sphere": _sphere,
    "ring": _ring,
    "tube": _tube,
    "lathe": _lathe,
    "extrude": _extrude,
    "loft": _loft,
    "quads": _quads,
}
