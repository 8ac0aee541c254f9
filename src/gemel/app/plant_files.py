"""A plant as readable files: plant.yaml, models, a scene; read, written, imported, exported.

docs/formats/plant.md describes the form.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import yaml

from gemel.core.document import Edit, Json
from gemel.core.errors import Conflict, InvalidInput
from gemel.ingest.topics import binding_from_json
from gemel.twins.draft import Draft
from gemel.twins.dtdl.interface import Interface, Property
from gemel.twins.graph import EditContext, Graph
from gemel.twins.models import add_models
from gemel.twins.relationship_edits import put_relationship
from gemel.twins.twin_edits import put_twin

if TYPE_CHECKING:
    from gemel.app.platform import Platform

FIELDS = ("name", "models", "settings", "twins", "bindings", "rules", "kpis", "scene")
TWIN_FIELDS = ("model", "name", "properties", "components")


# ---- files -----------------------------------------------------------------------------------


def demo_plant() -> Json:
    """The plant that `gemel demo` shows."""
    return read(Path(str(files("gemel.simulate"))) / "plants" / "demo" / "plant.yaml")


def read(file: Path) -> Json:
    """Reads plant.yaml and the files it names into one document.

    Raises:
        InvalidInput: a file is missing or not of the form; names file, place and the way out.
    """
    text = _text(file)
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise InvalidInput(f"{file}{line}: not valid YAML: {problem}") from error
    if not isinstance(found, dict):
        raise InvalidInput(f"{file}: must be a mapping", hint="with: " + ", ".join(FIELDS))
    _check_fields(found, FIELDS, str(file))
    models: list[Any] = []
    for entry in found.get("models") or []:
        if isinstance(entry, dict):
            models.append(entry)
            continue
        matches = sorted(file.parent.glob(str(entry)))
        if not matches:
            raise InvalidInput(f"{file}: models: no file matches '{entry}'")
        for match in matches:
            read_in = _json(match)
            models.extend(read_in if isinstance(read_in, list) else [read_in])
    found["models"] = models
    if isinstance(found.get("scene"), str):
        found["scene"] = _json(file.parent / found["scene"])
    return found


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except FileNotFoundError:
        raise InvalidInput(f"there is no file {file}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file}: cannot be read: {error}") from error


def _json(file: Path) -> Any:
    try:
        return orjson.loads(_text(file).lstrip("\ufeff"))
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"{file}, line {error.lineno}: not valid JSON: {error.msg}") from error


def write(plant: Json, folder: Path) -> list[Path]:
    """Writes a plant as files that `read` reads back to the same."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "models").mkdir(exist_ok=True)
    written = []
    for model in plant["models"]:
        name = model["@id"].removeprefix("dtmi:").replace(":", ".").replace(";", "-")
        file = folder / "models" / f"{name}.json"
        file.write_bytes(orjson.dumps(model, option=orjson.OPT_INDENT_2) + b"\n")
        written.append(file)
    rest = {k: v for k, v in plant.items() if k in FIELDS and k not in ("models", "scene") and v}
    body: Json = {"name": plant.get("name", ""), "models": ["models/*.json"] if written else []}
    if plant.get("scene"):
        body["scene"] = "scene.json"
        file = folder / "scene.json"
        file.write_bytes(orjson.dumps(plant["scene"], option=orjson.OPT_INDENT_2) + b"\n")
        written.append(file)
    file = folder / "plant.yaml"
    text = yaml.safe_dump({**body, **rest}, sort_keys=False, allow_unicode=True, width=110)
    file.write_text(text, "utf-8")
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
        edits += _plan_plain(platform, context, plant)
        edits += platform.reactions.plan_rules(draft, context, rules, _mapping(plant, "settings"))
        counts: dict[str, int] = {}
        for edit in edits:
            counts[edit.kind + "s"] = counts.get(edit.kind + "s", 0) + 1
        return edits, counts

    return await platform.edit(plan, who, "import")


def _check_fields(found: Json, known: tuple[str, ...], place: str) -> None:
    for name in found:
        if name not in known:
            raise InvalidInput(
                f"{place}: unknown field '{name}'", hint="known: " + ", ".join(known)
            )


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
        if entry["id"] in result:
            raise InvalidInput(f"plant: {name}: the id '{entry['id']}' stands twice")
        result[entry["id"]] = entry
    return result


def _plan_models(draft: Draft, context: EditContext, models: Any) -> list[Edit]:
    if not isinstance(models, list):
        raise InvalidInput("plant: models must be a list of DTDL interfaces")
    new = []
    for model in models:
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
    interface = draft.model(model)
    values: Json = dict(entry.get("properties") or {})
    name = entry.get("name")
    if name is not None:
        if not isinstance(interface.contents.get("name"), Property):
            raise InvalidInput(
                f"plant: twins.{key}: model '{model}' has no property 'name' to hold '{name}'",
                hint="add it to the model, or leave the name out",
            )
        values.setdefault("name", name)
    components = entry.get("components") or {}
    for part in interface.components():
        values[part] = {"$metadata": {}, **(components.get(part) or {})}
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
        for name, targets in entry.items():
            if name in TWIN_FIELDS:
                continue
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
    if isinstance(target, dict):
        properties = dict(target.get("properties") or {})
        target = target.get("to")
    if not isinstance(target, str):
        raise InvalidInput(f"plant: twins.{source}.{name}: targets must be twin ids")
    body = {"$relationshipName": name, "$targetId": target, **properties}
    relationship = f"{name}-{target}"
    old = draft.find_relationship(source, relationship)
    if old is not None:
        held = {k: v for k, v in old.view().items() if k in body}
        if held == body:
            return []
    made, _ = put_relationship(draft, context, source, relationship, body)
    draft.apply(made)
    return made


def _plan_plain(platform: Platform, context: EditContext, plant: Json) -> list[Edit]:
    wanted: list[tuple[str, str, Json]] = []
    for model, settings in _mapping(plant, "settings").items():
        _check_settings(model, settings)
        wanted.append(("settings", model, settings))
    for key, doc in _by_id(plant, "bindings").items():
        binding_from_json(doc)
        wanted.append(("binding", key, doc))
    for order, (key, doc) in enumerate(_by_id(plant, "kpis").items()):
        for name in ("twin", "property"):
            if not isinstance(doc.get(name), str):
                raise InvalidInput(f"plant: kpis.{key}: needs '{name}'")
        wanted.append(("kpi", key, {"order": order, **doc}))
    scene = plant.get("scene")
    if scene is not None and not isinstance(scene, dict):
        raise InvalidInput("plant: scene must be a mapping", hint="docs/formats/scene.md")
    if scene is not None or plant.get("name"):
        old = platform.catalogue.plain["scene"].get("plant", {})
        scene = dict(scene or old or {"zones": [], "instances": [], "pipes": []})
        if plant.get("name"):
            scene["name"] = plant["name"]
        wanted.append(("scene", "plant", scene))
    plain = platform.catalogue.plain
    return [
        context.edit(kind, key, doc) for kind, key, doc in wanted if plain[kind].get(key) != doc
    ]


SETTINGS = ("staleAfter", "geometry", "scope", "properties")
LIMITS = ("minimum", "maximum")


def _check_settings(model: str, settings: Json) -> None:
    place = f"plant: settings.{model}"
    _check_fields(settings, SETTINGS, place)
    stale = settings.get("staleAfter", 1)
    if isinstance(stale, bool) or not isinstance(stale, int | float) or stale <= 0:
        raise InvalidInput(f"{place}: staleAfter must be a number of seconds above 0")
    for name, limits in (settings.get("properties") or {}).items():
        if not isinstance(limits, dict):
            raise InvalidInput(f"{place}.properties.{name}: must be a mapping")
        _check_fields(limits, LIMITS, f"{place}.properties.{name}")
        for limit in limits.values():
            if isinstance(limit, bool) or not isinstance(limit, int | float):
                raise InvalidInput(f"{place}.properties.{name}: limits must be numbers")


# ---- export ----------------------------------------------------------------------------------


def export_plant(platform: Platform) -> Json:
    """The whole plant as `read` gives it."""
    graph = platform.graph
    plain = platform.catalogue.plain
    scene = dict(plain["scene"].get("plant", {}))
    name = scene.get("name", "")
    kpis = sorted(plain["kpi"].items(), key=lambda item: item[1].get("order", 0))
    return {
        "name": name,
        "models": [record.definition for record in graph.records.values()],
        "settings": dict(plain["settings"]),
        "twins": {key: _twin_entry(graph, key) for key in graph.twins},
        "bindings": list(plain["binding"].values()),
        "rules": [
            {"id": key, **{k: v for k, v in doc.items() if k not in ("id", "version")}}
            for key, doc in plain["rule"].items()
        ],
        "kpis": [{k: v for k, v in doc.items() if k != "order"} for _, doc in kpis],
        "scene": scene,
    }


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
    for link in graph.outgoing(key):
        properties = {k: v for k, v in link.view().items() if not k.startswith("$")}
        target: Any = {"to": link.target, "properties": properties} if properties else link.target
        entry.setdefault(link.name, []).append(target)
    return entry
