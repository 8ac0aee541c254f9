"""The scene as it is shown: the stored document, with parameters filled in from the twins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gemel.core.document import Json
from gemel.scene.gltf import to_glb
from gemel.scene.kinds import is_size, parameters_of
from gemel.scene.validate import findings

__all__ = ["findings", "scene_of", "to_glb"]

if TYPE_CHECKING:
    from gemel.app.platform import Platform


def scene_of(platform: Platform) -> Json:
    """The plant's scene; a parameter that it leaves out is a property of that name of the twin."""
    found = platform.catalogue.plain["scene"].get("plant")
    if found is None:
        return {"name": platform.catalogue.plant_name, "zones": [], "objects": [], "pipes": []}
    objects = [
        _filled(platform, one, found.get("kinds")) if isinstance(one, dict) else one
        for one in found.get("objects", [])
    ]
    return {**found, "objects": objects}


def _filled(platform: Platform, thing: Json, own: Any) -> Json:
    twin = thing.get("twin")
    found = platform.graph.find_twin(twin) if isinstance(twin, str) else None
    if found is None:
        return thing
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
