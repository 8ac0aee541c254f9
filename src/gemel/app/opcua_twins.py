"""An object of an OPC UA server, or a Modbus device, becomes a model, a twin and bindings.

The history from before stays with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from gemel.app import plant_files
from gemel.app.adoption import carry_over
from gemel.core.document import Json
from gemel.core.errors import Conflict, InvalidInput
from gemel.ingest.topics import device_id
from gemel.interchange.losses import Losses
from gemel.interchange.opcua_import import plant_of

if TYPE_CHECKING:
    from gemel.app.platform import Platform

DEEPEST = 16


def _browsed(platform: Platform, connector: str) -> Any:
    """The link of a connector that can say what it has.

    Raises:
        NotFound: there is none of this name.
        InvalidInput: it is of another kind.
    """
    found = platform.connections.connector(connector)
    if not hasattr(found, "describe"):
        raise InvalidInput(
            f"connector '{connector}' is a broker: it has nothing to browse",
            hint="what a broker publishes is discovered: GET /discovered",
        )
    return found


async def browse(platform: Platform, connector: str, node: str, depth: int) -> Json:
    """What hangs below a node of a server, or is a register of a device.

    Raises:
        InvalidInput: the depth is none, or it cannot be browsed.
        NotFound: there is no such connector or node.
        Unavailable: it is not connected.
    """
    if not 1 <= depth <= DEEPEST:
        raise InvalidInput(f"'depth' must be 1 to {DEEPEST}")
    found: Json = await _browsed(platform, connector).browse(node or "/", depth)
    return found


async def model(
    platform: Platform, connector: str, node: str, twin: str, who: str, *, is_dry: bool
) -> Json:
    """Makes a model of an object, a twin of that model, and bindings.

    Args:
        platform: where to.
        connector: of the server.
        node: the object.
        twin: its id; the device's that is discovered for it, if it is empty.
        who: makes it.
        is_dry: says what would be made, and makes nothing.

    Raises:
        Conflict: there is a twin of this id.
        NotFound, InvalidInput, Unavailable: as `browse`.
    """
    found = await _browsed(platform, connector).describe(node)
    key = twin or device_id(found["topic"])
    if platform.graph.find_twin(key) is not None:
        raise Conflict(f"there is a twin '{key}' already", code="TwinAlreadyExists")
    losses = Losses(found["space"], "import")
    plant = _unlike_others(platform, plant_of(found, key, losses))
    if not is_dry:
        await plant_files.import_plant(platform, plant, who)
        for binding in plant["bindings"]:
            await _bring_history(platform, binding, key)
        values = (platform.state.get(series) for series in platform.series.of_twin(key))
        platform.presence.seen({key: max((one.received for one in values if one), default=0)})
    made = plant["twins"][key]["model"]
    return {"twin": key, "model": made, "plant": plant, "report": losses.view()}


def _unlike_others(platform: Platform, plant: Json) -> Json:
    """The plant with models under ids that no others have: another version where it must be."""
    text = orjson.dumps(plant)
    for definition in plant["models"]:
        key = wanted = definition["@id"]
        while (there := platform.graph.find_record(wanted)) is not None:
            if there.definition == definition | {"@id": wanted}:
                break
            head, _, version = wanted.rpartition(";")
            wanted = f"{head};{int(version) + 1}"
        text = text.replace(orjson.dumps(key), orjson.dumps(wanted))
    found: Json = orjson.loads(text)
    return found


async def _bring_history(platform: Platform, binding: Json, twin: str) -> None:
    """What came before the twin was there, under the device that was discovered then."""
    device = device_id(binding["topic"])
    for sent, path in binding["fields"].items():
        if (device, sent) != (twin, path):
            await carry_over(platform, device, sent, twin, path)
    if device in platform.discovery.devices:
        await platform.put("discovered", device, None, "gemel", "its twin was made")
        platform.discovery.forget(device)
