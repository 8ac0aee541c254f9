"""What is wrong with a scene: each finding with its place, the rule and the way out."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from gemel.core.errors import InvalidInput
from gemel.scene.evaluate import build
from gemel.scene.kinds import find, is_size, parameters_of

SCENE_FIELDS = frozenset(
    {"version", "name", "camera", "zones", "objects", "pipes", "kinds", "geometries"}
)
GEOMETRY_FIELDS = frozenset({"glb", "models", "scale", "turn", "at"})
HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
OBJECT_FIELDS = frozenset(
    {"id", "kind", "geometry", "twin", "label", "at", "turn", "scale", "parameters", "property"}
    | {"motion", "level"}
)
FARTHEST = 1e6
MOST_OBJECTS = 100_000
TRIANGLES = 5_000_000
"""Above this an export is heavy for other viewers; the page keeps its own budget."""


@dataclass(frozen=True, slots=True)
class Finding:
    place: str
    words: str
    is_error: bool = True

    def __str__(self) -> str:
        return f"{'error' if self.is_error else 'warning'}: {self.place}: {self.words}"


def findings(scene: Any, twins: Collection[str] | None = None) -> list[Finding]:
    """All that is wrong; no errors among them means that it can be drawn and exported.

    Args:
        twins: the twins there are, if they are known.
    """
    if not isinstance(scene, dict):
        return [Finding("scene", "must be a JSON object")]
    return list(_findings(scene, twins))


def _findings(scene: dict[str, Any], twins: Collection[str] | None) -> Iterator[Finding]:
    yield from _unknown("scene", scene, SCENE_FIELDS)
    if scene.get("version", 1) != 1:
        yield Finding("version", "must be 1")
    own = scene.get("kinds") or {}
    if not isinstance(own, dict):
        yield Finding("kinds", "must be an object of specs by name")
        own = {}
    for name in own:
        yield from _kind(name, own)
    shapes = scene.get("geometries") or {}
    if not isinstance(shapes, dict):
        yield Finding("geometries", "must be an object of geometries by name")
        shapes = {}
    for name, shape in shapes.items():
        yield from _geometry(f"geometries.{name}", shape)
    objects = scene.get("objects", [])
    if not isinstance(objects, list) or len(objects) > MOST_OBJECTS:
        yield Finding("objects", f"must be a list of at most {MOST_OBJECTS:,}")
        objects = []
    known = {**own, **{name: {} for name in shapes}}
    seen: set[str] = set()
    for i, thing in enumerate(objects):
        yield from _thing(f"objects[{i}]", thing, known, twins)
        yield from _own_geometry(f"objects[{i}].geometry", thing, shapes)
        if isinstance(thing, dict) and isinstance(thing.get("id"), str):
            if thing["id"] in seen:
                yield Finding(f"objects[{i}].id", f"'{thing['id']}' is taken already")
            seen.add(thing["id"])
    yield from _floor(scene, twins)


def _floor(scene: dict[str, Any], twins: Collection[str] | None) -> Iterator[Finding]:
    for name, check in (("zones", _zone), ("pipes", _pipe)):
        entries = scene.get(name) or []
        if not isinstance(entries, list):
            yield Finding(name, "must be a list")
            continue
        for i, entry in enumerate(entries):
            if not isinstance(entry, dict):
                yield Finding(f"{name}[{i}]", "must be an object")
                continue
            yield from check(f"{name}[{i}]", entry)
            yield from _twin(f"{name}[{i}]", entry, twins)
    camera = scene.get("camera")
    if camera is not None and not (
        isinstance(camera, dict)
        and _is_point(camera.get("position"), (3,))
        and _is_point(camera.get("target", [0, 0, 0]), (3,))
    ):
        yield Finding("camera", "needs position and target, each [x, y, z]")


def _zone(place: str, zone: dict[str, Any]) -> Iterator[Finding]:
    if not _is_point(zone.get("at"), (2, 3)):
        yield Finding(f"{place}.at", "must be [x, z] in metres")
    if not _is_point(zone.get("size"), (2,)):
        yield Finding(f"{place}.size", "must be [along x, along z] in metres")


def _pipe(place: str, pipe: dict[str, Any]) -> Iterator[Finding]:
    points = pipe.get("points")
    if (
        not isinstance(points, list)
        or len(points) < 2
        or not all(_is_point(p, (3,)) for p in points)
    ):
        yield Finding(f"{place}.points", "must be at least two [x, y, z]")
    if "diameter" in pipe and not is_size(pipe["diameter"]):
        yield Finding(f"{place}.diameter", "must be above 0 and below 1,000 m")


def _kind(name: str, own: dict[str, Any]) -> Iterator[Finding]:
    try:
        built = build(name, {}, own)
    except (InvalidInput, KeyError, TypeError, ValueError, AttributeError) as error:
        yield Finding(f"kinds.{name}", f"cannot be drawn: {error}")
        return
    if not built.triangles:
        yield Finding(f"kinds.{name}", "draws nothing", is_error=False)


def _geometry(place: str, shape: Any) -> Iterator[Finding]:
    if not isinstance(shape, dict):
        yield Finding(place, "must be an object")
        return
    yield from _unknown(place, shape, GEOMETRY_FIELDS)
    if not HASH.fullmatch(str(shape.get("glb", ""))):
        yield Finding(f"{place}.glb", "must be the SHA-256 of a file that was uploaded")
    models = shape.get("models", [])
    if not isinstance(models, list) or not all(isinstance(one, str) for one in models):
        yield Finding(f"{place}.models", "must be a list of DTMIs")
    if "scale" in shape and not is_size(shape["scale"]):
        yield Finding(f"{place}.scale", "must be above 0 and below 1,000")
    if "turn" in shape and not _is_number(shape["turn"]):
        yield Finding(f"{place}.turn", "must be a number of degrees")
    if "at" in shape and not _is_point(shape["at"], (3,)):
        yield Finding(f"{place}.at", "must be [x, y, z] in metres")


def _own_geometry(place: str, thing: Any, shapes: dict[str, Any]) -> Iterator[Finding]:
    name = thing.get("geometry") if isinstance(thing, dict) else None
    if name is None:
        return
    if not isinstance(name, str):
        yield Finding(place, "must name one of the scene's geometries")
    elif name not in shapes:
        words = f"the scene has no geometry '{name[:80]}'; it is drawn as its kind"
        yield Finding(place, words, is_error=False)


def _thing(
    place: str, thing: Any, own: dict[str, Any], twins: Collection[str] | None
) -> Iterator[Finding]:
    if not isinstance(thing, dict):
        yield Finding(place, "must be an object")
        return
    yield from _unknown(place, thing, OBJECT_FIELDS)
    kind = thing.get("kind")
    if not isinstance(kind, str) or not kind:
        yield Finding(f"{place}.kind", "must name a kind", is_error=True)
    elif find(kind, own) is None:
        yield Finding(f"{place}.kind", f"'{kind}' is unknown and drawn as a box", is_error=False)
    if not _is_point(thing.get("at"), (2, 3)):
        yield Finding(f"{place}.at", "must be [x, y, z], or [x, z] on the ground, in metres")
    for name in ("turn", "scale"):
        if name in thing and not _is_number(thing[name]):
            yield Finding(f"{place}.{name}", "must be a number")
    yield from _parameters(place, thing.get("parameters", {}), str(kind), own)
    for name in ("motion", "level"):
        drive = thing.get(name)
        if drive is not None and not (
            isinstance(drive, dict) and isinstance(drive.get("property"), str)
        ):
            yield Finding(f"{place}.{name}", "needs the property that drives it")
    yield from _twin(place, thing, twins)


def _parameters(place: str, given: Any, kind: str, own: dict[str, Any]) -> Iterator[Finding]:
    if not isinstance(given, dict):
        yield Finding(f"{place}.parameters", "must be numbers by name")
        return
    known = parameters_of(kind, own)
    for name, value in given.items():
        if name not in known:
            words = f"'{kind}' has none of this name; it has {', '.join(known) or 'no parameters'}"
            yield Finding(f"{place}.parameters.{name}", words, is_error=False)
        elif not is_size(value):
            yield Finding(f"{place}.parameters.{name}", "must be above 0 and below 1,000")


def _twin(place: str, entry: dict[str, Any], twins: Collection[str] | None) -> Iterator[Finding]:
    twin = entry.get("twin")
    if twin is None:
        return
    if not isinstance(twin, str):
        yield Finding(f"{place}.twin", "must be the id of a twin")
    elif twins is not None and twin not in twins:
        yield Finding(f"{place}.twin", f"there is no twin '{twin}'", is_error=False)


def _unknown(place: str, found: dict[str, Any], known: frozenset[str]) -> Iterator[Finding]:
    for name in found:
        if name not in known:
            yield Finding(f"{place}.{name}", "is not a field of the format", is_error=False)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_point(value: Any, lengths: tuple[int, ...]) -> bool:
    return (
        isinstance(value, list)
        and len(value) in lengths
        and all(_is_number(v) and abs(v) < FARTHEST for v in value)
    )
