"""An object of an OPC UA server, or a Modbus device, as a model, a twin of it, and bindings."""

from __future__ import annotations

from typing import Any

from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.core.units import find
from gemel.interchange.building import Plant, free
from gemel.interchange.losses import Losses
from gemel.interchange.short_form import quantity_of
from gemel.interchange.unece import CODES
from gemel.twins.dtdl.infer import name_for

SCHEMAS = {
    "Boolean": "boolean",
    "Float": "float",
    "Double": "double",
    "DateTime": "dateTime",
    "SByte": "byte",
    "Int16": "short",
    "Int32": "integer",
    "Int64": "long",
    "Byte": "unsignedByte",
    "UInt16": "unsignedShort",
    "UInt32": "unsignedInteger",
    "UInt64": "unsignedLong",
    "Guid": "uuid",
    "ByteString": "string",
    "String": "string",
    **dict.fromkeys(("XmlElement", "NodeId", "ExpandedNodeId", "StatusCode"), "string"),
    **dict.fromkeys(("QualifiedName", "LocalizedText"), "string"),
}
"""Schemas for types of values."""
UNITS = {code: unit for unit, code in CODES.items()}


def plant_of(found: Json, twin: str, losses: Losses) -> Json:
    """A plant of one twin: what an object has, and what objects in it have as its components.

    Args:
        found: as `connect.opcua` or `connect.modbus` describes an object.
        twin: the id that its twin gets.
        losses: what does not fit is told to it.

    Raises:
        InvalidInput: there is nothing in it that could be read.
    """
    for one in found["left"]:
        losses.dropped(found["path"], f"{one} is no part of the model")
    plant = Plant(found["space"], losses)
    groups: dict[str, list[Json]] = {}
    for one in (*found["variables"], *found["methods"]):
        groups.setdefault("/".join(one["within"][:1]), []).append(one)
    bindings: dict[str, dict[str, Json | str]] = {}
    commands: dict[str, dict[str, Json | str]] = {}
    limits: dict[str, Json] = {}
    own: dict[str, Json] = {}
    for part in sorted(groups):
        contents = own if not part else {}
        component = free(name_for(part, "part"), own) if part else ""
        for one in groups[part]:
            if "inputs" in one:
                _take_method(one, contents, component, commands, losses)
            else:
                _take(one, contents, component, bindings, limits, losses)
        if part and contents:
            model = plant.make_model(f"{found['type'] or found['name']}_{part}", _list(contents))
            own[component] = {"@type": "Component", "name": component, "schema": model}
    if not own:
        raise InvalidInput(
            f"'{found['path']}' has no variable that could be read, and no method",
            hint="gemel connector browse shows what there is",
        )
    own.setdefault(
        "name", {"@type": "Property", "name": "name", "schema": "string", "displayName": "Name"}
    )
    label = found["type"] or found["name"]
    model = plant.make_model(label, _list(own), displayName=label[:64])
    entry: Json = {"model": model}
    if own["name"].get("displayName") == "Name":
        entry["properties"] = {"name": found["name"][:512]}
    plant.twins[twin] = entry
    document = plant.document()
    document["bindings"] = [
        {
            "id": _binding_id(topic, found["space"]),
            "topic": topic,
            "twin": twin,
            "fields": bindings.get(topic, {}),
            **({"commands": commands[topic]} if topic in commands else {}),
        }
        for topic in {**bindings, **commands}
    ]
    if limits:
        document["settings"] = {model: {"properties": limits}}
    return document


def _list(contents: dict[str, Json]) -> list[Json]:
    return list(contents.values())


def _binding_id(topic: str, space: str) -> str:
    return name_for(topic, space)[:128]


def _take(
    variable: Json,
    contents: dict[str, Json],
    component: str,
    bindings: dict[str, dict[str, Json | str]],
    limits: dict[str, Json],
    losses: Losses,
) -> None:
    """One variable: what the model says of it, and where its values go."""
    place = f"{variable['topic']}/{variable['name']}"
    schema = _schema(variable)
    if schema is None:
        kind = variable["type"] or "unknown, for it has no value now"
        losses.dropped(place, f"values of type {kind} are not read")
        return
    inner = "_".join([*variable["within"][1:], variable["name"]])
    name = free(name_for(inner), contents)
    is_writable = variable["isWritable"]
    kind = "Property" if variable["isProperty"] or is_writable else "Telemetry"
    made: Json = {"@type": kind, "name": name, "schema": schema}
    if is_writable:
        made["writable"] = True
    made |= _unit(variable, kind, losses, place)
    if name != inner:
        made["displayName"] = inner[:64]
    if "range" in variable:
        made["comment"] = "normally {:g} to {:g}".format(*variable["range"])
    contents[name] = made
    path = f"{component}.{name}" if component else name
    bindings.setdefault(variable["topic"], {})[variable["name"]] = path
    if "limits" in variable:
        low, high = variable["limits"]
        limits[path] = {"minimum": low, "maximum": high}


def _take_method(
    method: Json,
    contents: dict[str, Json],
    component: str,
    commands: dict[str, dict[str, Json | str]],
    losses: Losses,
) -> None:
    """One method becomes a command; its binding says what it calls."""
    place = f"{method['topic']}/{method['name']}"
    try:
        payloads = {
            side: payload
            for side, told in (("request", method["inputs"]), ("response", method["outputs"]))
            if (payload := _payload(told)) is not None
        }
    except InvalidInput as error:
        losses.dropped(place, error.message)
        return
    inner = "_".join([*method["within"][1:], method["name"]])
    name = free(name_for(inner), contents)
    made: Json = {"@type": "Command", "name": name, **payloads}
    if name != inner:
        made["displayName"] = inner[:64]
    contents[name] = made
    path = f"{component}.{name}" if component else name
    commands.setdefault(method["topic"], {})[path] = method["name"]


def _payload(told: list[Json]) -> Json | None:
    """What a method takes or gives: one value, or an object of several."""
    fields: list[Json] = []
    for one in told:
        schema = _schema(one)
        if schema is None:
            raise InvalidInput(
                f"its argument '{one['name']}' is of a type that is not written or read"
            )
        fields.append({"name": name_for(one["name"]), "schema": schema})
        if len(told) > 1 and name_for(one["name"]) != one["name"]:
            raise InvalidInput(f"its argument '{one['name']}' has no name that a model can say")
    if len(fields) > 1:
        return {"name": "arguments", "schema": {"@type": "Object", "fields": fields}}
    return fields[0] if fields else None


def _schema(variable: Json) -> Any:
    plain = SCHEMAS.get(variable["type"])
    if plain is None:
        return None
    if variable.get("names"):
        taken: dict[str, Json] = {}
        for text, number in variable["names"].items():
            name = free(name_for(text), taken)
            taken[name] = {"name": name, "enumValue": number}
        return {"@type": "Enum", "valueSchema": "integer", "enumValues": list(taken.values())}
    return {"@type": "Array", "elementSchema": plain} if variable["isArray"] else plain


def _unit(variable: Json, kind: str, losses: Losses, place: str) -> Json:
    """The unit, by its common code or else by how it is written."""
    code, text = variable.get("unitCode", ""), variable.get("unit", "")
    if not code and not text:
        return {}
    unit = UNITS.get(code, "")
    if not unit and text:
        try:
            unit = find(text).name
        except InvalidInput:
            unit = ""
    said = f"'{text}' ({code})" if code else f"'{text}'"
    quantity = quantity_of(unit) if unit else ""
    if not quantity or variable["isArray"] or variable["type"] == "Boolean":
        losses.dropped(f"{place}: unit", f"{said} is no unit that a model can say here")
        return {}
    return {"@type": [kind, quantity], "unit": unit}
