"""What is different in a document between two versions, path by path."""

from __future__ import annotations

from typing import NamedTuple

from gemel.core.document import Json

STAMPS = frozenset({"$lastUpdateTime", "lastUpdateTime", "uploadTime"})
"""When something was written, which differs whenever anything does."""
NOTHING = object()


class Difference(NamedTuple):
    """One value that is not the same; None where it is null or not there."""

    path: str
    before: object
    after: object
    act: str
    """`added`, `removed` or `changed`."""

    def view(self) -> Json:
        return {"path": self.path, "before": self.before, "after": self.after, "act": self.act}


def act_of(before: object, after: object) -> str:
    """What happened to a document; None is one that is not there."""
    if before is None:
        return "added"
    return "removed" if after is None else "changed"


def differences(before: Json | None, after: Json | None) -> list[Difference]:
    """All values that differ, in order of their paths.

    Objects are compared field by field, and lists of things with names by name; other lists, and
    what is only on one side, as a whole.
    """
    found: list[Difference] = []
    _compare("", before or {}, after or {}, found)
    return sorted(found, key=lambda one: one.path)


def _compare(path: str, before: object, after: object, found: list[Difference]) -> None:
    one, other = _fields(before), _fields(after)
    if one is not None and other is not None:
        for name in one.keys() | other.keys():
            if name not in STAMPS:
                inner = f"{path}.{name}" if path else name
                _compare(inner, one.get(name, NOTHING), other.get(name, NOTHING), found)
    elif before is NOTHING:
        if not _is_only_stamps(after):
            found.append(Difference(path, None, after, "added"))
    elif after is NOTHING:
        if not _is_only_stamps(before):
            found.append(Difference(path, before, None, "removed"))
    elif before != after or type(before) is not type(after):
        found.append(Difference(path, before, after, "changed"))


def _is_only_stamps(value: object) -> bool:
    return isinstance(value, dict) and bool(value) and value.keys() <= STAMPS


def _fields(value: object) -> Json | None:
    """Inner values by name, where a value has such."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and value:
        named = {
            one["name"]: one
            for one in value
            if isinstance(one, dict) and isinstance(one.get("name"), str)
        }
        return named if len(named) == len(value) else None
    return None
