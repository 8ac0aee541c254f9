"""The scene as it is shown: the stored document, with parameters filled in from the twins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gemel.core.document import Json
from gemel.scene.flatten import Flat
from gemel.scene.geometry import open_geometry
from gemel.scene.gltf import to_glb
from gemel.scene.kinds import is_size, parameters_of
from gemel.scene.validate import findings

__all__ = ["findings", "scene_glb", "scene_of", "to_glb"]

if TYPE_CHECKING:
    from gemel.app.platform import Platform


def scene_of(platform: Platform) -> Json:
    """The plant's scene as it is drawn.

    A parameter that an object leaves out is a property of that name of its twin; a geometry that it
    leaves out is the one that names the twin's model, if there is one.
    """
    found = platform.catalogue.plain["scene"].get("plant")
    if found is None:
        return {"name": platform.catalogue.plant_name, "zones": [], "objects": [], "pipes": []}
    shapes = found.get("geometries")
    by_model = _by_model(shapes if isinstance(shapes, dict) else {})
    objects = [
        _filled(platform, one, found.get("kinds"), by_model) if isinstance(one, dict) else one
        for one in found.get("objects", [])
    ]
    return {**found, "objects": objects}


def scene_glb(scene: Json, files: Mapping[str, bytes]) -> bytes:
    """The scene as one GLB, users' shapes in it too.

    Args:
        files: GLB files by their hash; what is drawn with one that is not here is its kind.
    """
    shapes: dict[str, Flat] = {}
    for name, one in (scene.get("geometries") or {}).items():
        content = files.get(str(one.get("glb")))
        if content is not None:
            shapes[name] = open_geometry(content).whole
    return to_glb(scene, shapes)


def _by_model(shapes: Json) -> dict[str, str]:
    return {
        model: name
        for name, one in shapes.items()
        if isinstance(one, dict)
        for model in one.get("models") or []
    }


def _filled(platform: Platform, thing: Json, own: Any, by_model: dict[str, str]) -> Json:
    twin = thing.get("twin")
    found = platform.graph.find_twin(twin) if isinstance(twin, str) else None
    if found is None:
        return thing
    if by_model and "geometry" not in thing:
        graph = platform.graph
        name = by_model.get(found.model) or next(
            (name for model, name in by_model.items() if graph.is_of_model(found, model)), ""
        )
        thing = {**thing, "geometry": name} if name else thing
    known = parameters_of(str(thing.get("kind", "")), own if isinstance(own, dict) else None)
    given = thing.get("parameters")
    given = given if isinstance(given, dict) else {}
    values = found.doc if known else {}
    more = {
        name: float(values[name])
        for name in known
        if name not in given and is_size(values.get(name))
    }
    return {**thing, "parameters": {**given, **more}} if more else thing
