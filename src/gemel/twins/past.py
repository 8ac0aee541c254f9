"""The graph as of a moment: what was different then, laid over the graph of now.

Only what was edited since is kept here; everything else is read from the graph below, which goes on
changing: before it does, `follow` keeps what was. So a moment of last week costs what was edited in
that week, not what there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gemel.core.document import Document, Edit, Json
from gemel.twins.draft import Draft
from gemel.twins.graph import Graph
from gemel.twins.records import Link, Twin

Key = tuple[str, str]
KINDS = ("model", "twin", "relationship")


class Past(Draft):
    """The graph below as of `moment` (ns).

    Make it, call `follow` with all edits from then on (before the graph below applies them), and
    give `take` what was edited between the moment and now.
    """

    def __init__(self, below: Graph, moment: int) -> None:
        super().__init__(below)
        self.moment = moment
        self.has_other_models = False
        """Whether models were edited since."""
        self._sources: set[str] = set()
        self._targets: set[str] = set()

    def take(self, documents: Iterable[tuple[str, str, Json | None, str]]) -> None:
        """Takes in (kind, key, document or None, etag) of all that was edited since the moment."""
        found = sorted(documents, key=lambda one: KINDS.index(one[0]))
        for kind, key, _, _ in found:
            if (kind, key) in self._gone:
                self._forget(kind, key)
            self._hide(kind, key)
        self.load(Document(k, key, doc, 0, "", etag) for k, key, doc, etag in found if doc)

    def follow(self, edits: Sequence[Edit]) -> None:
        """Keeps what edits are about to change below; those of before the moment count here too."""
        late = [edit for edit in edits if edit.time > self.moment]
        self._targets.update(
            edit.doc["$targetId"] for edit in late if edit.kind == "relationship" and edit.doc
        )
        for edit in late:
            if edit.kind in KINDS and (edit.kind, edit.key) not in self._gone:
                self._keep(edit.kind, edit.key)
        early = [e for e in edits if e.time <= self.moment and e.kind in KINDS]
        if early:
            for edit in early:
                self._hide(edit.kind, edit.key)
            self.apply(early)

    def _keep(self, kind: str, key: str) -> None:
        """What the graph below has now is what there was."""
        below = self._below
        if kind == "model":
            interface, record = below.find_model(key), below.find_record(key)
            self._hide(kind, key)
            if interface is not None and record is not None:
                self.models[key], self.records[key] = interface, record
        elif kind == "twin":
            twin = below.find_twin(key)
            self._hide(kind, key)
            if twin is not None:
                self.twins[key] = twin
        else:
            link = below.find_relationship(*key.split("\n", 1))
            self._hide(kind, key)
            if link is not None:
                self._put_link(link)

    def _hide(self, kind: str, key: str) -> None:
        """What the graph below has of this no longer shows."""
        self._gone.add((kind, key))
        if kind == "model":
            self.has_other_models = True
        elif kind == "relationship":
            source, relationship = key.split("\n", 1)
            self._sources.add(source)
            link = self._below.find_relationship(source, relationship)
            if link is not None:
                self._targets.add(link.target)

    def _forget(self, kind: str, key: str) -> None:
        if kind == "model":
            self._drop_model(key)
        elif kind == "twin":
            self._set_twin(key, None)
        else:
            self._drop_relationship(*key.split("\n", 1))

    # ---- what queries read ---------------------------------------------------------------

    def all_twins(self) -> Mapping[str, Twin]:
        below = self._below.all_twins()
        gone = {key for kind, key in self._gone if kind == "twin"}
        if not gone:
            return below
        kept = {key: twin for key, twin in below.items() if key not in gone}
        return kept | self.twins

    def sources(self) -> list[str]:
        return list(dict.fromkeys([*self._below.sources(), *self._outgoing]))

    def outgoing(self, twin_id: str) -> list[Link]:
        if twin_id not in self._sources:
            return self._below.outgoing(twin_id)
        return super().outgoing(twin_id)

    def incoming(self, twin_id: str) -> list[Link]:
        if twin_id not in self._targets and twin_id not in self._incoming:
            return self._below.incoming(twin_id)
        return super().incoming(twin_id)
