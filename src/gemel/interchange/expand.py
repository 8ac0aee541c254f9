"""The short form of a model made into DTDL."""

from __future__ import annotations

from typing import Any

from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.core.units import find
from gemel.interchange.short_form import (
    EXTENSION,
    INTERFACE,
    LANGUAGE,
    NEWEST,
    PRIMITIVES,
    QUANTITATIVE,
    RENAMED,
    SECTIONS,
    quantity_of,
)

FORM = "docs/formats/models.md"
SHAPES = ("enum", "object", "array", "map")


def is_short(document: object) -> bool:
    """Whether a document is a model in the short form rather than DTDL."""
    return isinstance(document, dict) and "model" in document and "@id" not in document


def expand(document: Json) -> Json:
    """A model in the short form as DTDL.

    Raises:
        InvalidInput: it is not of the form; names the place.
    """
    return _Expander(document).interface()


class _Expander:
    """One model; remembers whether a unit was met, since units need an extension."""

    def __init__(self, document: Json) -> None:
        self._document = document
        self._name = str(document.get("model"))
        self._version = document.get("dtdl", NEWEST)
        self._has_units = False

    def interface(self) -> Json:
        document = self._document
        if not isinstance(document.get("model"), str):
            raise InvalidInput("model: must be a DTMI", hint="like dtmi:example:Pump;1")
        if self._version not in (2, 3, 4) or isinstance(self._version, bool):
            raise self._wrong("dtdl", f"'{self._version}' is no version", "2, 3 or 4")
        is_open = "extensions" in document or "context" in document
        for name in document:
            if name not in INTERFACE and not is_open:
                raise self._wrong(name, "not known", "known: " + ", ".join(INTERFACE))
        made: Json = {}
        contents: list[Any] = []
        for name, value in document.items():
            if name in SECTIONS:
                contents += self._section(name, value)
            elif name == "contents" and isinstance(value, list):
                contents += value
            elif name == "schemas":
                made[name] = self._schemas(value)
            elif name not in ("model", "dtdl", "extensions", "context", "types", "order"):
                made[RENAMED.get(name, name)] = value
        if contents or document.get("contents") == []:
            made["contents"] = self._ordered(contents)
        kind = ["Interface", *self._list("types", document["types"])] if "types" in document else ""
        head = {"@context": self._context(), "@id": document["model"], "@type": kind or "Interface"}
        return {**head, **made}

    def _schemas(self, value: Any) -> Any:
        if not isinstance(value, list):
            return self.schema(value, "schemas")
        return [self.schema(one, f"schemas[{number}]") for number, one in enumerate(value)]

    def _context(self) -> Any:
        if "context" in self._document:
            return self._document["context"]
        language = f"{LANGUAGE}{self._version}"
        more = [str(one) for one in self._list("extensions", self._document.get("extensions", []))]
        units = QUANTITATIVE.get(self._version)
        is_named = any(one.startswith("quantitativeTypes") for one in more)
        if self._has_units and units and not is_named:
            more.insert(0, units)
        named = [one if one.startswith("dtmi:") else EXTENSION + one for one in more]
        return [language, *named] if named else language

    def _ordered(self, contents: list[Any]) -> list[Any]:
        if "order" not in self._document:
            return contents
        order = self._list("order", self._document["order"])
        by_name = {one.get("name"): one for one in contents if isinstance(one, dict)}
        if sorted(map(str, order)) != sorted(map(str, by_name)) or len(by_name) != len(contents):
            raise self._wrong("order", "does not name every content once", "or leave it out")
        return [by_name[name] for name in order]

    # ---- contents ------------------------------------------------------------------------

    def _section(self, section: str, value: Any) -> list[Json]:
        if not isinstance(value, dict):
            raise self._wrong(section, "must be a mapping of names", FORM)
        return [
            self.content(SECTIONS[section], name, body, f"{section}.{name}")
            for name, body in value.items()
        ]

    def content(self, kind: str, name: str, body: Any, place: str) -> Json:
        if kind == "Relationship" and not isinstance(body, dict):
            body = {} if body is None else {"to": body}
        elif kind in ("Command", "Component") and not isinstance(body, dict):
            body = {} if body is None else {"schema": body}
        made = self._body(body, place)
        if kind == "Relationship":
            self._relationship(made, place)
        elif kind == "Command":
            for role in ("request", "response"):
                if role in made:
                    made[role] = self._payload(role, made[role], f"{place}.{role}")
        types = made.pop("types", None)
        return {"@type": self._types(kind, types, made), "name": name, **made}

    def _relationship(self, made: Json, place: str) -> None:
        if "to" in made:
            made["target"] = made.pop("to")
        properties = made.get("properties")
        if isinstance(properties, dict):
            made["properties"] = [
                self.content("Property", name, body, f"{place}.properties.{name}")
                for name, body in properties.items()
            ]

    def _payload(self, role: str, value: Any, place: str) -> Any:
        if not isinstance(value, dict) or len(value) != 1:
            return value
        ((name, body),) = value.items()
        made = self._body(body, place)
        types = made.pop("types", None)
        head: Json = {"name": name}
        if types is not None or "unit" in made:
            kind = "CommandPayload" if self._version == 2 else f"Command{role.capitalize()}"
            head["@type"] = self._types(kind, types, made)
        return {**head, **made}

    def _types(self, kind: str, types: Any, made: Json) -> Any:
        if types is None:
            quantity = quantity_of(made["unit"]) if isinstance(made.get("unit"), str) else ""
            return [kind, quantity] if quantity else kind
        types = [types] if isinstance(types, str) else self._list("types", types)
        return [kind, *types] if types else kind

    def _body(self, body: Any, place: str) -> Json:
        """What stands after a name: words for schema and unit, or a mapping with more."""
        if isinstance(body, str) or (isinstance(body, dict) and self._is_shape(body)):
            body = {"schema": body}
        if body is None:
            return {}
        if not isinstance(body, dict):
            raise self._wrong(place, f"{body!r} is neither words nor a mapping", FORM)
        made: Json = {}
        members: Json = body
        for name, value in members.items():
            if name == "schema":
                made.update(self._said(value, place))
            else:
                made[RENAMED.get(name, name)] = value
        if "unit" in made:
            self._has_units = True
        return made

    @staticmethod
    def _is_shape(body: Json) -> bool:
        return sum(name in body for name in SHAPES) == 1 and "schema" not in body

    # ---- schemas -------------------------------------------------------------------------

    def _said(self, value: Any, place: str) -> Json:
        """`[writable] SCHEMA [in UNIT]`, `[writable] UNIT` (of a double), or a schema."""
        if not isinstance(value, str):
            return {"schema": self.schema(value, place)}
        made: Json = {}
        text = value.strip()
        if text.startswith("writable "):
            made["writable"] = True
            text = text.removeprefix("writable ").strip()
        schema, found, unit = text.partition(" in ")
        if not found and schema not in PRIMITIVES and not schema.startswith("dtmi:"):
            schema, unit = "double", text
        made["schema"] = schema.strip()
        if unit:
            made["unit"] = self._unit(unit.strip(), place)
        return made

    def _unit(self, text: str, place: str) -> str:
        self._has_units = True
        try:
            return find(text).name
        except InvalidInput as error:
            raise self._wrong(place, error.message, error.hint) from error

    def schema(self, value: Any, place: str) -> Any:
        if not isinstance(value, dict) or not self._is_shape(value) or "@type" in value:
            return value
        shape = next(name for name in SHAPES if name in value)
        inner = value[shape]
        made = getattr(self, f"_{shape}")(inner, f"{place}.{shape}")
        more = {RENAMED.get(name, name): one for name, one in value.items() if name != shape}
        return {"@type": shape.capitalize(), **made, **more}

    def _enum(self, inner: Any, place: str) -> Json:
        if isinstance(inner, list):
            inner = {str(name): str(name) for name in inner}
        values = []
        for name, one in self._named(inner, place).items():
            said = {"value": name, **one} if isinstance(one, dict) else {"value": one}
            more = {RENAMED.get(k, k): v for k, v in said.items() if k != "value"}
            values.append({"name": name, "enumValue": said["value"], **more})
        is_whole = all(type(one["enumValue"]) is int for one in values)
        return {"valueSchema": "integer" if is_whole else "string", "enumValues": values}

    def _object(self, inner: Any, place: str) -> Json:
        fields = self._named(inner, place).items()
        return {"fields": [self._field(name, one, f"{place}.{name}") for name, one in fields]}

    def _field(self, name: str, body: Any, place: str) -> Json:
        made = self._body(body, place)
        types = made.pop("types", None)
        head: Json = {"name": name}
        if types is not None or "unit" in made:
            head["@type"] = self._types("Field", types, made)
        return {**head, **made}

    def _array(self, inner: Any, place: str) -> Json:
        return {"elementSchema": self.schema(inner, place)}

    def _map(self, inner: Any, place: str) -> Json:
        """A schema, for keys and values without names, or `{KEY: {VALUE: schema}}`."""
        key: Any = "key"
        value: Any = "value"
        if isinstance(inner, dict) and len(inner) == 1 and not self._is_shape(inner):
            key, inner = next(iter(inner.items()))
            if not isinstance(inner, dict) or len(inner) != 1:
                raise self._wrong(place, "is no map", "like {map: {room: {temperature: double}}}")
            value, inner = next(iter(inner.items()))
        held = self.schema(inner, place)
        return {
            "mapKey": {"name": key, "schema": "string"},
            "mapValue": {"name": value, "schema": held},
        }

    # ---- what is wrong -------------------------------------------------------------------

    def _named(self, value: Any, place: str) -> Json:
        if not isinstance(value, dict):
            raise self._wrong(place, "must be a mapping of names", FORM)
        return value

    def _list(self, place: str, value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self._wrong(place, "must be a list", FORM)
        return value

    def _wrong(self, place: str, what: str, hint: str) -> InvalidInput:
        return InvalidInput(f"model {self._name}: {place}: {what}", hint=hint)
