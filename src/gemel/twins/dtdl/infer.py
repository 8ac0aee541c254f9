"""Infers a model from what an unknown device sent, so that it can be adopted with one click."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from gemel.core.document import Json

WORDS = re.compile(r"[^A-Za-z0-9_]+", re.ASCII)
LONGEST_NAME = 512
LONGEST_LABEL = 64
LONGEST_ID = 128
LONG = 2**31
FULL_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
DEEPEST = 5
"""Levels of objects in a schema, by the limits of DTDL 3."""


def name_for(text: str, fallback: str = "value") -> str:
    """A name that DTDL accepts: letters, digits and _, beginning with a letter."""
    name = WORDS.sub("_", text.strip()).strip("_")
    if not name:
        return fallback
    if not name[0].isalpha():
        name = f"{fallback}_{name}"
    return name[:LONGEST_NAME].rstrip("_")


def dtmi_for(name: str) -> str:
    """An id for the model of a device of this name, such as `dtmi:discovered:Pump_1;1`."""
    label = re.sub(r"_+", "_", name_for(name, "device"))
    room = LONGEST_ID - len("dtmi:discovered:;1")
    return f"dtmi:discovered:{label[:room].rstrip('_')};1"


def infer(model_id: str, display_name: str, samples: Mapping[str, Sequence[object]]) -> Json:
    """An interface of DTDL 3 with a telemetry for each name that was sent.

    Args:
        model_id: the id it gets, see `dtmi_for`.
        display_name: what people call it.
        samples: values by the name as it was sent; None among them is passed over.

    Returns:
        A document that `parse` accepts. A name that DTDL does not allow is changed and kept as
        the display name; a name without any value is left out.
    """
    contents: list[Json] = []
    taken: set[str] = set()
    for sent, values in samples.items():
        schema = _schema([value for value in values if value is not None], 1)
        if schema is None:
            continue
        name = _free(name_for(sent), taken)
        content: Json = {"@type": "Telemetry", "name": name, "schema": schema}
        if name != sent:
            content["displayName"] = sent[:LONGEST_LABEL] or name
        contents.append(content)
    return {
        "@context": "dtmi:dtdl:context;3",
        "@id": model_id,
        "@type": "Interface",
        "displayName": display_name[:LONGEST_LABEL],
        "contents": contents,
    }


def _free(name: str, taken: set[str]) -> str:
    """The name itself, or with a number when another sent name was changed to the same."""
    free, number = name, 2
    while free in taken:
        free = f"{name[: LONGEST_NAME - 12]}_{number}"
        number += 1
    taken.add(free)
    return free


def _schema(values: Sequence[object], level: int) -> str | Json | None:
    if not values:
        return None
    if all(isinstance(value, bool) for value in values):
        return "boolean"
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return _number(values)
    if all(isinstance(value, str) for value in values):
        return _text(values)
    if all(isinstance(value, Mapping) for value in values):
        return _object(values, level)
    if all(isinstance(value, list | tuple) for value in values):
        return _array(values, level)
    return "string"


def _number(values: Sequence[object]) -> str:
    """Whole numbers are integers only where they were sent as such: 20 may be 20.5 next."""
    if all(isinstance(value, int) for value in values):
        whole = [value for value in values if isinstance(value, int)]
        if all(-LONG <= value < LONG for value in whole):
            return "integer"
        return "long" if all(-(2**63) <= value < 2**63 for value in whole) else "double"
    return "double"


def _text(values: Sequence[object]) -> str:
    for value in values:
        text = str(value)
        if not FULL_TIME.fullmatch(text):
            return "string"
        try:
            datetime.fromisoformat(re.sub(r"\.\d+", "", text))
        except ValueError:
            return "string"
    return "dateTime"


def _object(values: Sequence[object], level: int) -> str | Json | None:
    if level >= DEEPEST:
        return "string"
    columns: dict[str, list[object]] = {}
    for value in values:
        if isinstance(value, Mapping):
            for key, item in value.items():
                columns.setdefault(str(key), []).append(item)
    fields: list[Json] = []
    taken: set[str] = set()
    for sent, column in columns.items():
        schema = _schema([item for item in column if item is not None], level + 1)
        if schema is not None:
            name = _free(name_for(sent), taken)
            field: Json = {"name": name, "schema": schema}
            if name != sent:
                field["displayName"] = sent[:LONGEST_LABEL] or name
            fields.append(field)
    return {"@type": "Object", "fields": fields} if fields else None


def _array(values: Sequence[object], level: int) -> str | Json | None:
    if level >= DEEPEST:
        return "string"
    items = [item for value in values if isinstance(value, list | tuple) for item in value]
    element = _schema([item for item in items if item is not None], level + 1)
    return None if element is None else {"@type": "Array", "elementSchema": element}
