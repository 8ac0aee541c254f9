"""A small plant of models and twins that the tests of this folder share."""

from __future__ import annotations

import itertools
from typing import Any

from gemel.backends.memory import MemoryDocuments
from gemel.core.document import Edit
from gemel.twins.graph import EditContext, Graph
from gemel.twins.models import add_models
from gemel.twins.relationship_edits import put_relationship
from gemel.twins.twin_edits import put_twin

CONTEXT = "dtmi:dtdl:context;3"
ASSET, PUMP, MOTOR, STATION = (f"dtmi:t:{name};1" for name in ("Asset", "Pump", "Motor", "Station"))


def model(model_id: str, contents: list[dict], **more: Any) -> dict:
    return {
        "@context": CONTEXT,
        "@id": model_id,
        "@type": "Interface",
        "contents": contents,
        **more,
    }


def prop(name: str, schema: object, **more: Any) -> dict:
    return {"@type": "Property", "name": name, "schema": schema, **more}


LIMITS = {
    "@type": "Object",
    "fields": [
        {"name": "low", "schema": "double"},
        {"name": "high", "schema": "double"},
        {"name": "isOn", "schema": "boolean"},
    ],
}
TAGS = {
    "@type": "Map",
    "mapKey": {"name": "tag", "schema": "string"},
    "mapValue": {"name": "value", "schema": "string"},
}
MODE = {
    "@type": "Enum",
    "valueSchema": "string",
    "enumValues": [{"name": "auto", "enumValue": "AUTO"}, {"name": "hand", "enumValue": "HAND"}],
}
MODELS = [
    model(
        ASSET,
        [prop("name", "string"), prop("built", "date"), prop("tags", TAGS)],
        displayName="Asset",
    ),
    model(
        MOTOR,
        [
            prop("power", "double", writable=True),
            prop("poles", "integer"),
            {"@type": "Telemetry", "name": "temperature", "schema": "double"},
        ],
    ),
    model(
        PUMP,
        [
            prop("speed", "double", writable=True),
            prop("mode", MODE, writable=True),
            prop("isOn", "boolean"),
            prop("limits", LIMITS),
            prop("stages", {"@type": "Array", "elementSchema": "integer"}),
            {"@type": "Telemetry", "name": "flow", "schema": "double"},
            {"@type": "Command", "name": "stop"},
            {"@type": "Component", "name": "motor", "schema": MOTOR},
        ],
        extends=ASSET,
        displayName={"en": "Pump", "de": "Pumpe"},
        description="moves water",
    ),
    model(
        STATION,
        [
            {
                "@type": "Relationship",
                "name": "contains",
                "target": PUMP,
                "properties": [prop("since", "date"), prop("weight", "double")],
            },
            {"@type": "Relationship", "name": "lead", "target": PUMP, "maxMultiplicity": 1},
            {"@type": "Relationship", "name": "near"},
        ],
        extends=ASSET,
    ),
]
PUMP_TWIN = {
    "$metadata": {"$model": PUMP},
    "name": "Feed pump",
    "speed": 50.0,
    "motor": {"$metadata": {}, "power": 11.0},
}


class Plant:
    """A graph with documents below it; `do` plans, commits and applies as the platform does."""

    def __init__(self) -> None:
        self.graph = Graph()
        self.documents = MemoryDocuments()
        self.now = 1_700_000_000_000_000_000
        self._numbers = itertools.count(1)

    def context(self) -> EditContext:
        self.now += 1_000_000_000
        return EditContext(self.now, "ann", lambda: f'W/"{next(self._numbers):04}"', "test")

    def do(self, plan: Any, *arguments: Any, **named: Any) -> Any:
        edits, result = plan(self.graph, self.context(), *arguments, **named)
        self.commit(edits)
        return result

    def commit(self, edits: list[Edit]) -> None:
        self.documents.commit(edits)
        self.graph.apply(edits)

    def reloaded(self) -> Graph:
        graph = Graph()
        graph.load(self.documents.load("model"))
        for kind in ("twin", "relationship"):
            graph.load_encoded(kind, self.documents.load_encoded(kind))
        return graph


def built() -> Plant:
    plant = Plant()
    plant.do(add_models, MODELS)
    plant.do(put_twin, "pump-1", PUMP_TWIN)
    plant.do(put_twin, "pump-2", {**PUMP_TWIN, "name": "Spare pump"})
    plant.do(put_twin, "station-1", {"$metadata": {"$model": STATION}})
    plant.do(
        put_relationship,
        "station-1",
        "r1",
        {"$relationshipName": "contains", "$targetId": "pump-1", "weight": 2.5},
    )
    return plant


def everything(graph: Graph) -> dict[str, Any]:
    """All that a graph holds, to compare two."""
    twins = sorted(graph.twins)
    return {
        "models": {key: (graph.models[key].raw, record) for key, record in graph.records.items()},
        "twins": {key: (t.doc, t.model, t.name, t.etag) for key, t in graph.twins.items()},
        "out": {t: sorted(map(str, graph.relationships_of(t))) for t in twins},
        "in": {t: sorted(map(str, graph.incoming_of(t))) for t in twins},
        "counts": graph.counts(),
    }
