"""Thing Descriptions of twins and Thing Models of models (W3C Web of Things, TD 1.1).

Every form of a description works: properties are read, written and observed, commands invoked
and alarms followed over the HTTP API; what a device sends is followed over MQTT.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from gemel.core.document import Json
from gemel.core.units import symbol
from gemel.interchange.facts import Facts, Material, kind_of, parts, path_of, unit_of
from gemel.interchange.losses import Losses
from gemel.interchange.wot_schema import data_schema
from gemel.twins.dtdl.interface import (
    Command,
    Content,
    Interface,
    Payload,
    Property,
    Telemetry,
)

CONTEXT = ["https://www.w3.org/2022/wot/td/v1.1", {"gemel": "urn:gemel:td:"}]
THING = "urn:gemel:twin:"
DTDL = "gemel:dtdl"
"""The model whole, in a Thing Model, so that it comes back as it was."""
BEARER = {"scheme": "bearer", "in": "header", "name": "Authorization", "format": "opaque"}
MQTT_LOGIN = {"scheme": "basic"}
JSON_TYPE = "application/json"


def documents(material: Material, losses: Losses) -> Any:
    """Descriptions of twins, or models where there are none; one by itself, several as a list."""
    found = [description(twin, material, losses) for twin in material.twins] or [
        model(one, material.models, losses) for _, one in sorted(material.models.items())
    ]
    return found[0] if len(found) == 1 else found


def description(twin: Facts, material: Material, losses: Losses) -> Json:
    """The description of one twin."""
    interface = material.models.get(twin.model)
    here = f"{material.base}/wot/{quote(twin.id, safe='')}"
    made: Json = {
        "@context": CONTEXT,
        "@type": [twin.model],
        "id": THING + quote(twin.id, safe=""),
        "title": twin.name or twin.id,
        "securityDefinitions": {"token": BEARER},
        "security": ["token"],
    }
    if material.mqtt:
        made["securityDefinitions"] = {"token": BEARER, "login": MQTT_LOGIN}
    if interface is None:
        losses.dropped(
            twin.model, "there is no such model, so nothing is known of the twin", twin.id
        )
        return made
    made |= _texts("description", interface.description)
    made |= _affordances(material.models, twin.model, losses, twin.hidden, here)
    _report(twin, interface, losses)
    made["events"] = _events(twin, material, here)
    links = [_link(one, material.base, losses) for one in twin.relationships]
    if links:
        made["links"] = links
    return made


def _report(twin: Facts, interface: Interface, losses: Losses) -> None:
    """What a description leaves out by its nature."""
    for path, value in twin.values.items():
        if value.value is not None:
            losses.dropped(
                f"{interface.id}: {path}",
                "a description says where a value is read, and has none itself",
                twin.id,
            )
    losses.dropped(
        f"{interface.id}: definition", "what defines the model whole is in its Thing Model", twin.id
    )
    if interface.display_name:
        losses.dropped(f"{interface.id}: displayName", "the title is that of the twin", twin.id)


def model(interface: Interface, models: Mapping[str, Interface], losses: Losses) -> Json:
    """The Thing Model of one model, with its DTDL in it."""
    made: Json = {
        "@context": CONTEXT,
        "@type": "tm:ThingModel",
        "id": interface.id,
        "title": interface.title,
        **_texts("title", interface.display_name),
        **_texts("description", interface.description),
        DTDL: interface.raw,
    }
    made |= _affordances(models, interface.id, losses, frozenset(), "")
    links = [
        {"rel": "tm:extends", "href": base, "type": "application/tm+json"}
        for base in interface.extends
    ]
    for number, base in enumerate(interface.extends):
        if number:
            losses.dropped(f"{interface.id}: extends {base}", "a Thing Model extends one other")
    if links:
        made["links"] = links[:1]
    return made


def _affordances(
    models: Mapping[str, Interface], key: str, losses: Losses, hidden: frozenset[str], here: str
) -> Json:
    """Properties and actions; those of components have the component's name before a dot."""
    properties: Json = {}
    actions: Json = {}
    for part, interface in parts(models, key):
        for path, content in _shown(part, interface, hidden):
            place = f"{interface.id}: {content.name}"
            if isinstance(content, Command):
                actions[path] = _action(content, losses, place, f"{here}/actions/{_quoted(path)}")
            elif isinstance(content, Telemetry | Property):
                properties[path] = _property(
                    content, losses, place, f"{here}/properties/{_quoted(path)}"
                )
            if not here:
                (actions if isinstance(content, Command) else properties)[path].pop("forms", None)
    found = {"properties": properties, "actions": actions}
    return {name: held for name, held in found.items() if held}


def _shown(
    part: str, interface: Interface, hidden: frozenset[str]
) -> Iterator[tuple[str, Command | Telemetry | Property]]:
    for name, content in interface.contents.items():
        path = path_of(part, name)
        if isinstance(content, Command | Telemetry | Property) and path not in hidden:
            yield path, content


def _quoted(path: str) -> str:
    return quote(path, safe="")


def _texts(name: str, found: Mapping[str, str]) -> Json:
    """A text, and all of them by language where there are several."""
    held = {language: text for language, text in found.items() if text}
    if not held:
        return {}
    first = held.get("en") or next(iter(held.values()))
    return {name: first} | ({f"{name}s": held} if set(held) != {"en"} else {})


def _head(content: Content) -> Json:
    types = [one.partition(";")[0].rpartition(":")[2] for one in content.semantic_types]
    made: Json = {"gemel:kind": kind_of(content)}
    if types:
        made["@type"] = [f"gemel:{one}" for one in types]
    return made | _texts("title", content.display_name) | _texts("description", content.description)


def _property(content: Telemetry | Property, losses: Losses, place: str, href: str) -> Json:
    is_writable = isinstance(content, Property) and content.writable
    made = {**_head(content), **data_schema(content.schema, losses, place)}
    unit = unit_of(content)
    if unit:
        made["unit"] = symbol(unit) or unit
    forms: list[Json] = [
        {"href": href, "op": "readproperty", "contentType": JSON_TYPE},
        {
            "href": f"{href}/next",
            "op": ["observeproperty", "unobserveproperty"],
            "subprotocol": "longpoll",
            "contentType": JSON_TYPE,
        },
    ]
    if is_writable:
        forms.append(
            {
                "href": href,
                "op": "writeproperty",
                "htv:methodName": "PUT",
                "contentType": JSON_TYPE,
            }
        )
    return {**made, "readOnly": not is_writable, "observable": True, "forms": forms}


COMMAND = {
    "type": "object",
    "description": "the command as it was taken; its state goes on at GET /commands/{id}",
    "properties": {"id": {"type": "string"}, "state": {"type": "string"}},
}


def _action(content: Command, losses: Losses, place: str, href: str) -> Json:
    made = {**_head(content), "output": COMMAND, "idempotent": False, "safe": False}
    if content.request is not None:
        made["input"] = _payload(content.request, losses, f"{place}.request")
    if content.response is not None:
        losses.dropped(
            f"{place}.response", "an action answers the command; what the device answers is in it"
        )
    form = {"href": href, "op": "invokeaction", "contentType": JSON_TYPE}
    return {**made, "forms": [form]}


def _payload(payload: Payload, losses: Losses, place: str) -> Json:
    made = {**_texts("title", payload.display_name), **data_schema(payload.schema, losses, place)}
    made.setdefault("title", payload.name)
    return made | ({"unit": symbol(payload.unit) or payload.unit} if payload.unit else {})


def _events(twin: Facts, material: Material, here: str) -> Json:
    made: Json = {
        "alarm": {
            "description": "an alarm of this twin as it now is",
            "data": {
                "type": "object",
                "properties": {"id": {"type": "string"}, "state": {"type": "string"}},
            },
            "forms": [
                {
                    "href": f"{here}/events/alarm/next",
                    "op": ["subscribeevent", "unsubscribeevent"],
                    "subprotocol": "longpoll",
                    "contentType": JSON_TYPE,
                }
            ],
        }
    }
    if material.mqtt:
        made["telemetry"] = {
            "description": "what the device sends, as it sends it, on its default topic",
            "data": {"type": "object"},
            "forms": [
                {
                    "href": f"mqtt://{material.mqtt}",
                    "mqv:filter": f"devices/{twin.id}/telemetry",
                    "mqv:qos": "1",
                    "op": ["subscribeevent", "unsubscribeevent"],
                    "security": ["login"],
                    "contentType": JSON_TYPE,
                }
            ],
        }
    return made


def _link(link: Json, base: str, losses: Losses) -> Json:
    held = [name for name in link if not name.startswith("$")]
    if held:
        losses.dropped(
            f"{link['$relationshipName']}.{held[0]}",
            "a link has no properties of its own",
            str(link["$sourceId"]),
        )
    return {
        "rel": link["$relationshipName"],
        "href": f"{base}/wot/{quote(link['$targetId'], safe='')}",
        "type": "application/td+json",
        "gemel:id": link["$relationshipId"],
    }
