"""Documents: everything people and programs configure or do, stored as JSON and versioned.

A document is found by (kind, key): a model, a twin, a relationship, a rule, an alarm, a command.
Every change is an `Edit`, with who made it, when and why; the current documents are the fold of
all edits, so "what was it last Tuesday" is a read of the same log.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
Encoded = tuple[str, bytes | None, str]
"""An edit as it is stored: the document's key, its JSON (None for a deletion) and its etag."""

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
