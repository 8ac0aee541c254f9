"""Shows twins in the Azure Digital Twins form, with what devices reported since."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from gemel.core.clock import to_iso
from gemel.core.document import Json
from gemel.twins.dtdl.interface import Component, Interface, Property, Schema
from gemel.twins.dtdl.schema import INTEGER_RANGES, Enum, Object, Primitive
from gemel.twins.graph import Graph
from gemel.twins.records import Link, Twin, value_time

ValueOf = Callable[[str], tuple[object, int] | None]
"""From property path to (value, time in ns) as the device last sent it, or None."""


def adt_view(graph: Graph, twin: Twin, value_of: ValueOf | None = None) -> Json:
    """A twin as the data plane shows it.

    A property that the device reported later than it was last edited shows the device's value,
    with the device's time; telemetry is never part of a twin.
    """
    etag, doc = twin.etag_and_doc()
    doc.pop("$desired", None)
    metadata = doc.pop("$metadata")
    interface = graph.find_model(twin.model)
    if interface is not None and value_of is not None:
        _merge(graph, interface, doc, metadata, value_of, "")
    return {"$dtId": twin.id, "$etag": etag, **doc, "$metadata": metadata}


def incoming_view(link: Link) -> Json:
    """The short form in which relationships that point at a twin are listed."""
    return {
        "$relationshipId": link.id,
        "$sourceId": link.source,
        "$relationshipName": link.name,
        "$relationshipLink": f"/digitaltwins/{_encoded(link.source)}"
        f"/relationships/{_encoded(link.id)}",
    }


def _encoded(text: str) -> str:
    return quote(text, safe="!$'()*,:=@")


def _merge(
    graph: Graph,
    interface: Interface,
    container: Json,
    metadata: Json,
    value_of: ValueOf,
    prefix: str,
) -> int:
    """Puts newer device values into a twin or component; returns the newest of their times."""
    newest = 0
    for name, content in interface.contents.items():
        if isinstance(content, Component):
            inner, model = container.get(name), graph.find_model(content.schema)
            if isinstance(inner, dict) and model is not None:
                below = inner["$metadata"]
                time = _merge(graph, model, inner, below, value_of, f"{prefix}{name}.")
                newest = max(newest, time)
        elif isinstance(content, Property):
            path, schema = prefix + name, content.schema
            if not isinstance(schema, Object) and value_of(path) is None:
                continue  # as most are: nothing is to be compared
            since = value_time(metadata.get(name))
            value, time = _reported(schema, path, container.get(name), since, value_of)
            if time > since:
                container[name] = value
                metadata[name] = {"lastUpdateTime": to_iso(time)}
                newest = max(newest, time)
    if newest and newest > value_time({"lastUpdateTime": metadata.get("$lastUpdateTime")}):
        metadata["$lastUpdateTime"] = to_iso(newest)
    return newest


def _reported(
    schema: Schema, path: str, old: object, since: int, value_of: ValueOf
) -> tuple[object, int]:
    """The value at a path after what the device reported later than `since`, and its time."""
    found = value_of(path)
    if found is not None and found[1] > since:
        value = _as_schema(schema, found[0])
        if not schema.check(value):
            old, since = value, found[1]
    if isinstance(schema, Object):
        newest = since
        fields = dict(old) if isinstance(old, dict) else {}
        for name, inner in schema.fields.items():
            value, time = _reported(inner, f"{path}.{name}", fields.get(name), since, value_of)
            if time > since:
                fields[name] = value
                newest = max(newest, time)
        if newest > since:
            return fields, newest
    return old, since


def _as_schema(schema: Schema, value: object) -> object:
    """Numbers of the state as the schema wants them: booleans and integers."""
    if isinstance(value, float):
        if isinstance(schema, Primitive) and schema.kind == "boolean":
            return value != 0.0
        is_whole = isinstance(schema, Enum) or schema.kind in INTEGER_RANGES
        if is_whole and value.is_integer():
            return int(value)
    return value
