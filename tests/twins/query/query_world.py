"""A graph whose twins have every kind of value, made of plain documents."""

from __future__ import annotations

from typing import Any

from gemel.core.batch import make_batch
from gemel.core.clock import SECOND, to_iso
from gemel.core.document import Document, Edit
from gemel.core.series import SeriesTable
from gemel.twins.graph import Graph
from gemel.twins.query.reading import Live, quality_name
from gemel.twins.query.run import Answer, Engine, answer
from gemel.twins.state import State

BASE, THING, PART = "dtmi:q:Base;1", "dtmi:q:Thing;1", "dtmi:q:Part;1"
START = 1_700_000_000 * SECOND


def _model(model_id: str, contents: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    head = {"@context": "dtmi:dtdl:context;3", "@id": model_id, "@type": "Interface"}
    return {**head, "contents": contents, **more}


def _prop(name: str, schema: Any) -> dict[str, Any]:
    return {"@type": "Property", "name": name, "schema": schema}


def _telemetry(name: str, schema: Any) -> dict[str, Any]:
    return {"@type": "Telemetry", "name": name, "schema": schema}


LIMITS = {
    "@type": "Object",
    "fields": [{"name": "low", "schema": "double"}, {"name": "isOn", "schema": "boolean"}],
}
TAGS = {
    "@type": "Map",
    "mapKey": {"name": "tag", "schema": "string"},
    "mapValue": {"name": "value", "schema": "string"},
}
MODELS = [
    _model(PART, [_prop("x", "double"), _prop("s", "string"), _telemetry("heat", "double")]),
    _model(
        BASE,
        [
            _prop("x", "double"),
            _prop("n", "long"),
            _prop("s", "string"),
            _prop("b", "boolean"),
            _prop("limits", LIMITS),
            _prop("tags", TAGS),
            _prop("list", {"@type": "Array", "elementSchema": "long"}),
            _prop("odd", "string"),
            _telemetry("heat", "double"),
            _telemetry("running", "boolean"),
            _telemetry("mode", "string"),
            {"@type": "Relationship", "name": "feeds", "properties": [_prop("length", "double")]},
            {"@type": "Relationship", "name": "has"},
        ],
    ),
    _model(THING, [{"@type": "Component", "name": "part", "schema": PART}], extends=BASE),
]


def twin_doc(model: str, values: dict[str, Any], time: int = START) -> dict[str, Any]:
    """A stored twin; a dict under `part` is its component."""
    stamp = {"lastUpdateTime": to_iso(time)}
    doc: dict[str, Any] = {}
    for name, value in values.items():
        if name == "part":
            meta = {"$lastUpdateTime": to_iso(time), **dict.fromkeys(value, stamp)}
            doc[name] = {"$metadata": meta, **value}
        else:
            doc[name] = value
    if model == THING and "part" not in doc:
        doc["part"] = {"$metadata": {"$lastUpdateTime": to_iso(time)}}
    stamped = {n: stamp for n in values if n != "part"}
    doc["$metadata"] = {"$model": model, "$lastUpdateTime": to_iso(time), **stamped}
    return doc


class World:
    """A graph, last values, and an engine over both; edits and readings as in the platform."""

    def __init__(self) -> None:
        self.graph = Graph()
        self.graph.load(Document("model", m["@id"], m, 0, "", "") for m in MODELS)
        self.series = SeriesTable()
        self.state = State()
        self.live: dict[tuple[str, str], tuple[Any, int, str]] = {}
        self.engine = Engine(self.graph, Live(self.series, self.state))
        self._links = 0

    def twin(self, twin_id: str, model: str = THING, **values: Any) -> None:
        doc = twin_doc(model, values)
        self.graph.apply([Edit("twin", twin_id, doc, 0, "", "", f'W/"{len(values)}"')])

    def drop(self, twin_id: str) -> None:
        links = {link.key for link in self.graph.outgoing(twin_id) + self.graph.incoming(twin_id)}
        edits = [Edit("relationship", key, None, 0, "") for key in sorted(links)]
        self.graph.apply([*edits, Edit("twin", twin_id, None, 0, "")])

    def link(self, source: str, name: str, target: str, **values: Any) -> str:
        self._links += 1
        link = f"r{self._links}"
        doc = {
            "$relationshipId": link,
            "$sourceId": source,
            "$targetId": target,
            "$relationshipName": name,
            **values,
        }
        self.graph.apply([Edit("relationship", f"{source}\n{link}", doc, 0, "", "", 'W/"1"')])
        return link

    def reading(
        self, twin: str, path: str, value: Any, *, after: int = 1, quality: int = 0
    ) -> None:
        """A device's value, `after` seconds from when properties were set."""
        time = START + after * SECOND
        number = self.series.id(twin, path)
        old = self.live.get((twin, path))
        is_text = isinstance(value, str)
        row = (number, time, float("nan") if is_text else float(value), quality)
        text = {0: f'"{value}"'} if is_text else {}
        self.state.apply(make_batch([row], time, text))
        if old is None or time >= old[1]:
            self.live[twin, path] = (value, time, quality_name(quality))

    def ask(self, text: str, **more: Any) -> Answer:
        return answer(self.engine.run(text, **more))

    def rows(self, text: str) -> list[dict[str, Any]]:
        return self.ask(text, size=1000).rows
