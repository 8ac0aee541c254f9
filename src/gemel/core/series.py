"""Series: a small integer for each (twin, property path, provenance), given once and for ever.

A provenance is one of four words, with a label behind a colon where one property has several of a
kind: `predicted`, `simulated:two-pumps`. A quantile of an uncertain value is a series of its own
beside it: the 5 % quantile of `flow` is `flow@q0.05`, of the same provenance.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

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
MOST_SHAPED = 512
"""So many series of a twin are found by its shape; further ones have a place of their own."""


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


class _Shape:
    """Which series a twin has, in the order of their numbers; twins of one model share it.

    A shape grows into another by one name, so that twins that got theirs in one order end at the
    same one: what differs between such twins is the number of their first series.
    """

    __slots__ = ("_names", "_offsets", "_paths", "grown", "name", "parent", "size")

    def __init__(self, parent: _Shape | None = None, name: int = -1) -> None:
        self.parent = parent
        self.name = name
        self.size: int = 0 if parent is None else parent.size + 1
        self.grown: dict[int, _Shape] = {}
        self._offsets: dict[int, int] | None = None
        self._names: tuple[int, ...] | None = None
        self._paths: tuple[str, ...] | None = None

    def paths(self, known: list[tuple[str, str]]) -> tuple[str, ...]:
        """The paths of its names, kept for the next time."""
        if self._paths is None:
            self._paths = tuple(known[name][0] for name in self.names)
        return self._paths

    @property
    def names(self) -> tuple[int, ...]:
        if self._names is None:
            self._names = tuple(reversed(self._worked_out()))
        return self._names

    def find(self, name: int) -> int | None:
        """The place of a name among the twin's series."""
        if self._offsets is None:
            self._offsets = self._worked_out()
        return self._offsets.get(name)

    def _worked_out(self) -> dict[int, int]:
        found: dict[int, int] = {}
        shape: _Shape = self
        while shape.parent is not None:
            found[shape.name] = shape.size - 1
            shape = shape.parent
        return found

    def with_name(self, name: int) -> _Shape:
        shape = self.grown.get(name)
        if shape is None:
            shape = self.grown[name] = _Shape(self, name)
            shape._offsets, self._offsets = self._offsets or self._worked_out(), None
            shape._offsets[name] = self.size
        return shape


class Keys(Sequence[SeriesKey]):
    """The keys of all series by number; each is made when it is asked for."""

    __slots__ = ("_table",)

    def __init__(self, table: SeriesTable) -> None:
        self._table = table

    def __len__(self) -> int:
        return len(self._table)

    @overload
    def __getitem__(self, number: int) -> SeriesKey: ...

    @overload
    def __getitem__(self, number: slice) -> list[SeriesKey]: ...

    def __getitem__(self, number: int | slice) -> SeriesKey | list[SeriesKey]:
        if isinstance(number, slice):
            return [self._table.key(n) for n in range(*number.indices(len(self._table)))]
        return self._table.key(number if number >= 0 else number + len(self._table))


class SeriesTable:
    """All series, by number and by key. New ones become durable with the next log record.

    Numbers are given in order; those of a twin mostly follow each other. So a twin is the number of
    its first series and a shape that it shares with others of its model.

    Cost: 4 bytes a series and about 100 a twin.
    """

    __slots__ = (
        "_blocks",
        "_empty",
        "_first",
        "_name_ids",
        "_names",
        "_others",
        "_shapes",
        "_stray_names",
        "_twin_ids",
        "_twin_of",
        "keys",
        "revised",
        "twins",
    )

    def __init__(self) -> None:
        self.keys = Keys(self)
        self.revised: set[int] = set()
        """Series whose later values take the place of earlier ones of the same time."""
        self.twins: list[str] = []
        """The twins that have series, in the order in which they came; for reading."""
        self._twin_ids: dict[str, int] = {}
        self._empty = _Shape()
        self._first = array("i")
        self._blocks: dict[tuple[tuple[str, ...], str], _Shape] = {}
        """By paths and provenance: the shape of a twin that has just these in this order."""
        self._shapes: list[_Shape] = []
        self._others: dict[int, dict[int, int]] = {}
        """By twin and name: series that do not follow the twin's first ones."""
        self._stray_names: dict[int, int] = {}
        """The names of those."""
        self._names: list[tuple[str, str]] = []
        """(path, provenance)"""
        self._name_ids: dict[tuple[str, str], int] = {}
        self._twin_of = array("i")

    def __len__(self) -> int:
        return len(self._twin_of)

    def id(self, twin: str, path: str, provenance: str = MEASURED) -> int:
        """The number of a series, given now if it is new."""
        name = self._name_ids.get((path, provenance))
        if name is None:
            name = self._name_ids[path, provenance] = len(self._names)
            self._names.append((path, provenance))
        owner = self._twin_ids.get(twin)
        if owner is None:
            owner = self._twin_ids[twin] = len(self.twins)
            self.twins.append(twin)
            self._first.append(len(self))
            self._shapes.append(self._empty)
        return self._id(owner, name, provenance)

    def block(self, twin: str, paths: tuple[str, ...], provenance: str = MEASURED) -> Sequence[int]:
        """The numbers of many series of a twin, as `id` gives them; quick once a twin has them."""
        shape = self._blocks.get((paths, provenance))
        owner = self._twin_ids.get(twin)
        if shape is not None:
            if owner is None:
                return self._new_block(twin, shape, provenance)
            if self._shapes[owner] is shape:
                first = self._first[owner]
                return range(first, first + shape.size)
        found = [self.id(twin, path, provenance) for path in paths]
        if found:
            owner = self._twin_ids[twin]
            shape, first = self._shapes[owner], self._first[owner]
            if found == list(range(first, first + shape.size)):
                self._blocks[paths, provenance] = shape
        return found

    def _new_block(self, twin: str, shape: _Shape, provenance: str) -> range:
        """The series of a twin that has none yet, as those of others of its shape."""
        first, owner = len(self), len(self.twins)
        self._twin_ids[twin] = owner
        self.twins.append(twin)
        self._first.append(first)
        self._shapes.append(shape)
        self._twin_of.extend([owner] * shape.size)
        if is_revised(provenance):
            self.revised.update(range(first, first + shape.size))
        return range(first, first + shape.size)

    def _id(self, owner: int, name: int, provenance: str) -> int:
        number, shape = len(self), self._shapes[owner]
        follows = self._first[owner] + shape.size == number and shape.size < MOST_SHAPED
        is_new = follows and name in shape.grown and owner not in self._others
        if not is_new and (found := self._find(owner, name)) is not None:
            return found
        if follows:
            self._shapes[owner] = shape.with_name(name)
        else:
            self._others.setdefault(owner, {})[name] = number
            self._stray_names[number] = name
        if is_revised(provenance):
            self.revised.add(number)
        self._twin_of.append(owner)
        return number

    def _find(self, owner: int, name: int) -> int | None:
        offset = self._shapes[owner].find(name)
        if offset is not None:
            return self._first[owner] + offset
        return self._others[owner].get(name) if owner in self._others else None

    def find(self, twin: str, path: str, provenance: str = MEASURED) -> int | None:
        owner, name = self._twin_ids.get(twin), self._name_ids.get((path, provenance))
        return None if owner is None or name is None else self._find(owner, name)

    def key(self, number: int) -> SeriesKey:
        """What a number stands for."""
        owner = self._twin_of[number]
        names, offset = self._shapes[owner].names, number - self._first[owner]
        name = names[offset] if offset < len(names) else self._stray_names[number]
        return SeriesKey(self.twins[owner], *self._names[name])

    def run(self, number: int) -> tuple[str, tuple[str, ...], int]:
        """The twin of a series, paths of its series that follow each other, the place of this one.

        Cost: 0.3 us, however many they are.
        """
        owner = self._twin_of[number]
        shape, place = self._shapes[owner], number - self._first[owner]
        if place < shape.size:
            return self.twins[owner], shape.paths(self._names), place
        return self.twins[owner], (self._names[self._stray_names[number]][0],), 0

    def is_shown(self, twin: str, path: str) -> bool:
        """Whether whoever was given this table may know of a path; policies may hide some."""
        return True

    def of_twin(self, twin: str) -> list[int]:
        owner = self._twin_ids.get(twin)
        if owner is None:
            return []
        first = self._first[owner]
        own = range(first, first + self._shapes[owner].size)
        return [*own, *self._others.get(owner, {}).values()]

    def span(self, twin: str) -> range | None:
        """All series of a twin, where they follow each other; None where some do not."""
        owner = self._twin_ids.get(twin)
        if owner is None:
            return range(0)
        first = self._first[owner]
        return None if owner in self._others else range(first, first + self._shapes[owner].size)

    def twin_of(self) -> NDArray[np.int32]:
        """For each series, the place of its twin in `twins`."""
        return np.array(self._twin_of[:], np.int32)

    def has_provenance(self, provenance: str) -> NDArray[np.bool_]:
        """For each series, whether it is of this provenance."""
        is_of = [known == provenance for _, known in self._names]
        found = np.zeros(len(self), np.bool_)
        for shape, owners in self._by_shape().items():
            first = np.array(self._first[:])[owners]
            for offset, name in enumerate(shape.names):
                if is_of[name]:
                    found[first + offset] = True
        found[[number for number, name in self._stray_names.items() if is_of[name]]] = True
        return found

    def _by_shape(self) -> dict[_Shape, list[int]]:
        """The twins of each shape."""
        found: dict[_Shape, list[int]] = {}
        for owner, shape in enumerate(self._shapes):
            found.setdefault(shape, []).append(owner)
        return found
