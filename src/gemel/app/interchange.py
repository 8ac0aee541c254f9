"""Exports and imports in other people's forms: gathers what somebody may see, converts, reports."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import orjson

from gemel.app import plant_files
from gemel.app.values import shown_series
from gemel.core.clock import to_iso
from gemel.core.document import Json
from gemel.core.errors import InvalidInput, NotFound, TooLarge
from gemel.core.quality import is_bad, is_good
from gemel.interchange import (
    aas_export,
    aas_import,
    aas_package,
    ngsi_export,
    wot_export,
    wot_import,
)
from gemel.interchange.aas_words import submodel_id
from gemel.interchange.facts import Facts, Material, Value, parts, path_of
from gemel.interchange.losses import Losses
from gemel.twins.dtdl.interface import Command, Property, Telemetry
from gemel.twins.view import adt_view

if TYPE_CHECKING:
    from gemel.app.platform import Platform

MOST_TWINS = 10_000
AT_ONCE = 50
"""Twins that are gathered before others get their turn."""
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Format:
    """One form to export to."""

    name: str
    about: str
    media_type: str
    ending: str
    write: Callable[[Material, Losses], bytes]


@dataclass(frozen=True, slots=True)
class Exported:
    content: bytes
    format: Format
    losses: Losses


Convert = Callable[[Material, Losses], Any]


def _as_json(convert: Convert) -> Callable[[Material, Losses], bytes]:
    """What writes a conversion as JSON that people can read."""
    return lambda material, losses: orjson.dumps(
        convert(material, losses), option=orjson.OPT_INDENT_2
    )


FORMATS = {
    one.name: one
    for one in (
        Format(
            "aas",
            "Asset Administration Shell v3 environment",
            JSON,
            ".json",
            _as_json(aas_export.environment),
        ),
        Format(
            "aasx",
            "Asset Administration Shell v3 package",
            "application/asset-administration-shell-package",
            ".aasx",
            lambda m, losses: aas_package.package(aas_export.environment(m, losses)),
        ),
        Format(
            "wot",
            "W3C Web of Things: Thing Descriptions of twins, Thing Models of models",
            "application/td+json",
            ".td.json",
            _as_json(wot_export.documents),
        ),
        Format(
            "ngsi-ld",
            "NGSI-LD entities of twins and their components",
            "application/ld+json",
            ".jsonld",
            _as_json(ngsi_export.entities),
        ),
    )
}


def format_of(name: str) -> Format:
    """The form of a name.

    Raises:
        NotFound: there is none.
    """
    found = FORMATS.get(name)
    if found is None:
        raise NotFound(f"there is no format '{name}'", hint="one of " + ", ".join(FORMATS))
    return found


# ---- export --------------------------------------------------------------------------------------


async def export(
    platform: Platform, name: str, twins: Sequence[str], models: Sequence[str], base: str
) -> Exported:
    """Twins and models in a form, with what that loses.

    Args:
        platform: as somebody may see it.
        name: of the form.
        twins: ids; all if neither twins nor models are named.
        models: DTMIs, whose definitions are exported without twins.
        base: the URL that the server is asked at.

    Raises:
        NotFound: no such form, twin or model.
        TooLarge: more than 10,000 twins.
    """
    form = format_of(name)
    found = await material(platform, twins, models, base)
    losses = Losses(name, "export")
    content = await asyncio.to_thread(form.write, found, losses)
    return Exported(content, form, losses)


async def material(
    platform: Platform, twins: Sequence[str], models: Sequence[str], base: str = ""
) -> Material:
    """What a conversion needs; see `export`."""
    graph = platform.graph
    chosen = {key: graph.model(key) for key in models}
    wanted = list(dict.fromkeys(twins)) if twins or models else sorted(graph.twins)
    if len(wanted) > MOST_TWINS:
        raise TooLarge(
            f"an export holds {MOST_TWINS:,} twins at most, not {len(wanted):,}",
            hint="name the twins wanted",
        )
    facts = []
    for number, key in enumerate(wanted):
        if number % AT_ONCE == AT_ONCE - 1:
            await asyncio.sleep(0)
        facts.append(facts_of(platform, key))
    known = dict(graph.models) if not models or twins else chosen
    return Material(known, tuple(facts), base, mqtt_beside(platform, base))


def submodel_ids(platform: Platform) -> Sequence[str]:
    """The ids of all submodels in order: of twins and of their components.

    Cost: they are sorted when twins came or went, or got other models; else looked up.
    """
    models, kept = platform.graph.models, platform.directory.kept()
    now = list(models.values())
    known, old = kept.get("submodels", (None, []))
    if known is not None and len(known) == len(now) and all(map(operator.is_, known, now)):
        return cast("list[str]", old)
    twins = platform.graph.twins
    found = sorted(
        submodel_id(key, part)
        for key in platform.directory.ids()
        for part, _ in parts(models, twins[key].model)
    )
    kept["submodels"] = (now, found)
    return found


def mqtt_beside(platform: Platform, base: str) -> str:
    """Host and port of the MQTT server, on the host that somebody reached us at; "" if none."""
    port = platform.mqtt_address.rpartition(":")[2]
    host = urlsplit(base).hostname if base else None
    return f"{f'[{host}]' if ':' in host else host}:{port}" if port and host else ""


def facts_of(platform: Platform, key: str) -> Facts:
    """A twin with its values as of now.

    Raises:
        NotFound: there is none.
    """
    graph = platform.graph
    twin = graph.twin(key)
    read = platform.value_of(key)
    shown = adt_view(graph, twin, read)
    values: dict[str, Value] = {}
    hidden: set[str] = set()
    for part, interface in parts(graph.models, twin.model):
        held = shown.get(part, {}) if part else shown
        for name, content in interface.contents.items():
            path = path_of(part, name)
            if isinstance(content, Telemetry | Property | Command):
                if not platform.series.is_shown(key, path):
                    hidden.add(path)
                elif isinstance(content, Property) and name in held:
                    values[path] = _property(platform, key, path, held)
                elif isinstance(content, Telemetry):
                    latest = read(path)
                    if latest is not None:
                        quality = _quality(platform, key, path)
                        values[path] = Value(latest[0], to_iso(latest[1]), quality)
    links = sorted(graph.outgoing(key), key=lambda link: link.id)
    name = graph.name_of(key) or ""
    return Facts(key, twin.model, name, values, tuple(x.view() for x in links), frozenset(hidden))


def _property(platform: Platform, key: str, path: str, held: Json) -> Value:
    name = path.rpartition(".")[2]
    about = held.get("$metadata", {}).get(name) or {}
    time = about.get("sourceTime") or about.get("lastUpdateTime") or ""
    latest = platform.value_of(key)(path)
    is_reported = latest is not None and to_iso(latest[1]) == time
    return Value(held[name], time, _quality(platform, key, path) if is_reported else "good")


def _quality(platform: Platform, key: str, path: str) -> str:
    series = shown_series(platform, key, path)
    quality = 0 if series is None else int(platform.state.quality[series])
    return "bad" if is_bad(quality) else "good" if is_good(quality) else "uncertain"


# ---- import --------------------------------------------------------------------------------------

READERS: dict[str, Callable[[bytes, Losses], Json]] = {
    "aas": aas_import.read_environment,
    "aasx": aas_import.read_package,
    "wot": wot_import.read_things,
}


@dataclass(frozen=True, slots=True)
class Imported:
    plant: Json
    losses: Losses
    counts: dict[str, int]


async def import_(
    platform: Platform, name: str, content: bytes, who: str, *, is_strict: bool, is_dry: bool
) -> Imported:
    """Brings a foreign document in as models, twins and relationships, all or nothing.

    Args:
        platform: where to.
        name: of the form.
        content: the document.
        who: brings it in.
        is_strict: refuse it if anything is lost.
        is_dry: convert and report, import nothing.

    Raises:
        NotFound: the form is not one that can be read.
        InvalidInput: the document is not of it, or is refused.
    """
    reader = READERS.get(name)
    if reader is None:
        raise NotFound(f"'{name}' cannot be imported", hint="one of " + ", ".join(READERS))
    losses = Losses(name, "import")
    plant = await asyncio.to_thread(reader, content, losses)
    if is_strict:
        losses.refuse()
    if not plant.get("models") and not plant.get("twins"):
        raise InvalidInput(f"there is nothing of {name} in it that could be imported")
    counts = {} if is_dry else await plant_files.import_plant(platform, plant, who)
    return Imported(plant, losses, counts)
