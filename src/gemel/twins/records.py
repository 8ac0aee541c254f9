"""Twins, relationships and model records as the graph keeps them: lean, and made from documents.

`Twin` and `Link` never change once made; they are not frozen because millions are made at start,
and making a frozen one takes three times as long.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import orjson

from gemel.core.clock import LAST, from_iso
from gemel.core.document import Json
from gemel.core.errors import GemelError

MODEL_EXTRAS = ("decommissioned", "uploadTime")
"""What a stored model has beside the interface as it was uploaded."""
LINK_FIELDS = ("$relationshipId", "$sourceId", "$targetId", "$relationshipName")
NAMES = ("name", "displayName")
"""Properties that hold what people call a twin; the first that is a text counts."""


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """What is known of a model beside its interface."""

    definition: Json
    """As uploaded."""
    is_decommissioned: bool
    upload_time: str

    def doc(self) -> Json:
        """As it is stored."""
        return {
            **self.definition,
            "decommissioned": self.is_decommissioned,
            "uploadTime": self.upload_time,
        }


@dataclass(slots=True, unsafe_hash=True)
class Twin:
    """A twin as stored. Its document is kept as bytes: a fifth of the memory, unseen by the GC."""

    id: str
    model: str
    name: str | None
    stored: bytes
    """Its etag, a line feed, and the document as JSON: as one, since there are very many."""

    @property
    def etag(self) -> str:
        return self.stored[: self.stored.index(b"\n")].decode()

    @property
    def doc(self) -> Json:
        """A fresh copy: properties, components, `$metadata`, and `$desired` if there is any."""
        found: Json = self.etag_and_doc()[1]
        return found

    def etag_and_doc(self) -> tuple[str, Json]:
        stored = self.stored
        end = stored.index(b"\n")
        return stored[:end].decode(), orjson.loads(stored[end:])  # JSON may begin with a line feed


@dataclass(slots=True, eq=False)
class Link:
    """A relationship as stored."""

    source: str
    id: str
    name: str
    target: str
    etag: str
    encoded: bytes | None
    """Its properties as JSON; None if there are none."""

    @property
    def key(self) -> str:
        return relationship_key(self.source, self.id)

    @property
    def properties(self) -> Json:
        found: Json = {} if self.encoded is None else orjson.loads(self.encoded)
        return found

    def view(self) -> Json:
        """The Azure Digital Twins form."""
        return {
            "$relationshipId": self.id,
            "$etag": self.etag,
            "$sourceId": self.source,
            "$relationshipName": self.name,
            "$targetId": self.target,
            **self.properties,
        }


def relationship_key(source: str, relationship: str) -> str:
    return f"{source}\n{relationship}"


def make_twin(twin_id: str, doc: Json, etag: str, encoded: bytes | None = None) -> Twin:
    """A twin from its document, or from that and the same as JSON."""
    model = sys.intern(doc["$metadata"]["$model"])
    name = doc.get("name")
    if not name or not isinstance(name, str):
        name = next((n for n in map(doc.get, NAMES) if isinstance(n, str) and n), None)
    encoded = orjson.dumps(doc) if encoded is None else encoded
    return Twin(twin_id, model, name, b"\n".join((etag.encode(), encoded)))


def make_link(doc: Json, etag: str, source: str = "", target: str = "") -> Link:
    """A relationship from its document; `source` and `target` may give strings to share."""
    return Link(
        source or doc["$sourceId"],
        doc["$relationshipId"],
        sys.intern(doc["$relationshipName"]),
        target or doc["$targetId"],
        etag,
        None if len(doc) == len(LINK_FIELDS) else rest_of(doc),
    )


def rest_of(doc: Json) -> bytes:
    """The properties of a relationship as JSON, cut to size (orjson's allocation is larger)."""
    rest = {name: value for name, value in doc.items() if name not in LINK_FIELDS}
    return bytes(memoryview(orjson.dumps(rest)))


def make_record(doc: Json) -> ModelRecord:
    definition = {name: value for name, value in doc.items() if name not in MODEL_EXTRAS}
    return ModelRecord(definition, bool(doc.get("decommissioned")), str(doc.get("uploadTime", "")))


def value_time(metadata: object) -> int:
    """When a stored value was true, in ns: its `sourceTime`, else its `lastUpdateTime`, else 0."""
    if isinstance(metadata, dict):
        text = metadata.get("sourceTime") or metadata.get("lastUpdateTime")
        if isinstance(text, str):
            try:
                return min(from_iso(text), LAST)
            except GemelError:
                return 0
    return 0
