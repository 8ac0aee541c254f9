"""A plant as readable files: plant.yaml, models, a scene; read, written, imported, exported.

docs/formats/plant.md describes the form.
"""

from __future__ import annotations

import math
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from gemel.app.alarm_files import export_alarm_part, read_alarm_part
from gemel.app.guarding import check_settings
from gemel.app.model_files import (
    ENDINGS,
    dtdl_of,
    file_name,
    models_text,
    parse_json,
    read_models,
)
from gemel.app.retention import check_retention
from gemel.app.yaml_files import as_yaml, read_text, read_yaml
from gemel.commands.desired import RULES
from gemel.core.document import Edit, Json
from gemel.core.errors import Conflict, InvalidInput
from gemel.core.policy import parse_policy
from gemel.ingest.topics import binding_from_json
from gemel.twins.draft import Draft
from gemel.twins.dtdl.interface import Interface, Property
from gemel.twins.graph import EditContext, Graph
from gemel.twins.models import add_models
from gemel.twins.records import Link
from gemel.twins.relationship_edits import put_relationship
from gemel.twins.twin_edits import put_twin

if TYPE_CHECKING:
    from gemel.app.platform import Platform

FIELDS = (
    "name",
    "models",
    "settings",
    "twins",
    "bindings",
    "derived",
    "rules",
    "alarms",
    "services",
    "behaviours",
    "scenarios",
    "kpis",
    "policies",
    "scene",
)
TWIN_FIELDS = ("model", "name", "properties", "components", "relationships")
TARGET_FIELDS = ("to", "id", "properties")
KPI_FIELDS = ("id", "label", "unit", "twin", "property", "target", "targetLabel", "digits", "order")
PLURALS = {
    "settings": "settings",
    "derived": "derived",
    "scene": "scene",
    "philosophy": "philosophy",
    "policy": "policies",
}


DEMO = Path(str(files("gemel.simulate"))) / "plants" / "demo"


# ---- files -----------------------------------------------------------------------------------


def demo_plant() -> Json:
    """The plant that `gemel demo` shows."""
    return read(DEMO / "plant.yaml")


def demo_services() -> Json:
    """Its services that learn from history: to be set up once there is some."""
    return read(DEMO / "services.yaml")


def read(file: Path) -> Json:
    """Reads plant.yaml and the files it names into one document.

    Raises:
        InvalidInput: a file is missing or not of the form; names file, place and the way out.
    """
    found = read_yaml(file)
    if not isinstance(found, dict):
        raise InvalidInput(f"{file}: must be a mapping", hint="with: " + ", ".join(FIELDS))
    _check_fields(found, FIELDS, str(file))
    entries = found.get("models") or []
    if not isinstance(entries, list):
        raise InvalidInput(f"{file}: models must be a list", hint="like - models/*.json")
    models: list[Any] = []
    for entry in entries:
        if isinstance(entry, dict):
            models.append(entry)
            continue
        for match in _matches(file, str(entry)):
            models.extend(read_models(match))
    found["models"] = models
    if isinstance(found.get("scene"), str):
        found["scene"] = read_json(file.parent / found["scene"])
    return found


def _matches(file: Path, pattern: str) -> list[Path]:
    try:
        found = sorted(file.parent.glob(pattern))
    except (ValueError, NotImplementedError, IndexError) as error:
        raise InvalidInput(
            f"{file}: models: '{pattern}' is no pattern: {error}",
            hint="name files beside plant.yaml, like models/*.json",
        ) from error
    if not found:
        raise InvalidInput(f"{file}: models: no file matches '{pattern}'")
    return found


def read_json(file: Path) -> Any:
    """What a file holds.

    Raises:
        InvalidInput: it cannot be read, or is not JSON.
    """
    return parse_json(read_text(file).lstrip("\ufeff"), str(file))


def write(plant: Json, folder: Path, form: str = "dtdl") -> list[Path]:
    """Writes a plant as files that `read` reads back to the same.

    Args:
        plant: as `read` gives it.
        folder: is made.
        form: of the models, see `model_files.FORMS`.

    Raises:
        InvalidInput: the folder cannot be written.
    """
    try:
        return _write(plant, folder, form)
    except OSError as error:
        raise InvalidInput(
            f"{folder} cannot be written: {error.strerror}", hint="name another folder"
        ) from error


def _write(plant: Json, folder: Path, form: str) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "models").mkdir(exist_ok=True)
    written = []
    for model in plant["models"]:
        file = folder / "models" / file_name(model["@id"], form)
        file.write_text(models_text([model], form), "utf-8")
        written.append(file)
    rest = {k: v for k, v in plant.items() if k in FIELDS and k not in ("models", "scene") and v}
    names = [f"models/{file.name}" for file in written]
    pattern = f"models/*{ENDINGS[form]}"
    is_all = {file.name for file in written} == {f.name for f in folder.glob(pattern)}
    models = [pattern] if names and is_all else names
    body: Json = {"name": plant.get("name", ""), "models": models}
    if plant.get("scene"):
        body["scene"] = "scene.json"
        file = folder / "scene.json"
        file.write_bytes(orjson.dumps(plant["scene"], option=orjson.OPT_INDENT_2) + b"\n")
        written.append(file)
    file = folder / "plant.yaml"
    file.write_text(as_yaml({**body, **rest}), "utf-8")
    return [*written, file]


# ---- import ----------------------------------------------------------------------------------


async def import_plant(platform: Platform, plant: Json, who: str) -> dict[str, int]:
    """Brings a plant in, all or nothing; what is there already and equal is left alone.

    Returns:
        How many of each were made or changed.

    Raises:
        InvalidInput: names the place and the rule; nothing was imported.
        Conflict: a model of the same id is there and different.
    """
    if not isinstance(plant, dict):
        raise InvalidInput("a plant must be a mapping", hint="with: " + ", ".join(FIELDS))
    _check_fields(plant, FIELDS, "plant")
    rules = _by_id(plant, "rules")

    def plan(graph: Graph, context: EditContext) -> tuple[list[Edit], dict[str, int]]:
        draft = Draft(graph)
        edits = _plan_models(draft, context, plant.get("models") or [])
        twins = _mapping(plant, "twins")
        edits += _plan_twins(draft, context, twins)
        edits += _plan_relationships(draft, context, twins)
        edits += _plan_plain(platform, draft, context, plant)
        settings = _mapping(plant, "settings")
        services = platform.services.plan(draft, context, _by_id(plant, "services"))
        planned = {
            "settings": settings,
            "derived": _by_id(plant, "derived"),
            "service": {e.key: e.doc for e in services if e.kind == "service" and e.doc},
        }
        edits += services  # formulas and rules may name what they give
        edits += platform.derived.plan(draft, context, planned["derived"], planned)
        edits += platform.reactions.plan_rules(draft, context, rules, planned)
        attached = _by_id(plant, "behaviours")
        edits += platform.behaviours.plan(draft, context, attached, settings)
        edits += platform.scenarios.plan(context, _by_id(plant, "scenarios"))
        counts: dict[str, int] = {}
        for edit in edits:
            what = PLURALS.get(edit.kind, edit.kind + "s")
            counts[what] = counts.get(what, 0) + 1
        return edits, counts

    return await platform.edit(plan, who, "import")


def _check_fields(found: Json, known: tuple[str, ...], place: str) -> None:
    for name in found:
        if name not in known:
            raise InvalidInput(
                f"{place}: unknown field '{name}'", hint="known: " + ", ".join(known)
            )


def _object(found: Json, name: str, place: str) -> Json:
    """A mapping that may be left out."""
    value = found.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidInput(f"{place}: {name} must be a mapping, not {str(value)[:60]!r}")
    return value


def _mapping(plant: Json, name: str) -> dict[str, Any]:
    found = plant.get(name) or {}
    if not isinstance(found, dict):
        raise InvalidInput(f"plant: {name} must be a mapping of ids to their settings")
    for key, value in found.items():
        if not isinstance(value, dict):
            raise InvalidInput(f"plant: {name}.{key} must be a mapping")
    return {str(key): value for key, value in found.items()}


def _by_id(plant: Json, name: str) -> dict[str, Json]:
    found = plant.get(name) or []
    if not isinstance(found, list):
        raise InvalidInput(f"plant: {name} must be a list")
    result: dict[str, Json] = {}
    for number, entry in enumerate(found, 1):
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
            raise InvalidInput(f"plant: {name}, entry {number}: needs an 'id'")
        if not entry["id"]:
            raise InvalidInput(f"plant: {name}, entry {number}: its 'id' is empty")
        if entry["id"] in result:
            raise InvalidInput(f"plant: {name}: the id '{entry['id']}' stands twice")
        result[entry["id"]] = entry
    return result


def _plan_models(draft: Draft, context: EditContext, models: Any) -> list[Edit]:
    if not isinstance(models, list):
        raise InvalidInput("plant: models must be a list of DTDL interfaces")
    new = []
    for model in dtdl_of(models):
        key = model.get("@id") if isinstance(model, dict) else None
        there = draft.find_record(key) if isinstance(key, str) else None
        if there is None:
            new.append(model)
        elif there.definition != model:
            raise Conflict(
                f"model '{key}' is there already and is different",
                hint="give the changed model a new version: ;2",
                code="ModelIdAlreadyExists",
            )
    if not new:
        return []
    edits, _ = add_models(draft, context, new)
    draft.apply(edits)
    return edits


def _plan_twins(draft: Draft, context: EditContext, twins: dict[str, Any]) -> list[Edit]:
    edits: list[Edit] = []
    for key, entry in twins.items():
        body = _twin_body(draft, key, entry)
        old = draft.find_twin(key)
        if old is not None and _is_same(old.doc, body):
            continue
        made, _ = put_twin(draft, context, key, body)
        draft.apply(made)
        edits += made
    return edits


def _twin_body(draft: Draft, key: str, entry: Json) -> Json:
    model = entry.get("model")
    if not isinstance(model, str):
        raise InvalidInput(f"plant: twins.{key}: needs a 'model'", hint="a DTMI")
    interface = draft.find_model(model)
    if interface is None:
        raise InvalidInput(
            f"plant: twins.{key}: there is no model '{model}'", hint="put it among the models"
        )
    values = dict(_object(entry, "properties", f"plant: twins.{key}"))
    name = entry.get("name")
    if name is not None:
        if not isinstance(interface.contents.get("name"), Property):
            raise InvalidInput(
                f"plant: twins.{key}: model '{model}' has no property 'name' to hold '{name}'",
                hint="add it to the model, or leave the name out",
            )
        values.setdefault("name", name)
    components = _object(entry, "components", f"plant: twins.{key}")
    parts = interface.components()
    _check_fields(components, tuple(parts), f"plant: twins.{key}.components")
    for part in parts:
        held = _object(components, part, f"plant: twins.{key}.components")
        values[part] = {"$metadata": {}, **held}
    return {"$metadata": {"$model": model}, **values}


def _is_same(doc: Json, body: Json) -> bool:
    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items() if not k.startswith("$")}
        return value

    same_model = bool(doc["$metadata"]["$model"] == body["$metadata"]["$model"])
    return same_model and bool(plain(doc) == plain(body))


def _plan_relationships(draft: Draft, context: EditContext, twins: dict[str, Any]) -> list[Edit]:
    edits: list[Edit] = []
    for key, entry in twins.items():
        interface: Interface = draft.model(entry["model"])
        links = {k: v for k, v in entry.items() if k not in TWIN_FIELDS}
        links |= _object(entry, "relationships", f"plant: twins.{key}")
        for name, targets in links.items():
            if name not in interface.relationships():
                raise InvalidInput(
                    f"plant: twins.{key}: '{name}' is neither a field nor a relationship",
                    hint="fields: " + ", ".join((*TWIN_FIELDS, *interface.relationships())),
                )
            for target in targets if isinstance(targets, list) else [targets]:
                edits += _plan_relationship(draft, context, key, name, target)
    return edits


def _plan_relationship(
    draft: Draft, context: EditContext, source: str, name: str, target: Any
) -> list[Edit]:
    properties: Json = {}
    relationship = None
    place = f"plant: twins.{source}.{name}"
    if isinstance(target, dict):
        _check_fields(target, TARGET_FIELDS, place)
        properties = _object(target, "properties", place)
        relationship = target.get("id")
        target = target.get("to")
    if not isinstance(target, str):
        raise InvalidInput(f"{place}: targets must be twin ids", hint="or {to, properties}")
    body = {"$relationshipName": name, "$targetId": target, **properties}
    if relationship is None:
        relationship = f"{name}-{target}"
    if not isinstance(relationship, str):
        raise InvalidInput(f"{place}: the id of a relationship must be text")
    old = draft.find_relationship(source, relationship)
    if old is not None and _link_body(old) == body:
        return []
    made, _ = put_relationship(draft, context, source, relationship, body)
    draft.apply(made)
    return made


def _link_body(link: Link) -> Json:
    kept = ("$relationshipName", "$targetId")
    return {k: v for k, v in link.view().items() if k in kept or not k.startswith("$")}


def _plan_plain(platform: Platform, graph: Graph, context: EditContext, plant: Json) -> list[Edit]:
    wanted: list[tuple[str, str, Json]] = []
    for model, settings in _mapping(plant, "settings").items():
        _check_settings(platform, graph, model, settings)
        wanted.append(("settings", model, settings))
    made = platform.catalogue.plain["binding"]
    following = 1 + max((int(doc.get("order", 0)) for doc in made.values()), default=-1)
    for key, doc in _by_id(plant, "bindings").items():
        binding_from_json(doc)
        order = made[key].get("order", 0) if key in made else following
        following += key not in made
        wanted.append(("binding", key, {**doc, "order": order}))
    for place, (key, doc) in enumerate(_by_id(plant, "kpis").items()):
        _check_kpi(key, doc)
        wanted.append(("kpi", key, {"order": place, **doc}))
    for key, doc in _by_id(plant, "policies").items():
        parse_policy(doc)
        wanted.append(("policy", key, doc))
    wanted += read_alarm_part(platform, plant)
    scene = plant.get("scene")
    if scene is not None and not isinstance(scene, dict):
        raise InvalidInput("plant: scene must be a mapping", hint="docs/formats/scene.md")
    if scene is not None or plant.get("name"):
        old = platform.catalogue.plain["scene"].get("plant", {})
        scene = dict(scene or old or {"zones": [], "objects": [], "pipes": []})
        if plant.get("name"):
            scene["name"] = plant["name"]
        wanted.append(("scene", "plant", scene))
    plain = platform.catalogue.plain
    return [
        context.edit(kind, key, doc) for kind, key, doc in wanted if plain[kind].get(key) != doc
    ]


SETTINGS = ("staleAfter", "geometry", "scope", "properties", "commands", "retention")
LIMITS = ("minimum", "maximum", "tolerance")
MOST_SECONDS = 1_000_000_000
"""32 years; what is counted in ns stays far from the end of 64 bits."""


def _check_kpi(key: str, doc: Json) -> None:
    place = f"plant: kpis.{key}"
    _check_fields(doc, KPI_FIELDS, place)
    for name in ("twin", "property"):
        if not isinstance(doc.get(name), str):
            raise InvalidInput(f"{place}: needs '{name}'")
    for name in ("label", "unit", "targetLabel"):
        if not isinstance(doc.get(name, ""), str):
            raise InvalidInput(f"{place}: {name} must be text")
    for name in ("target", "digits", "order"):
        value = doc.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidInput(f"{place}: {name} must be a number")


def _check_settings(platform: Platform, graph: Graph, model: str, settings: Json) -> None:
    place = f"plant: settings.{model}"
    _check_fields(settings, SETTINGS, place)
    interface = graph.find_model(model)
    if interface is None:
        raise InvalidInput(f"{place}: there is no such model", hint="put it among the models")
    for name in ("geometry", "scope"):
        if not isinstance(settings.get(name, ""), str):
            raise InvalidInput(f"{place}: {name} must be text")
    stale = settings.get("staleAfter", 1)
    is_number = isinstance(stale, int | float) and not isinstance(stale, bool)
    if not is_number or not 0 < stale <= MOST_SECONDS:
        raise InvalidInput(f"{place}: staleAfter must be seconds above 0, at most {MOST_SECONDS:,}")
    check_retention(settings.get("retention"), place)
    properties = _object(settings, "properties", place)
    _check_fields(properties, tuple(interface.contents), f"{place}.properties")
    for name, limits in properties.items():
        if not isinstance(limits, dict):
            raise InvalidInput(f"{place}.properties.{name}: must be a mapping")
        _check_fields(limits, (*LIMITS, "conflict"), f"{place}.properties.{name}")
        if limits.get("conflict", RULES[0]) not in RULES:
            raise InvalidInput(
                f"{place}.properties.{name}: conflict '{limits['conflict']}' is not known",
                hint="one of " + ", ".join(RULES),
            )
        for limit in (value for field, value in limits.items() if field != "conflict"):
            if isinstance(limit, bool) or not isinstance(limit, int | float):
                raise InvalidInput(f"{place}.properties.{name}: limits must be numbers")
        if limits.get("minimum", -math.inf) > limits.get("maximum", math.inf):
            raise InvalidInput(f"{place}.properties.{name}: minimum is above maximum")
    commands = _object(settings, "commands", place)
    if commands:
        signals = platform.catalogue.signals_with(graph, {"settings": {model: settings}})
        check_settings(graph, signals, model, commands, f"{place}.commands")


async def put_binding(platform: Platform, key: str, doc: Json, who: str) -> None:
    """Makes or changes one binding.

    Raises:
        InvalidInput: it is no binding; names the place.
    """
    binding_from_json(doc)
    made = platform.catalogue.plain["binding"]
    following = 1 + max((int(b.get("order", 0)) for b in made.values()), default=-1)
    order = made[key].get("order", 0) if key in made else following
    await platform.put("binding", key, {**doc, "order": order}, who, "binding")


async def put_settings(platform: Platform, model: str, doc: Json, who: str) -> None:
    """Replaces the settings of a model.

    Raises:
        InvalidInput: names the setting and the rule.
    """
    _check_settings(platform, platform.graph, model, doc)
    await platform.put("settings", model, doc, who, "settings")


# ---- export ----------------------------------------------------------------------------------


def export_plant(platform: Platform) -> Json:
    """The whole plant as `read` gives it."""
    plain = platform.catalogue.plain
    return {
        **export_seen(platform),
        "bindings": platform.catalogue.bindings_in_order(),
        "derived": [
            {"id": key, **{k: v for k, v in doc.items() if k != "version"}}
            for key, doc in sorted(plain["derived"].items())
        ],
        **export_alarm_part(platform),
        "services": [
            {"id": key, **{k: v for k, v in doc.items() if k != "version"}}
            for key, doc in sorted(plain["service"].items())
        ],
        "behaviours": platform.behaviours.documents(),
        "scenarios": platform.scenarios.documents(),
        "policies": platform.policies.documents(),
    }


def export_seen(platform: Platform) -> Json:
    """Of a plant what is also for those whom policies narrow: nothing that tells of any twin.

    Raises:
        Conflict: a twin's model was deleted, so that no installation could take it in.
    """
    graph = platform.graph
    _refuse_orphans(graph)
    plain = platform.catalogue.plain
    scene = dict(plain["scene"].get("plant", {}))
    kpis = sorted(plain["kpi"].items(), key=lambda item: item[1].get("order", 0))
    return {
        "name": scene.get("name", ""),
        "models": [record.definition for _, record in sorted(graph.records.items())],
        "settings": dict(sorted(plain["settings"].items())),
        "twins": {key: _twin_entry(graph, key) for key in sorted(graph.twins)},
        "rules": [
            {"id": key, **{k: v for k, v in doc.items() if k not in ("id", "version")}}
            for key, doc in sorted(plain["rule"].items())
        ],
        "kpis": [{k: v for k, v in doc.items() if k != "order"} for _, doc in kpis],
        "scene": scene,
    }


def _refuse_orphans(graph: Graph) -> None:
    orphans = [t for t in graph.twins.values() if graph.find_model(t.model) is None]
    if orphans:
        named = ", ".join(f"'{twin.id}' ({twin.model})" for twin in orphans[:5])
        more = f" and {len(orphans) - 5} more" if orphans[5:] else ""
        raise Conflict(
            f"the plant cannot be written: the models of these twins were deleted: {named}{more}",
            hint="POST the models again, give the twins another one, or delete them",
            code="TwinsWithoutModel",
        )


def _twin_entry(graph: Graph, key: str) -> Json:
    twin = graph.twin(key)
    doc = twin.doc
    entry: Json = {"model": twin.model}
    interface = graph.model(twin.model)
    parts = interface.components()
    values = {k: v for k, v in doc.items() if not k.startswith("$") and k not in parts}
    if "name" in values:
        entry["name"] = values.pop("name")
    if values:
        entry["properties"] = values
    held = {
        part: {k: v for k, v in doc.get(part, {}).items() if k != "$metadata"} for part in parts
    }
    if any(held.values()):
        entry["components"] = {part: value for part, value in held.items() if value}
    links: Json = {}
    for link in sorted(graph.outgoing(key), key=lambda found: found.id):
        target: Json = {"to": link.target}
        if link.id != f"{link.name}-{link.target}":
            target["id"] = link.id
        if properties := {k: v for k, v in link.view().items() if not k.startswith("$")}:
            target["properties"] = properties
        links.setdefault(link.name, []).append(target if len(target) > 1 else link.target)
    clashing = {name: links.pop(name) for name in TWIN_FIELDS if name in links}
    return entry | links | ({"relationships": clashing} if clashing else {})
