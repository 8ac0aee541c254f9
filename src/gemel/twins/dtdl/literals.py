"""Literals: strings, numbers, booleans and texts in several languages, as JSON-LD writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gemel.twins.dtdl.elements import Place, Problems
from gemel.twins.dtdl.metamodel import Facet, limit_in
from gemel.twins.dtdl.schema import DECIMAL, DURATION, shown

LANGUAGE_CODE = re.compile(r"[a-z]{2,4}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?")
XSD = "http://www.w3.org/2001/XMLSchema#"
FORBIDDEN = {"@id": "Id", "@context": "Context", "@graph": "Graph"}
NAMES = {
    "string": "a string",
    "integer": "an integer",
    "boolean": "true or false",
    "decimal": "a decimal number",
    "duration": "an ISO 8601 duration such as 'PT5M'",
    "any": "an integer or a string",
}
JSON_NAMES = {"decimal": "numeric", "any": "literal"}


class Literals:
    """Reads literal values, noting what is wrong with them; None when there is no usable value."""

    __slots__ = ("limits", "problems", "strict")

    def __init__(self, problems: Problems, limits: str, strict: bool) -> None:
        self.problems = problems
        self.limits = limits
        self.strict = strict

    def read(self, facet: Facet, value: object, place: Place) -> Any:
        if facet.kind == "langString":
            return self.read_texts(facet, value, place)
        family = JSON_NAMES.get(facet.kind, facet.kind)
        value = sole(value)
        if isinstance(value, list):
            if len(value) > 1:
                self.problems.add(
                    f"{family}MultipleValues",
                    place,
                    f"'{facet.name}' has {len(value)} values but may have one",
                    "Keep one of them",
                )
                return None
            if not value:
                if facet.minimum:
                    self.problems.add(
                        f"{family}CountBelowMin", place, f"'{facet.name}' is empty", "Give a value"
                    )
                return None
        if isinstance(value, dict):
            known, value = self.unwrap(facet, family, value, place)
            if not known:
                return None
            return self.check(facet, family, value, place, "Value")
        return self.check(facet, family, value, place)

    def unwrap(
        self, facet: Facet, family: str, value: dict[str, Any], place: Place
    ) -> tuple[bool, Any]:
        """The value inside {"@value": ..., "@type": ...}."""
        count = len(self.problems.found)
        for key in value:
            if key in FORBIDDEN:
                code = f"valueObject{FORBIDDEN[key]}"
            elif not key.startswith("@"):
                code = "valueObjectInvalidProp"
            elif self.strict and key == "@language":
                code = "valueObjectLanguage"
            elif self.strict and key not in ("@value", "@type"):
                code = "valueObjectKeyword"
            else:
                continue
            self.problems.add(
                code, place, f"a value object has no '{key}'", 'Write {"@value": ...} or the value'
            )
        if "@value" not in value:
            self.problems.add(
                f"{family}ObjectNoValue",
                place,
                f"'{facet.name}' must be {NAMES.get(facet.kind, 'a literal')}",
                "Give it '@value', or write the value itself",
            )
            if facet.kind == "any":
                rule = f"'{facet.name}' is {shown(value)}"
                self.problems.add("literalNotValid", place, rule, "Write an integer or a string")
        kind = value.get("@type", "")
        kind = kind[0] if isinstance(kind, list) and len(kind) == 1 else kind
        wanted = (f"xsd:{facet.kind}", XSD + facet.kind)
        if facet.kind != "any" and "@type" in value and kind not in wanted:
            code = f"{family}TypeNot{family[0].upper()}{family[1:]}"
            self.problems.add(
                code if isinstance(kind, str) else "literalTypeNotSingular",
                place,
                f"the @type of '{facet.name}' is {shown(kind)}",
                f"Write 'xsd:{facet.kind}' or leave it out",
            )
        if facet.kind == "any" and "@type" in value:
            self.check_typed(facet, kind, value.get("@value"), place)
        return count == len(self.problems.found), value.get("@value")

    def check_typed(self, facet: Facet, kind: object, value: object, place: Place) -> None:
        """Where any literal may stand, its @type says which it must be."""
        rule = f"'{facet.name}' is {shown(value)} of the @type {shown(kind)}"
        name = str(kind).removeprefix(XSD).removeprefix("xsd:")
        if name in ("string", "integer", "boolean") and _has_form(name, value):
            return
        if not isinstance(kind, str):
            self.problems.add("literalTypeNotSingular", place, rule, "Write 'xsd:string'")
        elif name in ("string", "integer", "boolean"):
            code = f"{name}ValueNot{name[0].upper()}{name[1:]}"
            self.problems.add(code, place, rule, f"Write {NAMES[name]}")
        self.problems.add("literalNotValid", place, rule, "Write an integer or a string")

    def check(
        self, facet: Facet, family: str, value: object, place: Place, within: str = ""
    ) -> Any:
        if facet.kind == "integer" and isinstance(value, float) and value.is_integer():
            value = int(value)
        if not _has_form(facet.kind, value):
            code = f"{family}{within}Not{family[0].upper()}{family[1:]}"
            if facet.kind == "duration":
                code = "durationInvalid" if isinstance(value, str) else "durationNotString"
            elif facet.kind == "any":
                code = "literalNotValid"
            self.problems.add(
                code,
                place,
                f"'{facet.name}' is {shown(value)}",
                f"It must be {NAMES.get(facet.kind, 'a literal')}",
            )
            return None
        if isinstance(value, str):
            self.check_text(facet, value, place)
        elif isinstance(value, int) and not isinstance(value, bool):
            self.check_number(facet, value, place)
        return value

    def check_text(self, facet: Facet, value: str, place: Place) -> None:
        most = limit_in(facet.length, self.limits)
        if most is not None and (length := length_of(value)) > most:
            self.problems.add(
                "stringTooLong",
                place,
                f"'{facet.name}' has {length} characters",
                f"At most {most} are allowed",
            )
        elif facet.pattern is not None and not facet.pattern.match(value):
            self.problems.add(
                "stringInvalid", place, f"'{facet.name}' is {shown(value)}", f"It {said(facet)}"
            )

    def check_number(self, facet: Facet, value: int, place: Place) -> None:
        rule = f"'{facet.name}' is {value}"
        if facet.exactly or (facet.least is not None and facet.least == facet.most):
            only = facet.exactly[0] if facet.exactly else facet.least
            if value != only:
                way_out = f"It must be {only}, or be left out"
                self.problems.add("valueNotExact", place, rule, way_out)
            return
        is_range = facet.least is not None and facet.most is not None
        if facet.least is not None and value < facet.least:
            code = "valueBelowRange" if is_range else "valueBelowMin"
            self.problems.add(code, place, rule, f"It must be at least {facet.least}")
        if facet.most is not None and value > facet.most:
            code = "valueAboveRange" if is_range else "valueAboveMax"
            self.problems.add(code, place, rule, f"It must be at most {facet.most}")

    def read_texts(self, facet: Facet, value: object, place: Place) -> dict[str, str]:
        texts: dict[str, str] = {}
        if isinstance(value, str):
            self.put_text(facet, texts, "en", value, place)
        elif isinstance(value, dict):
            self.read_text_map(facet, texts, value, place)
        elif isinstance(value, list):
            for index, item in enumerate(flat(value)):
                here = place.at("", index)
                if isinstance(item, str):
                    self.put_text(facet, texts, "en", item, here, "langStringElement")
                elif isinstance(item, dict):
                    self.read_text_object(facet, texts, item, here)
                else:
                    self.problems.add(
                        "langStringElementNotStringOrObject",
                        here,
                        f"{shown(item)} is no text",
                        'Write a string, or {"@value": text, "@language": code}',
                    )
        else:
            self.problems.add(
                "langStringElementNotStringOrObject",
                place,
                f"'{facet.name}' is {shown(value)}",
                'It must be a string, or an object of texts by language such as {"en": "Pump"}',
            )
        return texts

    def read_text_map(
        self, facet: Facet, texts: dict[str, str], value: dict[str, Any], place: Place
    ) -> None:
        is_tagged = value.keys() == {"@value", "@language"}
        for code, text in value.items():
            if code.startswith("@"):
                problem = "langTagValueInLangMap" if is_tagged else "langMapObjKeyword"
                rule = f"'{code}' stands among the texts of '{facet.name}'"
                way_out = 'Write {"en": text}, or put the object into an array'
                self.problems.add(problem, place, rule, way_out)
            else:
                self.put_text(facet, texts, code, text, place)

    def read_text_object(
        self, facet: Facet, texts: dict[str, str], item: dict[str, Any], place: Place
    ) -> None:
        count = len(self.problems.found)
        for key in item:
            if key in FORBIDDEN:
                code = f"langStringElement{FORBIDDEN[key]}"
            elif not key.startswith("@"):
                code = "langStringElementInvalidProp"
            elif self.strict and key == "@type":
                code = "langStringElementType"
            elif self.strict and key not in ("@value", "@language"):
                code = "langStringElementKeyword"
            else:
                continue
            rule = f"a text object has no '{key}'"
            self.problems.add(code, place, rule, "Keep only @value and @language")
        if "@value" not in item:
            rule = f"'{facet.name}' has a text object without @value"
            self.problems.add("langStringElementNoValue", place, rule, "Give it @value")
        if count == len(self.problems.found):
            code = item.get("@language", "en")
            self.put_text(facet, texts, code, item["@value"], place, "langStringElement")

    def put_text(
        self,
        facet: Facet,
        texts: dict[str, str],
        code: object,
        text: object,
        place: Place,
        family: str = "langString",
    ) -> None:
        if not isinstance(code, str) or not LANGUAGE_CODE.fullmatch(code):
            self.problems.add(
                f"{family}InvalidCode",
                place,
                f"'{facet.name}' has the language {shown(code)}",
                "Use a language code such as 'en' or 'en-US'",
            )
            code = ""
        if not isinstance(text, str):
            rule = f"'{facet.name}' in '{code}' is {shown(text)}"
            self.problems.add(f"{family}ValueNotString", place, rule, "It must be a string")
            return
        if code in texts:
            rule = f"'{facet.name}' has more than one text in '{code}'"
            self.problems.add(f"{family}CodeNotUnique", place, rule, "Keep one of them")
        most = limit_in(facet.length, self.limits)
        if most is not None and (length := length_of(text)) > most:
            self.problems.add(
                "langStringValueTooLong",
                place,
                f"'{facet.name}' in '{code}' has {length} characters",
                f"At most {most} are allowed",
            )
        texts[code] = text


def length_of(text: str) -> int:
    """Characters as DTDL counts them, in UTF-16: what lies beyond its first plane counts twice."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def sole(value: object) -> object:
    """What an array stands for where one value may be given: its only item, else its items."""
    if not isinstance(value, list):
        return value
    items = list(flat(value))
    return items[0] if len(items) == 1 else items


def flat(items: list[object]) -> Iterator[object]:
    """The items of an array; arrays inside it stand for their own items, as in JSON-LD."""
    stack = [iter(items)]
    while stack:
        for item in stack[-1]:
            if isinstance(item, list):
                stack.append(iter(item))
                break
            yield item
        else:
            stack.pop()


def said(facet: Facet) -> str:
    """The pattern of a facet in words that follow "It"."""
    shape = facet.shape or f"must match {facet.pattern.pattern if facet.pattern else ''}"
    return shape if shape.startswith("must") else f"must be of this form: {shape}"


def _has_form(kind: str, value: object) -> bool:
    if kind == "any":
        return isinstance(value, bool | int | float | str)
    if kind == "boolean":
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    if kind == "integer":
        return isinstance(value, int) and -(2**31) <= value < 2**31
    if kind == "decimal":
        return isinstance(value, int | float) or (
            isinstance(value, str) and bool(DECIMAL.fullmatch(value))
        )
    if kind == "duration":
        return isinstance(value, str) and bool(DURATION.fullmatch(value))
    return isinstance(value, str)
