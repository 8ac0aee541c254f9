"""A graph with edits that are planned but not yet committed: for plans of many edits at once.

Each edit is planned against the draft and then given to it, so that a relationship may point at a
twin that the same commit makes. The graph below is never changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gemel.core.document import Edit
from gemel.twins.dtdl.interface import Interface
from gemel.twins.graph import Graph
from gemel.twins.records import Link, ModelRecord, Twin


class Draft(Graph):
    """The graph below with `edits` applied; `models`, `twins` and `counts` are only its own."""

    def __init__(self, below: Graph) -> None:
        super().__init__()
        self._below = below
        self._gone: set[tuple[str, str]] = set()
        self.edits: list[Edit] = []

    def apply(self, edits: Sequence[Edit]) -> None:
        has_models = False
        for edit in edits:
            self._gone.add((edit.kind, edit.key))  # what is below shows no longer
            has_models |= edit.kind == "model"
        if has_models:
            super().apply(edits)
        else:
            self.version += 1
            self._recent.clear()
            for edit in edits:
                self._apply_one(edit)
        self.edits += edits

    def add_link(self, edit: Edit, link: Link) -> None:
        """As `apply`, for a relationship that is nowhere yet."""
        self.version += 1
        self._outgoing.add(link.source, link)
        self._incoming.add(link.target, link)
        self.edits.append(edit)

    def model_ids(self) -> Iterable[str]:
        below = (key for key in self._below.model_ids() if ("model", key) not in self._gone)
        return [*below, *self.models]

    def find_model(self, model_id: str) -> Interface | None:
        if ("model", model_id) in self._gone:
            return super().find_model(model_id)
        return self._below.find_model(model_id)

    def find_record(self, model_id: str) -> ModelRecord | None:
        if ("model", model_id) in self._gone:
            return super().find_record(model_id)
        return self._below.find_record(model_id)

    def find_twin(self, twin_id: str) -> Twin | None:
        own, gone = self.twins.get(twin_id), self._gone
        if own is not None or (gone and ("twin", twin_id) in gone):
            return own
        return self._below.find_twin(twin_id)

    def rebase(self, below: Graph) -> None:
        """From now on stands on another graph, which shows all that the old one did."""
        self._below = below

    def find_relationship(self, source: str, relationship: str) -> Link | None:
        own = self._outgoing.find(source, relationship)
        gone = self._gone
        if own is not None or (gone and ("relationship", f"{source}\n{relationship}") in gone):
            return own
        return self._below.find_relationship(source, relationship)

    def outgoing(self, twin_id: str) -> list[Link]:
        return self._still(self._below.outgoing(twin_id)) + super().outgoing(twin_id)

    def incoming(self, twin_id: str) -> list[Link]:
        return self._still(self._below.incoming(twin_id)) + super().incoming(twin_id)

    def _still(self, links: Iterable[Link]) -> list[Link]:
        return [link for link in links if ("relationship", link.key) not in self._gone]
