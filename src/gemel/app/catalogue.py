"""What is known about models, twins and settings, kept in step with every edit.

`apply` is the one place where edits become visible: it hands each document to the stage that owns
it and brings points, presence and rules into line with the models and twins there are now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from gemel.app.rule_means import outputs_of
from gemel.app.signals import NOTHING_PLANNED, Planned, Signals, series_of
from gemel.core.document import Edit, Json
from gemel.core.errors import NotFound
from gemel.core.units import symbol
from gemel.ingest.discover import Unknown
from gemel.ingest.points import Layout
from gemel.ingest.topics import binding_from_json
from gemel.twins.dtdl.interface import Interface
from gemel.twins.graph import Graph

if TYPE_CHECKING:
    from gemel.app.platform import Platform

GRAPH_KINDS = frozenset({"model", "twin", "relationship"})
POLICED = GRAPH_KINDS | {"policy"}
PLAIN_KINDS = (
    "settings",
    "binding",
    "rule",
    "derived",
    "scene",
    "geometry",
    "view",
    "kpi",
    "connection",
    "export",
    "attachment",
    "discovered",
    "control",
    "desired",
    "philosophy",
    "receiver",
    "notification",
    "service",
    "fit",
    "prices",
    "policy",
    "behaviour",
    "scenario",
    "imported",
    "sparkplug",
)
REACTED = frozenset(
    {
        "alarm",
        "alarmcorrection",
        "alarmgroup",
        "philosophy",
        "receiver",
        "notification",
        "notice",
        "command",
    }
)
SHOWN = frozenset(
    {"settings", "scene", "geometry", "kpi", "rule", "derived", "discovered", "service", "fit"}
)
CONTAINS = "contains"
DISCOVERED_SAVE_SECONDS = 30


class Models(Mapping[str, Interface]):
    """A graph's models as a mapping, drafts included."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def __getitem__(self, key: str) -> Interface:
        found = self._graph.find_model(key)
        if found is None:
            raise KeyError(key)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._graph.model_ids())

    def __len__(self) -> int:
        return len(list(self._graph.model_ids()))


class Catalogue:
    """Documents that need no stage of their own, and the joins between all that are configured."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.plain: dict[str, dict[str, Json]] = {kind: {} for kind in PLAIN_KINDS}
        plain = self.plain
        self.signals = Signals(
            platform.graph.models, plain["settings"], plain["derived"], plain["service"]
        )
        self._discovered_changed = False
        self._ticks = 0

    # ---- loading and applying ------------------------------------------------------------

    def load(self) -> None:
        """Reads all documents at start."""
        platform = self._platform
        documents = platform.documents
        platform.graph.load(documents.load("model"))
        for kind in ("twin", "relationship"):
            platform.graph.load_encoded(kind, documents.load_encoded(kind))
        for kind in PLAIN_KINDS:
            self.plain[kind].update({d.key: d.doc for d in documents.load(kind)})
        platform.discovery.restore(self.plain["discovered"].values())
        platform.reactions.load(documents.load("alarm"), documents.load("command"))
        self._set_bindings()
        platform.policies.load()
        self._twins_changed(platform.graph.twins)
        platform.reactions.rules_changed(self.plain["rule"])
        platform.services.runs.load(documents.load("run"))

    def apply(self, edits: Iterable[Edit]) -> None:
        """Makes durable edits visible."""
        platform = self._platform
        edits = list(edits)
        kinds = {e.kind for e in edits}
        moved = dict.fromkeys(e.key for e in edits if e.kind == "twin" and self._is_moved(e))
        if kinds & GRAPH_KINDS:
            platform.moments.follow(edits)
            platform.graph.apply([e for e in edits if e.kind in GRAPH_KINDS])
        for edit in edits:
            if edit.kind in self.plain:
                if edit.doc is None:
                    self.plain[edit.kind].pop(edit.key, None)
                else:
                    self.plain[edit.kind][edit.key] = edit.doc
        if kinds & REACTED:
            platform.reactions.apply(edits)
        if "binding" in kinds:
            self._set_bindings()
        if kinds & POLICED:
            platform.policies.apply(edits)
        self._follow(edits, kinds, moved)
        if kinds & {"model", "settings", "derived", "service", "twin", "relationship"}:
            platform.derived.changed()
        platform.services.runs.apply(edits)
        if kinds & {"service", "fit", "model", "settings", "twin", "imported"}:
            platform.services.changed()
        platform.desired.apply(edits)
        if kinds & GRAPH_KINDS:
            platform.exports.twins_changed()

    def _is_moved(self, edit: Edit) -> bool:
        """Whether a twin comes, goes or changes its model, and with it what it may report."""
        return edit.doc is None or edit.doc["$metadata"]["$model"] != self.model_of(edit.key)

    def _follow(self, edits: list[Edit], kinds: set[str], moved: Iterable[str]) -> None:
        """Brings points, presence and rules into line."""
        platform = self._platform
        if kinds & {"model", "settings"}:
            self.signals.forget()
            platform.reactions.dispatch.guarding.forget()
            self._twins_changed(platform.graph.twins)
        else:
            self._twins_changed(moved)
        if kinds & {"derived", "service"}:
            self.signals.compiled.clear()
            platform.promql.index.forget_all()
        if kinds & {"model", "settings", "rule", "derived", "service"}:
            platform.reactions.rules_changed(self.plain["rule"])
        elif kinds & {"twin", "relationship"}:
            twins = [e.key for e in edits if e.kind == "twin"]
            deleted = [e.key for e in edits if e.kind == "twin" and e.doc is None]
            is_kin = platform.reactions.engine.reads_relatives
            platform.reactions.twins_changed(twins, deleted, is_kin=is_kin)
        if kinds & (
            GRAPH_KINDS
            | {"settings", "scene", "kpi", "rule", "derived", "discovered", "service", "fit"}
        ):
            platform.hub.event({"type": "graph"})

    def _set_bindings(self) -> None:
        self._platform.ingest_stage.set_bindings(
            [binding_from_json(doc) for doc in self.bindings_in_order()]
        )

    def bindings_in_order(self) -> list[Json]:
        """Bindings in the order in which they were made: the first that matches counts."""
        found = self.plain["binding"].values()
        return [
            {k: v for k, v in doc.items() if k != "order"}
            for doc in sorted(found, key=lambda d: int(d.get("order", 0)))
        ]

    def _twins_changed(self, twins: Iterable[str]) -> None:
        """Brings points and presence in line with twins that came, went or changed."""
        platform = self._platform
        points, presence, series = platform.points, platform.presence, platform.series
        find, default = platform.graph.twins.get, platform.config.stale_after
        of_model: dict[str, tuple[Layout, float]] = {}
        twins = list(twins)
        platform.promql.index.forget(twins)
        for key in twins:
            platform.results.twin_changed(key)
            twin = find(key)
            if twin is None:
                points.drop_twin(key)
                presence.remove(key)
                continue
            found = of_model.get(twin.model)
            if found is None:
                stale_after = float(self.signals.setting(twin.model, "staleAfter", default))
                found = of_model[twin.model] = (self.signals.layout_of(twin.model), stale_after)
            points.set_twin(key, found[0], series_of(series, key, found[0]))
            presence.add(key, found[1])

    def signals_with(self, graph: Graph, planned: Planned = NOTHING_PLANNED) -> Signals:
        """The signals as they will be with a draft's models, and with what else is planned."""
        names = ("settings", "derived", "service")
        return Signals(Models(graph), *({**self.plain[n], **planned.get(n, {})} for n in names))

    # ---- questions -----------------------------------------------------------------------

    @property
    def plant_name(self) -> str:
        return str(self.plain["scene"].get("plant", {}).get("name", "") or "Plant")

    def model_of(self, twin: str) -> str | None:
        return self._platform.graph.model_of(twin)

    def name_of(self, twin: str) -> str:
        return self._platform.graph.name_of(twin) or twin

    def unit_of(self, twin: str, path: str) -> str:
        """The unit's symbol, "" if there is none."""
        model = self.model_of(twin)
        if model is None:
            return ""
        signal = self.signals.of(model).get(path)
        if signal is not None:
            return symbol(signal.unit) if signal.unit else ""
        key = self.signals.derived_of(model).get(path)
        if key:
            unit = self._platform.derived.unit_of(key)
        else:
            given = outputs_of(self.signals, model).get(path)
            unit = given.unit if given is not None else ""
        return symbol(unit) if unit else ""

    def units_of(self, model: str) -> dict[str, str]:
        """By path of a model: the unit's symbol, "" if there is none."""
        derived = self._platform.derived
        units = {path: derived.unit_of(key) for path, key in self.signals.derived_of(model).items()}
        units |= {path: signal.unit for path, signal in self.signals.of(model).items()}
        return {path: symbol(unit) if unit else "" for path, unit in units.items()}

    def kind_of(self, twin: str, path: str) -> str:
        model = self.model_of(twin)
        signal = self.signals.of(model).get(path) if model else None
        return signal.schema.kind if signal else "double"

    def parent_of(self, twin: str) -> str | None:
        """The twin that contains this one, or None at the top."""
        for source, name in self._platform.graph.sources_of(twin):
            if name == CONTAINS:
                return source
        return None

    def children_of(self, twin: str) -> list[str]:
        return [t for t, name in self._platform.graph.targets_of(twin) if name == CONTAINS]

    def require_twin(self, twin: str) -> str:
        """The model of a twin.

        Raises:
            NotFound: there is no such twin.
        """
        model = self.model_of(twin)
        if model is None:
            raise NotFound(
                f"there is no twin '{twin}'",
                hint="GET /twins lists them; a device that was only discovered must be adopted",
                code="DigitalTwinNotFound",
            )
        return model

    # ---- discovered devices --------------------------------------------------------------

    def discovered(self, unknown: Mapping[str, Unknown]) -> None:
        """Remembers devices that no twin stands for."""
        new = self._platform.discovery.add(unknown, self._platform.clock())
        self._discovered_changed = True
        if new:
            self._platform.hub.event({"type": "graph"})

    def unadopted(self) -> list[str]:
        twins = self._platform.graph.twins
        return [device for device in self._platform.discovery.devices if device not in twins]

    def save_discovered(self) -> None:
        """Stores the list of discovered devices now and then; their readings are durable anyway."""
        self._ticks += 1
        if not self._discovered_changed or self._ticks % DISCOVERED_SAVE_SECONDS:
            return
        self.store_discovered()

    def store_discovered(self) -> None:
        """Stores what has changed in the list of discovered devices."""
        if not self._discovered_changed:
            return
        self._discovered_changed = False
        platform = self._platform
        edits = [
            Edit("discovered", key, doc, platform.clock(), "gemel", "heard of")
            for key, doc in platform.discovery.to_json().items()
            if self.plain["discovered"].get(key) != doc
        ]
        platform.start_task(platform.edit(lambda _, __: (edits, None)))
