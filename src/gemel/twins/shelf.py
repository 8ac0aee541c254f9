"""Relationships as they were loaded at the start, in columns: each is made when it is asked for.

A plant of a million twins has millions of them, and few are looked at on a day. The columns are
never changed; `Adjacency` keeps what became of the relationships of a twin since.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress
from operator import itemgetter

import numpy as np
import orjson

from gemel.core.batch import I32, I64
from gemel.twins.records import LINK_FIELDS, Link, Twin, relationship_key, rest_of

FIELDS = itemgetter("$relationshipId", "$sourceId", "$targetId", "$relationshipName")
GONE = -1
"""The source of what was deleted; its id is the whole key."""


class Twins(dict[str, int]):
    """The numbers of twins, those that are only named in relationships too."""

    def __init__(self, twins: dict[str, Twin]) -> None:
        super().__init__(zip(twins, range(len(twins)), strict=True))
        self.ids = [twin.id for twin in twins.values()]
        """By number: the strings that the twins hold themselves, for all to share."""

    def __missing__(self, twin_id: str) -> int:
        number = self[twin_id] = len(self.ids)
        self.ids.append(twin_id)
        return number


class Shelf:
    """All stored relationships, in the order of their last edits."""

    __slots__ = ("_etags", "_ids", "_made", "_names", "_rests", "_sources", "_targets", "twins")

    def __init__(self, twins: Twins, columns: Columns) -> None:
        self.twins = twins
        self._ids, self._names, self._etags = columns.ids, columns.names, columns.etags
        self._rests = columns.rests
        self._sources, self._targets = columns.sources.data, columns.targets.data
        self._made: dict[int, Link] = {}

    def link(self, number: int) -> Link:
        """One relationship: always the same object."""
        found = self._made.get(number)
        if found is not None:
            return found
        ids = self.twins.ids
        link = Link(
            ids[self._sources[number]],
            self._ids[number],
            self._names[number],
            ids[self._targets[number]],
            self._etags[number],
            self._rests.get(number),
        )
        return self._made.setdefault(number, link)


class Side:
    """The relationships of a shelf by the twin at one of their ends.

    Args:
        shelf: where they are.
        ends: the number of the twin at that end, of each.
    """

    __slots__ = ("_begins", "_order", "_shelf")

    def __init__(self, shelf: Shelf, ends: I32) -> None:
        count = len(ends)
        keyed = np.sort(ends.astype(np.int64) << 32 | np.arange(count))
        begins = np.searchsorted(keyed >> 32, np.arange(len(shelf.twins) + 1))
        self._shelf = shelf
        self._order = (keyed & 0xFFFFFFFF).astype(np.int32).data
        self._begins = begins.astype(np.int32).data

    def of(self, twin: str) -> tuple[Link, ...]:
        """Those of a twin, in order."""
        begin, end = self._range(twin)
        return tuple(map(self._shelf.link, self._order[begin:end]))

    def count(self, twin: str) -> int:
        begin, end = self._range(twin)
        return end - begin

    def total(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[str]:
        """The twins that have any."""
        return compress(self._shelf.twins.ids, np.diff(self._begins).tolist())

    def _range(self, twin: str) -> tuple[int, int]:
        number = self._shelf.twins.get(twin)
        return (0, 0) if number is None else (self._begins[number], self._begins[number + 1])


class Columns:
    """What is read of relationships' edits, and of each the newest in the end."""

    def __init__(self, twins: Twins) -> None:
        self.sources = self.targets = np.empty(0, np.int32)
        """Numbers of twins; set by `finish`."""
        self.ids: list[str] = []
        self.names: list[str] = []
        self.etags: list[str] = []
        self.rests: dict[int, bytes] = {}
        self._twins = twins
        self._shared: dict[str, str] = {}
        self._read: list[tuple[I64, I32, I32]] = []
        """Hashes of keys, sources and targets."""

    def add(self, keys: Sequence[str], docs: bytes, etags: Sequence[str]) -> None:
        """Takes in relationships; fails, and takes none, if one of them is not one.

        Args:
            docs: a JSON array of them.
        """
        read = orjson.loads(docs)
        if len(read) != len(keys):
            raise ValueError("it is not one JSON object")
        ids, sources, targets, names = zip(*map(FIELDS, read), strict=True)
        usual, first = len(LINK_FIELDS), len(self.ids)
        rests = {n: rest_of(doc) for n, doc in enumerate(read, first) if len(doc) != usual}
        self._number(keys, sources, targets)
        shared = self._shared
        self.names += [shared.get(name) or shared.setdefault(name, name) for name in names]
        self.ids += ids
        self.etags += etags
        self.rests |= rests

    def drop(self, key: str) -> None:
        """Takes in that a relationship was deleted."""
        gone = np.array([GONE], np.int32)
        self._read.append((np.array([hash(key)], np.int64), gone, gone))
        self.ids.append(key)
        self.names.append("")
        self.etags.append("")

    def finish(self) -> None:
        """Of each relationship only the last counts, and not if that is its deletion."""
        if not self._read:
            return
        hashes, self.sources, self.targets = map(np.concatenate, zip(*self._read, strict=True))
        self._read.clear()
        old = self._replaced(hashes)
        keep = self.sources != GONE
        keep[old] = False
        if keep.all():
            return
        numbers = (np.cumsum(keep) - 1).tolist()
        self.rests = {numbers[n]: rest for n, rest in self.rests.items() if keep[n]}
        self.sources, self.targets = self.sources[keep], self.targets[keep]
        kept = keep.tolist()
        self.ids = list(compress(self.ids, kept))
        self.names = list(compress(self.names, kept))
        self.etags = list(compress(self.etags, kept))

    def _number(self, keys: Sequence[str], sources: Sequence[str], targets: Sequence[str]) -> None:
        number, count = self._twins.__getitem__, len(keys)
        self._read.append(
            (
                np.fromiter(map(hash, keys), np.int64, count),
                np.fromiter(map(number, sources), np.int32, count),
                np.fromiter(map(number, targets), np.int32, count),
            )
        )

    def _replaced(self, hashes: I64) -> list[int]:
        """Which were edited again behind; equal keys have equal hashes."""
        order = np.sort(hashes)
        twice = order[1:][order[1:] == order[:-1]]
        if not len(twice):
            return []
        alike = np.flatnonzero(np.isin(hashes, twice)).tolist()
        last = {self._key(number): number for number in alike}
        return list(set(alike).difference(last.values()))

    def _key(self, number: int) -> str:
        source, own = self.sources[number], self.ids[number]
        return own if source == GONE else relationship_key(self._twins.ids[source], own)
