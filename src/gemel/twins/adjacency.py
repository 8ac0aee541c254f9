"""The relationships of each twin: a tuple while they are few, a dict when they are many.

Most twins have a handful, for which a dict takes four times the memory of a tuple; a few have very
many, for which a tuple would be copied with each change.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator

import numpy as np

from gemel.twins.records import Link

MOST_IN_TUPLE = 16
Links = tuple[Link, ...] | dict[Hashable, Link]
NONE: tuple[Link, ...] = ()


class Adjacency:
    """Relationships by the twin at one of their ends.

    Args:
        place: what tells a relationship from the others at the same twin.
    """

    __slots__ = ("_place", "by_twin")

    def __init__(self, place: Callable[[Link], Hashable]) -> None:
        self.by_twin: dict[str, Links] = {}
        """To be written by what loads millions of them, too; it keeps to what `add` does."""
        self._place = place

    def __iter__(self) -> Iterator[str]:
        """The twins that have any."""
        return iter(self.by_twin)

    def __contains__(self, twin: str) -> bool:
        return twin in self.by_twin

    def count(self) -> int:
        return sum(map(len, self.by_twin.values()))

    def of(self, twin: str) -> Collection[Link]:
        """Those of a twin, in the order in which they were added; only until the next change."""
        found = self.by_twin.get(twin, NONE)
        return found.values() if isinstance(found, dict) else found

    def find(self, twin: str, place: Hashable) -> Link | None:
        found = self.by_twin.get(twin, NONE)
        if isinstance(found, dict):
            return found.get(place)
        for link in found:
            if self._place(link) == place:
                return link
        return None

    def add(self, twin: str, link: Link) -> None:
        """Adds a relationship that is not there yet."""
        there = self.by_twin.get(twin)
        if there is None:
            self.by_twin[twin] = (link,)
        elif isinstance(there, dict):
            there[self._place(link)] = link
        elif len(there) < MOST_IN_TUPLE:
            self.by_twin[twin] = there + (link,)  # noqa: RUF005 - a third of the time of (*there, link)
        else:
            self.by_twin[twin] = {self._place(one): one for one in (*there, link)}

    def put(self, twin: str, link: Link) -> Link | None:
        """Adds a relationship in place of the one that stands in its place; returns that one."""
        there = self.by_twin.get(twin)
        old = None if there is None else self.find(twin, self._place(link))
        if old is not None:
            self.drop(twin, old)
        self.add(twin, link)
        return old

    def add_many(self, twins: list[str], links: list[Link]) -> None:
        """Adds very many relationships that are not there yet, by twins that share their strings.

        Those of a twin keep their order. Where a twin's string is not shared, they come one by one.
        """
        if not links:
            return
        where = np.fromiter(map(id, twins), np.int64, len(twins))
        order = np.argsort(where, kind="stable")
        ordered = where[order]
        begins = np.flatnonzero(np.diff(ordered, prepend=ordered[:1] - 1))
        numbers = order.tolist()
        sorted_links = [links[number] for number in numbers]
        by_twin = self.by_twin
        for begin, end in zip(begins.tolist(), [*begins[1:].tolist(), len(links)], strict=True):
            twin = twins[numbers[begin]]
            if end - begin <= MOST_IN_TUPLE and twin not in by_twin:
                by_twin[twin] = tuple(sorted_links[begin:end])
            else:
                for link in sorted_links[begin:end]:
                    self.add(twin, link)

    def drop(self, twin: str, link: Link) -> None:
        """Takes away a relationship that is there."""
        there = self.by_twin[twin]
        if isinstance(there, dict):
            del there[self._place(link)]
            rest: Links = there
        else:
            rest = self.by_twin[twin] = tuple(one for one in there if one is not link)
        if not rest:
            del self.by_twin[twin]
