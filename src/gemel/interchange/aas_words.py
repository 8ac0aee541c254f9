"""The Asset Administration Shell's words: ids, references, value types, texts by language.

Source: IDTA-01001-3-0 (metamodel) and IDTA-01003-a-3-0 (IEC 61360 data specification).
"""

from __future__ import annotations

import math
import re
from typing import Any
from urllib.parse import quote, unquote

from gemel.core.document import Json
from gemel.interchange.losses import Losses

SHELL = "urn:gemel:shell:"
ASSET = "urn:gemel:asset:"
SUBMODEL = "urn:gemel:submodel:"
IEC61360 = "https://admin-shell.io/DataSpecificationTemplates/DataSpecificationIec61360/3"
DTDL = "DTDL"
"""Name of the extension that holds a model as it was uploaded, so that it comes back whole."""
KIND, TIME, QUALITY, NAME = "gemel:kind", "gemel:time", "gemel:quality", "gemel:name"
"""Types of qualifiers: the class in DTDL, when and how surely a value is true, its own name."""
MOST_NAME, MOST_TEXT = 128, 1023

XSD = {
    "boolean": "xs:boolean",
    "double": "xs:double",
    "float": "xs:float",
    "decimal": "xs:decimal",
    "scaledDecimal": "xs:string",
    "byte": "xs:byte",
    "short": "xs:short",
    "integer": "xs:int",
    "long": "xs:long",
    "unsignedByte": "xs:unsignedByte",
    "unsignedShort": "xs:unsignedShort",
    "unsignedInteger": "xs:unsignedInt",
    "unsignedLong": "xs:unsignedLong",
    "string": "xs:string",
    "uuid": "xs:string",
    "bytes": "xs:base64Binary",
    "date": "xs:date",
    "dateTime": "xs:dateTime",
    "time": "xs:time",
    "duration": "xs:duration",
}
"""DTDL schema to value type."""
SCHEMA = {
    **{xsd: kind for kind, xsd in XSD.items() if kind not in ("uuid", "scaledDecimal")},
    "xs:integer": "long",
    "xs:nonNegativeInteger": "unsignedLong",
    "xs:positiveInteger": "unsignedLong",
    "xs:negativeInteger": "long",
    "xs:nonPositiveInteger": "long",
    "xs:anyURI": "string",
    "xs:hexBinary": "string",
    "xs:gYear": "string",
    "xs:gMonth": "string",
    "xs:gDay": "string",
    "xs:gYearMonth": "string",
    "xs:gMonthDay": "string",
}
"""Value type to DTDL schema."""
FORMS = {
    "xs:dateTime": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?"),
    "xs:date": re.compile(r"\d{4}-\d\d-\d\d"),
    "xs:time": re.compile(r"\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?"),
    "xs:duration": re.compile(
        r"-?P(?=.)(\d+Y)?(\d+M)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?"
    ),
    "xs:decimal": re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)"),
}
ID_SHORT = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z", re.ASCII)


def shell_id(twin: str) -> str:
    return SHELL + quote(twin, safe="")


def submodel_id(twin: str, component: str) -> str:
    tail = f"/{quote(component, safe='')}" if component else ""
    return SUBMODEL + quote(twin, safe="") + tail


def twin_of(identifier: str) -> tuple[str, str] | None:
    """(twin, component) of an id of a submodel or shell that was made here."""
    for head in (SUBMODEL, SHELL):
        if identifier.startswith(head):
            twin, _, component = identifier.removeprefix(head).partition("/")
            return unquote(twin), unquote(component)
    return None


def id_short(text: str) -> str:
    """A name that an idShort may be: letters, digits and _, beginning with a letter."""
    if ID_SHORT.match(text):
        return text[:MOST_NAME]
    name = re.sub(r"[^A-Za-z0-9_]", "_", text)
    return (name if name[:1].isalpha() and name[:1].isascii() else f"x{name}")[:MOST_NAME]


def external(value: str) -> Json:
    """A reference to something that is no part of an environment, such as a DTMI."""
    return {"type": "ExternalReference", "keys": [{"type": "GlobalReference", "value": value}]}


def internal(*keys: tuple[str, str]) -> Json:
    """A reference to a part of an environment: (type, id or idShort) on the way to it."""
    return {"type": "ModelReference", "keys": [{"type": kind, "value": v} for kind, v in keys]}


def qualifier(kind: str, value: str, value_type: str = "xs:string") -> Json:
    return {"kind": "ValueQualifier", "type": kind, "valueType": value_type, "value": value}


def texts(found: dict[str, str], most: int, losses: Losses, place: str) -> list[Json]:
    """Texts by language; what is empty cannot be written, what is too long is cut."""
    made = []
    for language, text in found.items():
        if len(text) > most:
            losses.approximated(place, f"texts may have {most} characters: it was cut")
        if text:
            made.append({"language": language or "en", "text": text[:most]})
    return made


def literal(value: Any, value_type: str) -> tuple[str, str] | None:
    """(text, value type) of a value; the type is xs:string where the value is not of the form.

    None where it can be no literal: null, NaN.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        text = "true" if value else "false"
        return text, "xs:boolean" if value_type == "xs:boolean" else "xs:string"
    text = value if isinstance(value, str) else repr(value)
    if isinstance(value, float) and value.is_integer() and value_type not in REALS:
        text = str(int(value))
    form = FORMS.get(value_type)
    return text, value_type if form is None or form.fullmatch(text) else "xs:string"


REALS = frozenset({"xs:double", "xs:float"})
WHOLE = frozenset(
    {
        *("xs:byte", "xs:short", "xs:int", "xs:long", "xs:integer", "xs:unsignedByte"),
        *("xs:unsignedShort", "xs:unsignedInt", "xs:unsignedLong", "xs:nonNegativeInteger"),
        *("xs:positiveInteger", "xs:negativeInteger", "xs:nonPositiveInteger"),
    }
)


def value_of(text: str, value_type: str) -> Any:
    """What a literal means.

    Raises:
        ValueError: it is not of its type.
    """
    if value_type == "xs:boolean":
        if text not in ("true", "false", "1", "0"):
            raise ValueError(f"'{text}' is no boolean")
        return text in ("true", "1")
    if value_type in WHOLE:
        return int(text)
    if value_type in REALS:
        number = float(text)
        if not math.isfinite(number):
            raise ValueError(f"{text} is not finite")
        return number
    return text
