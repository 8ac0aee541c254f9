"""The twin graph in memory: models, twins, and relationships with adjacency both ways.

Reading and folding in edits is here; planning edits is in `models`, `twin_edits` and
`relationship_edits`: those check a change against the graph and return `Edit`s, which the platform
commits durably and only then gives to `Graph.apply`.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from gemel.core.document import Document, Edit, Encoded, Json
from gemel.core.errors import Damaged, ModelInvalid, NotFound
from gemel.twins.adjacency import Adjacency
from gemel.twins.dtdl.interface import Interface
from gemel.twins.dtdl.parser import parse
from gemel.twins.loading import UNUSABLE, load_links, load_twins, unusable
from gemel.twins.records import (
    Link,
    ModelRecord,
    Twin,
    make_link,
    make_record,
    make_twin,
    value_time,
)

MOST_RECENT = 64


@dataclass(frozen=True, slots=True)
class EditContext:
    """Who edits, when and why; and where new etags come from."""

    now: int
    who: str
    new_etag: Callable[[], str]
    why: str = ""

    def edit(
        self,
        kind: str,
        key: str,
        doc: Json | None,
        etag: str = "",
        encoded: bytes | None = None,
        made: object = None,
    ) -> Edit:
        return Edit(kind, key, doc, self.now, self.who, self.why, etag, encoded, made)


class Graph:
    """All models, twins and relationships as of the last edit that was applied.

    `models` and `twins` are for reading; they stay the same objects for the graph's life.
    """

    def __init__(self) -> None:
        self.models: dict[str, Interface] = {}
        self.records: dict[str, ModelRecord] = {}
        self.twins: dict[str, Twin] = {}
        self._outgoing = Adjacency(attrgetter("id"))
        self._incoming = Adjacency(id)
        self._parsed: dict[str, Interface] = {}
        self.version = 0
        """Grows with every change, so that what was worked out from a graph can tell its age."""
        self._recent: deque[tuple[int, tuple[str, ...]]] = deque(maxlen=MOST_RECENT)
        """The twins that the last versions changed."""
        self._by_model: Counter[str] | None = None
        """How many twins each model has, once somebody has asked."""

    # ---- what planning and views read; `Draft` overrides these ---------------------------

    def model_ids(self) -> Iterable[str]:
        return self.models

    def find_model(self, model_id: str) -> Interface | None:
        return self.models.get(model_id)

    def find_record(self, model_id: str) -> ModelRecord | None:
        return self.records.get(model_id)

    def find_twin(self, twin_id: str) -> Twin | None:
        return self.twins.get(twin_id)

    def find_relationship(self, source: str, relationship: str) -> Link | None:
        return self._outgoing.find(source, relationship)

    def outgoing(self, twin_id: str) -> list[Link]:
        """Relationships whose source is this twin."""
        return list(self._outgoing.of(twin_id))

    def incoming(self, twin_id: str) -> list[Link]:
        """Relationships whose target is this twin."""
        return list(self._incoming.of(twin_id))

    def all_twins(self) -> Mapping[str, Twin]:
        return self.twins

    def sources(self) -> list[str]:
        """The twins that have outgoing relationships."""
        return list(self._outgoing)

    # ---- questions -----------------------------------------------------------------------

    def model(self, model_id: str) -> Interface:
        """A model that must be there.

        Raises:
            NotFound: it is not.
        """
        found = self.find_model(model_id)
        if found is None:
            raise NotFound(
                f"there is no model '{model_id}'",
                hint="POST it to /models first, or look for its id in GET /models",
                code="ModelNotFound",
            )
        return found

    def twin(self, twin_id: str) -> Twin:
        """A twin that must be there.

        Raises:
            NotFound: it is not.
        """
        found = self.find_twin(twin_id)
        if found is None:
            raise NotFound(
                f"there is no twin '{twin_id}'",
                hint="ids are case-sensitive; make it with PUT /digitaltwins/{id}",
                code="DigitalTwinNotFound",
            )
        return found

    def relationship(self, source: str, relationship: str) -> Link:
        """A relationship that must be there.

        Raises:
            NotFound: it, or its source, is not.
        """
        self.twin(source)
        found = self.find_relationship(source, relationship)
        if found is None:
            raise NotFound(
                f"twin '{source}' has no outgoing relationship '{relationship}'",
                hint="GET /digitaltwins/{id}/relationships lists them",
                code="RelationshipNotFound",
            )
        return found

    def model_of(self, twin_id: str) -> str | None:
        twin = self.find_twin(twin_id)
        return None if twin is None else twin.model

    def name_of(self, twin_id: str) -> str | None:
        """What people call a twin: its property `name` or `displayName`."""
        twin = self.find_twin(twin_id)
        return None if twin is None else twin.name

    def is_of_model(self, twin: Twin, model_id: str, is_exact: bool = False) -> bool:
        """Whether a twin has this model or, unless `is_exact`, one that extends it."""
        if twin.model == model_id:
            return True
        interface = None if is_exact else self.find_model(twin.model)
        return interface is not None and model_id in interface.bases

    def relationships_of(self, twin_id: str) -> list[Json]:
        return [link.view() for link in self.outgoing(twin_id)]

    def incoming_of(self, twin_id: str) -> list[Json]:
        return [link.view() for link in self.incoming(twin_id)]

    def targets_of(self, twin_id: str) -> list[tuple[str, str]]:
        """(target, relationship name) of each outgoing relationship."""
        return [(link.target, link.name) for link in self.outgoing(twin_id)]

    def sources_of(self, twin_id: str) -> list[tuple[str, str]]:
        """(source, relationship name) of each incoming relationship."""
        return [(link.source, link.name) for link in self.incoming(twin_id)]

    def desired_of(self, twin_id: str) -> Json:
        """Property path to the value that was asked for."""
        twin = self.find_twin(twin_id)
        if twin is None or b'"$desired"' not in twin.stored:
            return {}
        found: Json = twin.doc.get("$desired", {})
        return found

    def stored_values(self, twin_id: str) -> dict[str, tuple[object, int]]:
        """Property path to (value, time in ns) as people and programs set them."""
        twin = self.find_twin(twin_id)
        if twin is None:
            return {}
        found: dict[str, tuple[object, int]] = {}
        _collect(twin.doc, "", found)
        return found

    def twins_changed_since(self, version: int) -> list[str] | None:
        """Which twins were changed, made or deleted since a version; None if it is too long ago."""
        if version == self.version:
            return []
        if not self._recent or self._recent[0][0] > version + 1:
            return None
        return [twin for made, twins in self._recent if made > version for twin in twins]

    def models_in_use(self) -> list[str]:
        """The models that twins are of.

        Cost: one look at every twin when it is first asked for; each change of a twin counts on.
        """
        if self._by_model is None:
            self._by_model = Counter(twin.model for twin in self.twins.values())
        return [model for model, count in self._by_model.items() if count]

    def counts(self) -> tuple[int, int, int]:
        """How many models, twins and relationships there are."""
        return len(self.models), len(self.twins), self._outgoing.count()

    # ---- changing ------------------------------------------------------------------------

    def load(self, documents: Iterable[Document]) -> None:
        """Takes in stored documents; models stand before twins, twins before relationships.

        Raises:
            Damaged: a document is not what this program writes.
        """
        models: dict[str, Json] = {}
        self.version += 1
        self._recent.clear()
        for document in documents:
            try:
                if document.kind == "model":
                    models[document.key] = document.doc
                elif document.kind == "twin":
                    self._put_twin(document.key, document.doc, document.etag)
                elif document.kind == "relationship":
                    self._put_relationship(document.doc, document.etag)
            except UNUSABLE as error:
                raise unusable(document.kind, document.key, error) from error
        self._put_models(models)

    def load_encoded(self, kind: str, pieces: Iterable[Encoded]) -> None:
        """As `load`, for all twins or all relationships as they are stored; models are there.

        Cost: 4 us a row, a fourth of it that of reading rows.

        Raises:
            Damaged: a document is not what this program writes.
        """
        self.version += 1
        self._recent.clear()
        self._by_model = None
        if kind == "twin":
            load_twins(pieces, self.twins)
        else:
            self._outgoing.side, self._incoming.side = load_links(pieces, self.twins)

    def stage(self, interfaces: dict[str, Interface]) -> None:
        """Keeps what planning has parsed, so that applying need not parse it again."""
        self._parsed = interfaces

    def apply(self, edits: Sequence[Edit]) -> None:
        """Makes committed edits visible; edits of other kinds are not for the graph."""
        self.version += 1
        self._recent.append((self.version, tuple(e.key for e in edits if e.kind == "twin")))
        models = {e.key: e.doc for e in edits if e.kind == "model" and e.doc is not None}
        if models:
            self._put_models(models)
        for edit in edits:
            if edit.kind == "model":
                if edit.doc is None:
                    self._drop_model(edit.key)
            else:
                self._apply_one(edit)

    def _apply_one(self, edit: Edit) -> None:
        """Makes one edit of a twin or relationship visible."""
        if edit.kind == "twin":
            if edit.doc is None:
                self._set_twin(edit.key, None)
            elif isinstance(edit.made, Twin):
                self._set_twin(edit.key, edit.made)
            else:
                self._put_twin(edit.key, edit.doc, edit.etag, edit.encoded)
        elif edit.kind == "relationship":
            if isinstance(edit.made, Link):
                self._put_link(edit.made)
            elif edit.doc is not None:
                self._put_relationship(edit.doc, edit.etag)
            else:
                self._drop_relationship(*edit.key.split("\n", 1))

    def _put_models(self, docs: dict[str, Json]) -> None:
        """Makes models visible, parsing together those that were not staged and are not there."""
        records = {key: make_record(doc) for key, doc in docs.items()}
        unknown = {
            key: record.definition
            for key, record in records.items()
            if not self._is_parsed(key, record.definition)
        }
        if unknown:
            known = {key: self.model(key) for key in self.model_ids() if key not in unknown}
            try:
                self._parsed = self._parsed | parse(list(unknown.values()), known)
            except ModelInvalid as error:
                raise Damaged(
                    f"stored models can no longer be read: {error.message}",
                    hint="run the version that stored them, or restore a backup",
                    details=error.details,
                ) from error
        for key, record in records.items():
            staged, there = self._parsed.get(key), self.find_model(key)
            if staged is not None and staged.raw == record.definition:
                self.models[key] = staged
            elif there is not None:
                self.models[key] = there
            self.records[key] = record
        self._parsed = {}

    def _is_parsed(self, key: str, definition: Json) -> bool:
        staged, there = self._parsed.get(key), self.find_model(key)
        return (staged is not None and staged.raw == definition) or (
            there is not None and there.raw == definition
        )

    def _drop_model(self, key: str) -> None:
        self.models.pop(key, None)
        self.records.pop(key, None)

    def _put_twin(self, key: str, doc: Json, etag: str, encoded: bytes | None = None) -> None:
        self._set_twin(key, make_twin(key, doc, etag, encoded))

    def _set_twin(self, key: str, twin: Twin | None) -> None:
        """Shows a twin, or with None no longer."""
        old = self.twins.pop(key, None) if twin is None else self.twins.get(key)
        if twin is not None:
            self.twins[key] = twin
        if self._by_model is not None:
            self._by_model.subtract([old.model] if old else [])
            self._by_model.update([twin.model] if twin else [])

    def _put_relationship(self, doc: Json, etag: str) -> None:
        link = make_link(doc, etag, self._own(doc["$sourceId"]), self._own(doc["$targetId"]))
        self._put_link(link)

    def _put_link(self, link: Link) -> None:
        """Adds a relationship, in place of the one there was of its name."""
        old = self._outgoing.put(link.source, link)
        if old is not None:
            self._incoming.drop(old.target, old)
        self._incoming.add(link.target, link)

    def _own(self, twin_id: str) -> str:
        """The string that the twin itself holds, so that all its relationships share it."""
        twin = self.twins.get(twin_id)
        return twin_id if twin is None else twin.id

    def _drop_relationship(self, source: str, relationship: str) -> None:
        link = self._outgoing.find(source, relationship)
        if link is not None:
            self._outgoing.drop(source, link)
            self._incoming.drop(link.target, link)


def _collect(container: Json, prefix: str, found: dict[str, tuple[object, int]]) -> None:
    """Adds the values of a twin or component, those of objects by path too."""
    times = container.get("$metadata", {})
    for name, value in container.items():
        if name.startswith("$"):
            continue
        if isinstance(value, dict) and "$metadata" in value:
            _collect(value, f"{prefix}{name}.", found)
            continue
        time = value_time(times.get(name))
        found[prefix + name] = (value, time)
        if isinstance(value, dict):
            _collect_fields(value, f"{prefix}{name}.", time, found)


def _collect_fields(
    fields: Json, prefix: str, time: int, found: dict[str, tuple[object, int]]
) -> None:
    for name, value in fields.items():
        found[prefix + name] = (value, time)
        if isinstance(value, dict):
            _collect_fields(value, f"{prefix}{name}.", time, found)
