"""What alarms may know of the twins around theirs: relatives over relationships, last values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from gemel.app.values import value_reader

if TYPE_CHECKING:
    from gemel.app.platform import Platform

MOST_RELATIVES = 10_000
MOST_KEPT = 100_000


class GraphSurroundings:
    """The twins around a twin, remembered until the graph changes."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._version = -1
        self._kept: dict[tuple[str, tuple[str, ...], str, int], dict[str, int]] = {}

    def relatives(
        self, twin: str, over: Sequence[str], direction: str, hops: int
    ) -> Mapping[str, int]:
        """Twins over relationships of these names, with the hops; the nearest first.

        `in` are those whose relationships lead to the twin, over any number of twins between.
        """
        graph = self._platform.graph
        if graph.version != self._version or len(self._kept) > MOST_KEPT:
            self._version = graph.version
            self._kept.clear()
        key = (twin, tuple(over), direction, hops)
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = self._search(twin, frozenset(over), direction, hops)
        return found

    def _search(self, twin: str, over: frozenset[str], direction: str, hops: int) -> dict[str, int]:
        graph = self._platform.graph
        step = graph.sources_of if direction == "in" else graph.targets_of
        found = {twin: 0}
        level = [twin]
        for distance in range(1, hops + 1):
            beyond = []
            for one in level:
                for other, name in step(one):
                    if name in over and other not in found:
                        found[other] = distance
                        beyond.append(other)
            level = beyond
            if not level or len(found) > MOST_RELATIVES:
                break
        del found[twin]
        return found

    def value(self, twin: str, path: str) -> object:
        """What the device sent, or people set, whichever is newer."""
        latest = value_reader(self._platform, twin)(path)
        stored = self._platform.graph.stored_values(twin).get(path)
        found = [one for one in (latest, stored) if one is not None]
        return max(found, key=lambda one: one[1])[0] if found else None

    def name(self, twin: str) -> str:
        return self._platform.catalogue.name_of(twin)
