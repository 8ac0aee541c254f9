"""Puts one twin into the scene, or moves it, without touching what stands there."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING

from gemel.core.document import Edit, Json
from gemel.core.errors import InvalidInput, NotFound
from gemel.scene.validate import findings
from gemel.twins.graph import EditContext, Graph

if TYPE_CHECKING:
    from gemel.app.platform import Platform

SPACING = 4.0
"""Metres between things that are placed by themselves."""
FIELDS = ("kind", "geometry", "at", "turn", "scale", "label", "parameters", "motion", "level")


async def place(platform: Platform, twin: str, body: Json, who: str) -> Json:
    """The twin's object in the scene; without `at`, the first free place around the middle.

    Raises:
        NotFound: there is no such twin.
        InvalidInput: it cannot be drawn so.
    """
    platform.catalogue.require_twin(twin)

    def plan(_: Graph, context: EditContext) -> tuple[list[Edit], Json]:
        scene = scene_document(platform)
        others = [one for one in scene["objects"] if one.get("twin") != twin]
        old: Json = next((one for one in scene["objects"] if one.get("twin") == twin), {})
        thing = {**old, **body, "twin": twin}
        thing.setdefault("at", _free(others))
        parts = {name: scene.get(name) or {} for name in ("kinds", "geometries")}
        problems = [one for one in findings({**parts, "objects": [thing]}) if one.is_error]
        if problems:
            place_ = problems[0].place.removeprefix("objects[0].")
            raise InvalidInput(f"{place_}: {problems[0].words}", hint="docs/formats/scene.md")
        doc = {**scene, "objects": [*others, thing]}
        return [context.edit("scene", "plant", doc)], thing

    return await platform.edit(plan, who, "placed")


async def take_away(platform: Platform, twin: str, who: str) -> None:
    """Takes a twin's object out of the scene.

    Raises:
        NotFound: it stands nowhere.
    """

    def plan(_: Graph, context: EditContext) -> tuple[list[Edit], None]:
        scene = scene_document(platform)
        others = [one for one in scene["objects"] if one.get("twin") != twin]
        if len(others) == len(scene["objects"]):
            raise NotFound(f"'{twin}' stands nowhere in the scene", hint="GET /scene")
        return [context.edit("scene", "plant", {**scene, "objects": others})], None

    await platform.edit(plan, who, "taken away")


def scene_document(platform: Platform) -> Json:
    """The stored scene, of which an edit makes the next one."""
    found = platform.catalogue.plain["scene"].get("plant") or {}
    objects = [one for one in found.get("objects", []) if isinstance(one, dict)]
    return {"zones": [], "pipes": [], **found, "objects": objects}


def _free(others: list[Json]) -> list[float]:
    """The first place, in rings around the middle, with room to what stands."""
    taken = [(at[0], at[-1]) for one in others if isinstance(at := one.get("at"), list) and at]
    return next(
        [x, 0, z]
        for x, z in _rings()
        if all(abs(x - a) >= SPACING or abs(z - b) >= SPACING for a, b in taken)
    )


def _rings() -> Iterator[tuple[float, float]]:
    for ring in count():
        for i in range(-ring, ring + 1):
            for k in range(-ring, ring + 1):
                if max(abs(i), abs(k)) == ring:
                    yield i * SPACING, k * SPACING
