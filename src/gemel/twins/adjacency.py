"""The relationships of each twin: a tuple while they are few, a dict when they are many.

Most twins have a handful, for which a dict takes four times the memory of a tuple; a few have very
many, for which a tuple would be copied with each change.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator

from gemel.twins.records import Link
from gemel.twins.shelf import Side

MOST_IN_TUPLE = 16
Links = tuple[Link, ...] | dict[Hashable, Link]
NONE: tuple[Link, ...] = ()


class Adjacency:
    """Relationships by the twin at one of their ends.

    Args:
        place: what tells a relationship from the others at the same twin.
    """

    __slots__ = ("_place", "_taken", "by_twin", "side")

    def __init__(self, place: Callable[[Link], Hashable]) -> None:
        self.by_twin: dict[str, Links] = {}
        """Of each twin that was looked at, edited or added; an empty tuple hides the shelf."""
        self.side: Side | None = None
        """What was loaded at the start; set before anything is added."""
        self._place = place
        self._taken = 0
        """Relationships that were taken from the shelf."""

    def __iter__(self) -> Iterator[str]:
        """The twins that have any."""
        known = dict(self.by_twin)  # looking at a twin adds to it, and another thread may look
        yield from (twin for twin, found in known.items() if found)
        if self.side is not None:
            yield from (twin for twin in self.side if twin not in known)

    def __contains__(self, twin: str) -> bool:
        return bool(self._there(twin))

    def count(self) -> int:
        found = sum(map(len, list(self.by_twin.values())))
        return found if self.side is None else found + self.side.total() - self._taken

    def of(self, twin: str) -> Collection[Link]:
        """Those of a twin, in the order in which they were added; only until the next change."""
        found = self.by_twin.get(twin)
        if found is None:
            found = self._there(twin)
        return found.values() if isinstance(found, dict) else found

    def find(self, twin: str, place: Hashable) -> Link | None:
        return self._find(self._there(twin), place)

    def add(self, twin: str, link: Link) -> None:
        """Adds a relationship that is not there yet."""
        there = self.by_twin.get(twin)
        self._add_to(self._there(twin) if there is None else there, twin, link)

    def put(self, twin: str, link: Link) -> Link | None:
        """Adds a relationship in place of the one that stands in its place; returns that one."""
        there = self.by_twin.get(twin)
        if there is None:
            there = self._there(twin)
        old = self._find(there, self._place(link)) if there else None
        if old is None:
            self._add_to(there, twin, link)
        else:
            self.drop(twin, old)
            self.add(twin, link)
        return old

    def _add_to(self, there: Links, twin: str, link: Link) -> None:
        if isinstance(there, dict):
            there[self._place(link)] = link
        elif len(there) < MOST_IN_TUPLE:
            self.by_twin[twin] = there + (link,)  # noqa: RUF005 - a third of the time of (*there, link)
        else:
            self.by_twin[twin] = self._keyed((*there, link))

    def _find(self, there: Links, place: Hashable) -> Link | None:
        if isinstance(there, dict):
            return there.get(place)
        place_of = self._place
        for link in there:
            if place_of(link) == place:
                return link
        return None

    def drop(self, twin: str, link: Link) -> None:
        """Takes away a relationship that is there."""
        there = self._there(twin)
        if isinstance(there, dict):
            del there[self._place(link)]
            rest: Links = there
        else:
            rest = self.by_twin[twin] = tuple(one for one in there if one is not link)
        if rest:
            return
        if self.side is not None and self.side.count(twin):
            self.by_twin[twin] = NONE
        else:
            del self.by_twin[twin]

    def _there(self, twin: str) -> Links:
        """Those of a twin, from the shelf if they were not looked at before.

        Two threads may look at once: the first that puts them in counts for both.
        """
        found = self.by_twin.get(twin)
        if found is not None or self.side is None:
            return NONE if found is None else found
        links = self.side.of(twin)
        if not links:
            return NONE
        made: Links = links if len(links) <= MOST_IN_TUPLE else self._keyed(links)
        found = self.by_twin.setdefault(twin, made)
        if found is made:
            self._taken += len(links)
        return found

    def _keyed(self, links: Iterable[Link]) -> dict[Hashable, Link]:
        return {self._place(one): one for one in links}
