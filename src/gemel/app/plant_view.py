"""The twins as services and their runs see them (`gemel.services.contract.Plant`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gemel.app.rule_means import NUMBERS
from gemel.core.document import Json
from gemel.services.contract import Signal

if TYPE_CHECKING:
    from gemel.app.platform import Platform


class PlantView:
    """Looks things up in the graph as it is now."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def twins_of(self, model: str) -> list[str]:
        """The twins of a model and of models that extend it, in order of their ids."""
        graph = self._platform.graph
        return sorted(t.id for t in graph.twins.values() if graph.is_of_model(t, model))

    def signals_of(self, twin: str) -> list[Signal]:
        """The numeric telemetry and properties of a twin, components included."""
        model = self._platform.catalogue.model_of(twin)
        if model is None:
            return []
        return [
            Signal(twin, path, signal.unit, signal.minimum, signal.maximum)
            for path, signal in sorted(self._platform.catalogue.signals.of(model).items())
            if signal.schema.kind in NUMBERS
        ]

    def document(self, twin: str) -> Json | None:
        """What a run may know of a twin."""
        graph = self._platform.graph
        record = graph.find_twin(twin)
        if record is None:
            return None
        return {
            "id": twin,
            "model": record.model,
            "name": graph.name_of(twin) or twin,
            "properties": {k: v for k, v in record.doc.items() if not k.startswith("$")},
            "relationships": [
                {"name": name, "target": target} for target, name in graph.targets_of(twin)
            ],
        }

    def work_done(self, twins: Iterable[str]) -> list[Json]:
        """The work orders on these twins that are done, as a run may know of them."""
        book = self._platform.work.book
        fields = ("id", "twin", "title", "createdBy", "created", "finished")
        return [
            {field: order[field] for field in fields}
            for twin in twins
            for order in book.find(twin=twin, state="done")
        ]
