"""Documents: everything people and programs configure or do, stored as JSON and versioned.

A document is found by (kind, key): a model, a twin, a relationship, a rule, an alarm, a command.
Every change is an `Edit`, with who made it, when and why; the current documents are the fold of
all edits, so "what was it last Tuesday" is a read of the same log.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Json = dict[str, Any]
KINDS = (
    "model",
    "settings",
    "twin",
    "relationship",
    "binding",
    "rule",
    "derived",
    "alarm",
    "alarmgroup",
    "philosophy",
    "receiver",
    "notification",
    "notice",
    "workorder",
    "attachment",
    "command",
    "control",
    "desired",
    "token",
    "refusal",
    "policy",
    "scene",
    "geometry",
    "view",
    "kpi",
    "connection",
    "export",
    "discovered",
    "job",
    "endpoint",
    "route",
    "service",
    "run",
    "fit",
    "behaviour",
    "scenario",
)


@dataclass(slots=True)
class Edit:
    """One change of one document; `doc` None deletes it.

    Never changed once made; not frozen, as making a frozen one takes three times as long and an
    import makes millions.
    """

    kind: str
    key: str
    doc: Json | None
    time: int
    """ns since 1970 UTC."""
    who: str
    why: str = ""
    etag: str = ""
    encoded: bytes | None = field(default=None, compare=False, repr=False)
    """The document as JSON, where that was made already."""
    made: object = field(default=None, compare=False, repr=False)
    """What planning made of the document, for the stage that applies the edit."""


@dataclass(frozen=True, slots=True)
class Document:
    kind: str
    key: str
    doc: Json
    time: int
    who: str
    etag: str


@dataclass(frozen=True, slots=True)
class Version:
    """One line of a document's history; `doc` None is a deletion."""

    seq: int
    doc: Json | None
    time: int
    who: str
    why: str


class Encoded(NamedTuple):
    """Edits in their order as they are stored, none decoded."""

    keys: list[str]
    docs: bytes
    """Their documents as one JSON array; null is a deletion."""
    sizes: list[int]
    """How many bytes of the array each document takes."""
    etags: list[str]

    def each(self) -> Iterator[tuple[str, bytes | None, str]]:
        """Key, document and etag of each."""
        docs, begin = self.docs, 1
        for key, size, etag in zip(self.keys, self.sizes, self.etags, strict=True):
            doc = docs[begin : begin + size]
            yield key, None if doc == b"null" else doc, etag
            begin += size + 1
