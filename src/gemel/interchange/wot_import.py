"""Thing Descriptions and Thing Models as models, twins and relationships."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import orjson

from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.core.units import find
from gemel.interchange.building import Plant, free, twin_name
from gemel.interchange.losses import Losses
from gemel.interchange.short_form import quantity_of
from gemel.interchange.wot_export import DTDL, THING
from gemel.interchange.wot_schema import schema_of
from gemel.twins.dtdl.infer import name_for

BINDINGS = {
    "forms": "how to reach a thing is no part of its model: connect its device, or a bridge to it",
    "security": "credentials are no part of a model",
    "uriVariables": "variables of addresses have no place in DTDL",
    "subscription": "what a subscription takes has no place in DTDL",
    "cancellation": "what a cancellation takes has no place in DTDL",
    "version": "the version of a description has no place in DTDL",
    "support": "where support is found has no place in DTDL",
    "created": "when a description was made has no place in DTDL",
    "modified": "when a description was changed has no place in DTDL",
}


def read_things(content: bytes, losses: Losses) -> Json:
    """A plant from a description or model, or from a list of them.

    Raises:
        InvalidInput: it is none.
        ModelInvalid: a model that it carries breaks DTDL.
    """
    try:
        found = orjson.loads(content.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"this is not valid JSON: {error}") from error
    things = found if isinstance(found, list) else [found]
    if not all(isinstance(one, dict) and isinstance(one.get("title"), str) for one in things):
        raise InvalidInput(
            "this is no Thing Description", hint="it must be a JSON object with a title"
        )
    try:
        return _Reader(things, losses).plant()
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(f"this is no Thing Description of 1.1: {error!r}") from error


def _is_model(thing: Json) -> bool:
    types = thing.get("@type", ())
    return "tm:ThingModel" in (types if isinstance(types, list) else [types])


class _Reader:
    def __init__(self, things: list[Json], losses: Losses) -> None:
        self._things = things
        self._losses = losses
        self._plant = Plant("wot", losses)
        self._twins: dict[str, str] = {}
        """The end of an address, or the id of a thing, to its twin."""

    def plant(self) -> Json:
        for thing in self._things:
            if _is_model(thing) and DTDL in thing:
                self._plant.take_model(thing[DTDL])
        named: list[tuple[str, Json]] = []
        for thing in self._things:
            if not _is_model(thing):
                name = self._name(thing)
                self._twins[name] = self._twins[str(thing.get("id", name))] = name
                named.append((name, thing))
            elif DTDL not in thing:
                self._model(thing)
        for name, thing in named:
            self._twin(name, thing)
        return self._plant.document()

    def _name(self, thing: Json) -> str:
        key = str(thing.get("id", ""))
        if key.startswith(THING):
            return unquote(key.removeprefix(THING))
        return free(twin_name(thing["title"]), set(self._twins.values()))

    def _twin(self, name: str, thing: Json) -> None:
        place = f"thing {name}"
        links: dict[str, list[Json]] = {}
        for link in thing.get("links", ()):
            self._link(link, links, place)
        types = thing.get("@type", [])
        types = types if isinstance(types, list) else [types]
        known = [one for one in types if one in self._plant.models]
        key = known[0] if known else self._model(thing, sorted(links))
        entry: Json = {"model": key, "relationships": links}
        if not known:
            entry["properties"] = {"title": thing["title"]}
            if "id" in thing:
                entry["properties"]["thingId"] = thing["id"]
        self._plant.twins[name] = entry

    def _link(self, link: Json, links: dict[str, list[Json]], place: str) -> None:
        end = unquote(str(link.get("href", "")).rstrip("/").rpartition("/")[2])
        target = self._twins.get(str(link.get("href"))) or self._twins.get(end)
        rel = str(link.get("rel", "related"))
        if target is None:
            self._losses.dropped(f"{place}.links", f"'{rel}' leads to nothing in the document")
            return
        held: Json = {"to": target}
        if "gemel:id" in link:
            held["id"] = link["gemel:id"]
        links.setdefault(name_for(rel, "related"), []).append(held)

    # ---- models --------------------------------------------------------------------------

    def _model(self, thing: Json, relations: list[str] | None = None) -> str:
        title = thing["title"]
        place = f"thing {title}"
        self._report(thing, place)
        contents: dict[str, Json] = {}
        if relations is not None:
            for own in ("title", "thingId"):
                contents[own] = {"@type": "Property", "name": own, "schema": "string"}
        for group, make in (
            ("properties", self._property),
            ("actions", self._action),
            ("events", self._event),
        ):
            for name, one in (thing.get(group) or {}).items():
                short = free(name_for(name, "value"), contents)
                if short != name:
                    self._losses.changed(f"{place}.{name}", f"the name is '{short}' here")
                self._report(one, f"{place}.{name}")
                made = make(short, one, f"{place}.{name}")
                contents[short] = made | self._about(one, f"{place}.{name}")
        for name in relations or ():
            short = free(name, contents)
            contents[short] = {"@type": "Relationship", "name": short}
        return self._plant.make_model(title, list(contents.values()), **self._about(thing, place))

    def _about(self, found: Json, place: str) -> Json:
        made: Json = {}
        for ours, theirs in (("displayName", "title"), ("description", "description")):
            several = found.get(f"{theirs}s")
            if isinstance(several, dict):
                listed = [{"language": k, "text": v} for k, v in several.items()]
                said: Any = self._plant.texts(listed, f"{place}.{theirs}s")
            else:
                said = self._plant.text(str(found.get(theirs) or ""), f"{place}.{theirs}")
            if said:
                made[ours] = said
        return made

    def _report(self, found: Json, place: str) -> None:
        for name, reason in BINDINGS.items():
            if name in found:
                self._losses.dropped(f"{place}.{name}", reason)

    def _property(self, name: str, one: Json, place: str) -> Json:
        schema = schema_of(one, self._losses, place)
        is_telemetry = one.get("readOnly") is True and one.get("observable") is True
        kind = one.get("gemel:kind", "Telemetry" if is_telemetry else "Property")
        made: Json = {"@type": kind, "name": name, "schema": schema}
        if kind == "Property" and not one.get("readOnly"):
            made["writable"] = True
        if one.get("writeOnly"):
            self._losses.dropped(f"{place}.writeOnly", "every property can be read")
        return made | self._unit(kind, one, place)

    def _unit(self, kind: str, one: Json, place: str) -> Json:
        text = one.get("unit")
        if not text:
            return {}
        try:
            unit = find(str(text)).name
        except InvalidInput:
            self._losses.dropped(f"{place}.unit", f"'{str(text)[:40]}' is no unit that DTDL knows")
            return {}
        types = one.get("@type", [])
        types = types if isinstance(types, list) else [types]
        named = [t.removeprefix("gemel:") for t in types if t.startswith("gemel:")]
        quantity = named[0] if named else quantity_of(unit)
        if not quantity or one.get("type") not in ("number", "integer"):
            self._losses.dropped(f"{place}.unit", f"'{text}' needs a number of one quantity")
            return {}
        return {"@type": [kind, quantity], "unit": unit}

    def _action(self, name: str, one: Json, place: str) -> Json:
        made: Json = {"@type": "Command", "name": name}
        for role, field in (("request", "input"), ("response", "output")):
            held = one.get(field)
            if isinstance(held, dict) and held:
                label = name_for(str(held.get("title", field)), field)
                schema = schema_of(held, self._losses, f"{place}.{field}")
                made[role] = {"name": label, "schema": schema}
        return made

    def _event(self, name: str, one: Json, place: str) -> Json:
        data = one.get("data")
        if not isinstance(data, dict) or not data:
            self._losses.approximated(place, "an event without data is a telemetry of texts")
            return {"@type": "Telemetry", "name": name, "schema": "string"}
        schema = schema_of(data, self._losses, f"{place}.data")
        return {"@type": "Telemetry", "name": name, "schema": schema}
