"""Series: a small integer for each (twin, property path, provenance), given once and for ever.

A provenance is one of four words, with a label behind a colon where one property has several of a
kind: `predicted`, `simulated:two-pumps`. A quantile of an uncertain value is a series of its own
beside it: the 5 % quantile of `flow` is `flow@q0.05`, of the same provenance.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from gemel.core.errors import InvalidInput

MEASURED, DERIVED, PREDICTED, SIMULATED = "measured", "derived", "predicted", "simulated"
PROVENANCES: dict[str, str] = {
    MEASURED: "a device or a person sent it",
    DERIVED: "computed from measured values of the same time",
    PREDICTED: "said of a time ahead, or of what nobody measures",
    SIMULATED: "what would be, under other conditions",
}
QUANTILE = "@q"
BESIDE = "@"
"""Between a path and a provenance, where one name stands for both: `flow@predicted`."""
LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


class SeriesKey(NamedTuple):
    twin: str
    path: str
    """Telemetry or property name; names in components and objects are joined by '.'."""
    provenance: str = MEASURED
    """measured, derived, predicted or simulated, perhaps with a label behind a colon."""


def word_of(provenance: str) -> str:
    """The word of a provenance, without its label."""
    return provenance.partition(":")[0]


def check_provenance(provenance: str) -> str:
    """The same, if it is one.

    Raises:
        InvalidInput: it is not one of the words, or its label is malformed.
    """
    word, colon, label = provenance.partition(":")
    if word not in PROVENANCES or (colon and word == MEASURED):
        hint = "one of " + ", ".join(PROVENANCES) + "; all but the first may have a ':label'"
        raise InvalidInput(f"provenance: '{provenance}'", hint=hint)
    if colon and LABEL.match(label) is None:
        hint = "1 to 64 letters, digits, '.', '_' and '-', as in simulated:two-pumps"
        raise InvalidInput(f"provenance: '{provenance}': its label is malformed", hint=hint)
    return provenance


def is_revised(provenance: str) -> bool:
    """Whether a later value for a time takes the place of an earlier one: all but measured ones."""
    return provenance != MEASURED and word_of(provenance) in PROVENANCES


def is_supposed(provenance: str) -> bool:
    """Whether it tells of what is not: such values raise no alarm and are no device's state."""
    return word_of(provenance) in (PREDICTED, SIMULATED)


def split_beside(name: str) -> tuple[str, str]:
    """(path, provenance) of a name such as `flow@predicted`; a plain path is measured."""
    path, mark, provenance = name.rpartition(BESIDE)
    if mark and word_of(provenance) in PROVENANCES:
        return path, provenance
    return name, MEASURED


def quantile_path(path: str, level: float) -> str:
    """The path of a quantile of `path`, `level` between 0 and 1."""
    if not 0 < level < 1:
        raise InvalidInput(f"quantile {level} of '{path}'", hint="between 0 and 1, as 0.05")
    return f"{path}{QUANTILE}{level:.6g}"


def quantile_of(path: str) -> tuple[str, float] | None:
    """(path, level) of a quantile's path; None for any other path."""
    base, found, level = path.rpartition(QUANTILE)
    try:
        number = float(level) if found and base else 0.0
    except ValueError:
        return None
    return (base, number) if 0 < number < 1 and path == quantile_path(base, number) else None


class SeriesTable:
    """All series, by number and by key. New ones become durable with the next log record."""

    __slots__ = ("_ids", "_twins", "keys", "revised")

    def __init__(self) -> None:
        self.keys: list[SeriesKey] = []
        self.revised: set[int] = set()
        """Series whose later values take the place of earlier ones of the same time."""
        self._ids: dict[SeriesKey, int] = {}
        self._twins: dict[str, list[int]] = {}

    def __len__(self) -> int:
        return len(self.keys)

    def id(self, twin: str, path: str, provenance: str = MEASURED) -> int:
        """The number of a series, given now if it is new."""
        key = SeriesKey(twin, path, provenance)
        found = self._ids.get(key)
        if found is not None:
            return found
        number = len(self.keys)
        if is_revised(provenance):
            self.revised.add(number)
        self.keys.append(key)
        self._ids[key] = number
        self._twins.setdefault(twin, []).append(number)
        return number

    def find(self, twin: str, path: str, provenance: str = MEASURED) -> int | None:
        return self._ids.get(SeriesKey(twin, path, provenance))

    def is_shown(self, twin: str, path: str) -> bool:
        """Whether whoever was given this table may know of a path; policies may hide some."""
        return True

    def of_twin(self, twin: str) -> list[int]:
        return list(self._twins.get(twin, ()))
