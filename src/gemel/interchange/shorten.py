"""DTDL made into the short form, without loss: what the short form cannot say stays as it is.

Every piece is expanded again on the spot and compared; one that does not come back the same is
written as DTDL. So the way back is exact for every document, whatever extension it uses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.interchange.expand import _Expander, expand
from gemel.interchange.short_form import (
    EXTENSION,
    LANGUAGE,
    NEWEST,
    ORIGINAL,
    SECTION_OF,
    unit_text,
)


def shorten(document: Json) -> Json:
    """A DTDL interface in the short form; `expand` gives the same document back.

    A document that is no interface with an id comes back as it is.
    """
    if not isinstance(document.get("@id"), str) or document.get("@type") is None:
        return document
    shortener = _Shortener(document)
    for attempt in (shortener.plain, shortener.with_context):
        short = attempt()
        if _comes_back(expand, short, document):
            return short
    return document


def _comes_back(expand_again: Callable[[Any], Any], short: Any, original: Any) -> bool:
    try:
        return same(expand_again(short), original)
    except (InvalidInput, TypeError, AttributeError):
        return False


def same(one: Any, other: Any) -> bool:
    """Whether two documents are the same JSON: 1 is not 1.0, the order of members is nothing."""
    try:
        return _canonical(one) == _canonical(other)
    except TypeError:
        return False


def _canonical(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


class _Shortener:
    def __init__(self, document: Json) -> None:
        self._document = document
        context = document.get("@context")
        items = [str(one) for one in context] if isinstance(context, list) else [str(context)]
        number = items[0].removeprefix(LANGUAGE) if items else ""
        self._version = int(number) if number in ("2", "3", "4") else NEWEST
        self._extensions = [one.removeprefix(EXTENSION) for one in items[1:]]
        self._expander = _Expander({"model": document["@id"], "dtdl": self._version})

    def plain(self) -> Json:
        """With the context as a version and extensions, of which units bring theirs."""
        extensions = [e for e in self._extensions if not e.startswith("quantitativeTypes")]
        short = self._short({"extensions": extensions} if extensions else {})
        if _comes_back(expand, short, self._document):
            return short
        return self._short({"extensions": self._extensions} if self._extensions else {})

    def with_context(self) -> Json:
        """With the context as it stands."""
        return self._short({"context": self._document.get("@context")})

    def _short(self, head: Json) -> Json:
        document = self._document
        made: Json = {"model": document["@id"], "dtdl": self._version, **head}
        kind = document["@type"]
        if isinstance(kind, list):
            made["types"] = [one for one in kind if one != "Interface"]
        for name, value in document.items():
            if name == "schemas":
                is_list = isinstance(value, list)
                made[name] = [self.schema(one) for one in value] if is_list else self.schema(value)
            elif name not in ("@context", "@id", "@type", "contents"):
                made[ORIGINAL.get(name, name)] = value
        if "contents" in document:
            self._contents(made, document["contents"])
        return made

    def _contents(self, made: Json, contents: Any) -> None:
        if not isinstance(contents, list) or not contents:
            made["contents"] = contents
            return
        names = [one.get("name") if isinstance(one, dict) else None for one in contents]
        grouped: dict[str, Any] = {}
        order: dict[str, list[Any]] = {}
        for name, one in zip(names, contents, strict=True):
            found = self._content(one)
            section = "contents" if found is None else found[0]
            order.setdefault(section, []).append(name)
            if found is None:
                grouped.setdefault(section, []).append(one)
            else:
                grouped.setdefault(section, {})[name] = found[1]
        made.update(grouped)
        if [name for group in order.values() for name in group] != names:
            made["order"] = names

    def _content(self, one: Any) -> tuple[str, Any] | None:
        if not isinstance(one, dict) or not isinstance(one.get("name"), str):
            return None
        types = one.get("@type")
        kinds = types if isinstance(types, list) else [types]
        kind = next((k for k in kinds if isinstance(k, str) and k in SECTION_OF), None)
        if kind is None:
            return None
        typed = self._body(one, [k for k in kinds if k != kind], self._inner(kind, one))
        body = {k: v for k, v in typed.items() if k != "types"}
        for short in (self._words(body, kind), body, typed):
            if self._is_content(kind, one, short):
                return SECTION_OF[kind], short
        return None

    def _is_content(self, kind: str, one: Json, short: Any) -> bool:
        def again(body: Any) -> Json:
            return self._expander.content(kind, one["name"], body, "")

        return _comes_back(again, short, one)

    def _inner(self, kind: str, one: Json) -> Json:
        """Members of a content that hold named things themselves."""
        if kind == "Command":
            return {r: self._payload(r, one[r]) for r in ("request", "response") if r in one}
        if kind != "Relationship":
            return {}
        made: Json = {"to": one["target"]} if "target" in one else {}
        properties = one.get("properties")
        if isinstance(properties, list):
            short = [self._content(p) for p in properties]
            if all(found is not None and found[0] == "properties" for found in short):
                made["properties"] = {
                    p["name"]: found[1] for p, found in zip(properties, short, strict=True) if found
                }
        return made

    def _payload(self, role: str, one: Any) -> Any:
        if not isinstance(one, dict) or not isinstance(one.get("name"), str):
            return one
        return self._named(one, lambda short: self._expander._payload(role, short, ""))

    def _named(self, one: Json, again: Callable[[Json], Any]) -> Json:
        """`{NAME: body}` for something that has a name and may have types; else itself."""
        name, types = one["name"], one.get("@type")
        typed = self._body(one, types[1:] if isinstance(types, list) else [])
        body = {k: v for k, v in typed.items() if k != "types"}
        for short in (self._words(body, ""), body, typed, {**body, "types": []}):
            if _comes_back(again, {name: short}, one):
                return {name: short}
        return one

    def _body(self, one: Json, types: list[Any], inner: Json | None = None) -> Json:
        """The members of a content, with schema and unit as words where they can be."""
        made: Json = {}
        inner = inner or {}
        taken = {"@type", "name", *inner}
        if "to" in inner:
            taken.add("target")
        schema, unit = one.get("schema"), one.get("unit")
        if isinstance(schema, str) and isinstance(unit, str):
            said = unit_text(unit)
            made["schema"] = said if schema == "double" else f"{schema} in {said}"
            taken |= {"schema", "unit"}
        elif "schema" in one:
            made["schema"] = self.schema(schema)
            taken.add("schema")
        for name, value in one.items():
            if name not in taken:
                made[ORIGINAL.get(name, name)] = value
        made.update(inner)
        if types:
            made["types"] = types[0] if len(types) == 1 else types
        return made

    @staticmethod
    def _words(body: Json, kind: str) -> Any:
        """A body as words, where schema, unit and writable are all there is to it."""
        only = {"Relationship": "to", "Component": "schema"}.get(kind)
        if only is not None:
            return body.get(only) if set(body) <= {only} else body
        if not body:
            return None
        schema = body.get("schema")
        if set(body) == {"schema"}:
            return schema
        is_writable = set(body) == {"schema", "writable"} and body["writable"] is True
        return f"writable {schema}" if is_writable and isinstance(schema, str) else body

    # ---- schemas -------------------------------------------------------------------------

    def schema(self, schema: Any) -> Any:
        if not isinstance(schema, dict):
            return schema
        make = {
            "Enum": self._enum,
            "Object": self._object,
            "Array": self._array,
            "Map": self._map,
        }.get(str(schema.get("@type")))
        short = make(schema) if make is not None else None
        if short is None:
            return schema
        return (
            short if _comes_back(lambda s: self._expander.schema(s, ""), short, schema) else schema
        )

    @staticmethod
    def _more(schema: Json, *taken: str) -> Json:
        return {ORIGINAL.get(k, k): v for k, v in schema.items() if k not in ("@type", *taken)}

    def _enum(self, schema: Json) -> Json | None:
        values: Json = {}
        listed = schema.get("enumValues")
        for one in listed if isinstance(listed, list) else ():
            if (
                not isinstance(one, dict)
                or "enumValue" not in one
                or not isinstance(one.get("name"), str)
            ):
                return None
            more = self._more(one, "name", "enumValue")
            if more and one["enumValue"] != one["name"]:
                more = {"value": one["enumValue"], **more}
            values[one["name"]] = more or one["enumValue"]
        is_list = all(name == value for name, value in values.items())
        short: Any = list(values) if is_list and values else values
        return {"enum": short, **self._more(schema, "enumValues", "valueSchema")}

    def _object(self, schema: Json) -> Json | None:
        fields: Json = {}
        listed = schema.get("fields")
        for one in listed if isinstance(listed, list) else ():
            if not isinstance(one, dict) or not isinstance(one.get("name"), str):
                return None
            short = self._named(one, lambda s: self._expander._field(*next(iter(s.items())), ""))
            if short is one:
                return None
            fields.update(short)
        return {"object": fields, **self._more(schema, "fields")}

    def _array(self, schema: Json) -> Json:
        inner = self.schema(schema.get("elementSchema"))
        return {"array": inner, **self._more(schema, "elementSchema")}

    def _map(self, schema: Json) -> Json | None:
        key, value = schema.get("mapKey"), schema.get("mapValue")
        if not isinstance(key, dict) or not isinstance(value, dict):
            return None
        inner = self.schema(value.get("schema"))
        names = (key.get("name"), value.get("name"))
        if not all(isinstance(name, str) for name in names):
            return None
        short = inner if names == ("key", "value") else {names[0]: {names[1]: inner}}
        return {"map": short, **self._more(schema, "mapKey", "mapValue")}
