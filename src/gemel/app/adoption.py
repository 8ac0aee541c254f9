"""Discovered devices: what they send, the model inferred from it, and making twins of them."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from gemel.app.signals import sent_names
from gemel.core.batch import REASONS, Batch
from gemel.core.clock import to_iso
from gemel.core.document import Edit, Json
from gemel.core.errors import Conflict, InvalidInput, NotFound
from gemel.ingest.discover import Device
from gemel.twins.draft import Draft
from gemel.twins.dtdl.infer import dtmi_for, infer
from gemel.twins.graph import EditContext, Graph
from gemel.twins.models import add_models
from gemel.twins.twin_edits import put_twin

if TYPE_CHECKING:
    from gemel.app.platform import Platform

LAST = (1 << 62) - 1
AT_ONCE = 50_000
NAME = {"@type": "Property", "name": "name", "schema": "string", "displayName": "Name"}


def listing(platform: Platform) -> list[Json]:
    """Devices without a twin, each with the model that adopting would make."""
    devices = platform.discovery.devices
    return [
        {
            "id": device.id,
            "source": device.source,
            "firstSeen": to_iso(device.first_seen),
            "lastSeen": to_iso(device.last_seen),
            "messages": device.messages,
            "sample": device.sample,
            "model": inferred(device),
        }
        for device in (devices[key] for key in platform.catalogue.unadopted())
    ]


def inferred(device: Device) -> Json:
    """The DTDL interface inferred from what the device sent."""
    samples = {
        path: [float(v) for v in name.samples] if name.kind == "double" else name.samples
        for path, name in device.names.items()
    }
    model: Json = infer(dtmi_for(device.id), device.id, samples)
    if not any(content.get("name") == "name" for content in model["contents"]):
        model["contents"].append(dict(NAME))
    return model


def _device(platform: Platform, device: str) -> Device:
    found = platform.discovery.devices.get(device)
    if found is None:
        raise NotFound(
            f"no device '{device}' was discovered", hint="GET /discovered lists what sends"
        )
    return found


async def adopt(platform: Platform, device: str, model: str, name: str, who: str) -> None:
    """Makes a twin of a device, of the given model or of the inferred one; its history stays.

    Raises:
        NotFound: the device, or the model, is not known.
        Conflict: there is a twin of this id already.
        InvalidInput: its id cannot be a twin's id.
    """
    found = _device(platform, device)
    if platform.graph.find_twin(device) is not None:
        raise Conflict(f"there is a twin '{device}' already", code="TwinAlreadyExists")
    if name and model:
        interface = platform.graph.model(model)
        if "name" not in interface.properties():
            raise InvalidInput(f"model '{model}' has no property 'name'", hint="leave the name out")

    def plan(graph: Graph, context: EditContext) -> tuple[list[Edit], None]:
        draft = Draft(graph)
        edits: list[Edit] = []
        target = model
        if not target:
            definition = _unlike_others(draft, inferred(found))
            target = definition["@id"]
            if draft.find_record(target) is None:
                made, _ = add_models(draft, context, [definition])
                draft.apply(made)
                edits += made
        body: Json = {"$metadata": {"$model": target}}
        if name or (not model and "name" in draft.model(target).properties()):
            body["name"] = name or device
        made, _ = put_twin(draft, context, device, body)
        edits += made
        edits.append(context.edit("discovered", device, None))
        return edits, None

    await platform.edit(plan, who, "adopted")
    platform.discovery.forget(device)
    target = platform.catalogue.require_twin(device)
    for sent, path in sent_names(target, platform.catalogue.signals.of(target)).items():
        await carry_over(platform, device, sent, device, path)
    values = (platform.state.get(series) for series in platform.series.of_twin(device))
    newest = max((value.time for value in values if value is not None), default=0)
    platform.presence.seen({device: max(newest, found.last_seen)})


async def carry_over(platform: Platform, device: str, sent: str, twin: str, path: str) -> None:
    """Copies readings from before to the twin and the name that the model has for them."""
    old = platform.series.find(device, sent)
    if old is None:
        return
    new = platform.series.id(twin, path)
    loop = asyncio.get_running_loop()
    start = 0
    while True:
        read = partial(platform.history.read, old, start, LAST, bad=True, limit=AT_ONCE)
        found = await loop.run_in_executor(None, read)
        if not len(found):
            return
        rows = np.full(len(found), new, np.int32)
        received = int(found.received.max())
        batch = Batch(rows, found.time, found.value, found.quality, received, found.text)
        await platform.append(batch)
        start = int(found.time[-1]) + 1


def _unlike_others(draft: Draft, definition: Json) -> Json:
    """The definition under an id that no other model has: another version where it must be."""
    while (there := draft.find_record(definition["@id"])) is not None:
        if there.definition == definition:
            break
        head, _, version = definition["@id"].rpartition(";")
        definition = {**definition, "@id": f"{head};{int(version) + 1}"}
    return definition


async def forget(platform: Platform, device: str, who: str) -> None:
    """Takes a device off the list; it is listed again when it sends again."""
    _device(platform, device)
    await platform.put("discovered", device, None, who, "forgotten")
    platform.discovery.forget(device)
    platform.points.drop_twin(device)


def rejects(platform: Platform, twin: str | None, limit: int) -> Json:
    """What could not become a reading, newest first, with counts by reason."""
    counts = platform.history.reject_counts(twin)
    return {
        "total": sum(counts.values()),
        "byReason": counts,
        "value": [
            {
                "time": to_iso(r.time),
                "received": to_iso(r.received),
                "twin": r.twin,
                "field": r.field,
                "raw": r.raw,
                "reason": r.reason,
                "explanation": REASONS.get(r.reason, ""),
                "source": r.source,
            }
            for r in platform.history.rejects(twin, limit)
        ],
    }
