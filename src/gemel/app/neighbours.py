"""The graph around some twins as it is drawn: how far each is, where it stands, ways between."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from gemel.core.document import Json
from gemel.core.errors import NotFound
from gemel.twins.placing import Point, place
from gemel.twins.records import Link

if TYPE_CHECKING:
    from gemel.app.platform import Platform

MOST_HOPS = 6
MOST_SHOWN = 600
MOST_KEPT = 64


@dataclass(slots=True)
class Met:
    """Twins in the order in which they were met."""

    hops: dict[str, int] = field(default_factory=dict)
    through: dict[str, str] = field(default_factory=dict)
    is_complete: bool = True


class Neighbours:
    """Neighbourhoods of one platform, or of what somebody may see of it."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._kept: OrderedDict[object, dict[str, Point]] = OrderedDict()

    async def around(
        self, twins: Sequence[str], hops: int, limit: int, standing: Mapping[str, Point]
    ) -> Json:
        """The twins within some hops, over relationships of any name and direction.

        Args:
            twins: to begin with.
            limit: most twins beside those that stand; nearer ones come first.
            standing: those that are drawn already, with their places, which they keep.

        Raises:
            NotFound: one of the twins is not there.
        """
        for twin in twins:
            self._platform.catalogue.require_twin(twin)
        met = self._walk(twins, hops, limit, standing)
        return await self._drawn(met, standing)

    async def between(self, source: str, target: str, standing: Mapping[str, Point]) -> Json:
        """A shortest way from one twin to another, with the twins on it placed.

        Raises:
            NotFound: one is not there, or no relationships lead from one to the other.
        """
        for twin in (source, target):
            self._platform.catalogue.require_twin(twin)
        path = self._path(source, target)
        if path is None:
            raise NotFound(
                f"no relationships lead from '{source}' to '{target}'",
                hint="in either direction of each; they are in separate parts of the graph",
                code="NoPath",
            )
        met = Met({twin: n for n, twin in enumerate(path)})
        met.through = {b: a for a, b in pairwise(path)} | {path[0]: path[0]}
        for twin in standing:
            if twin not in met.hops and twin in self._platform.graph.twins:
                met.hops[twin], met.through[twin] = 0, twin
        return {**await self._drawn(met, standing), "path": path}

    def _walk(
        self, twins: Sequence[str], hops: int, limit: int, standing: Mapping[str, Point]
    ) -> Met:
        graph = self._platform.graph
        met = Met({twin: 0 for twin in twins}, {twin: twin for twin in twins})
        for twin in standing:
            if twin not in met.hops and twin in graph.twins:
                met.hops[twin], met.through[twin] = 0, twin
        room = limit + len(met.hops) - len(twins)
        waiting = deque(twins)
        while waiting:
            one = waiting.popleft()
            if met.hops[one] >= hops:
                continue
            for other in self._beside(one):
                if other in met.hops:
                    continue
                if len(met.hops) >= room:
                    met.is_complete = False
                    return met
                met.hops[other], met.through[other] = met.hops[one] + 1, one
                waiting.append(other)
        return met

    def _beside(self, twin: str) -> list[str]:
        """Neighbours once each, in order of their ids."""
        graph = self._platform.graph
        found = {link.target for link in graph.outgoing(twin)}
        found |= {link.source for link in graph.incoming(twin)}
        return sorted(found & graph.twins.keys())

    def _path(self, source: str, target: str) -> list[str] | None:
        """From both ends in turn, the smaller front first."""
        if source == target:
            return [source]
        known = ({source: source}, {target: target})
        fronts = [[source], [target]]
        while fronts[0] and fronts[1]:
            side = 0 if len(fronts[0]) <= len(fronts[1]) else 1
            own, other = known[side], known[1 - side]
            following = []
            for one in fronts[side]:
                for beside in self._beside(one):
                    if beside in own:
                        continue
                    own[beside] = one
                    if beside in other:
                        return _joined(known[0], known[1], beside)
                    following.append(beside)
            fronts[side] = following
        return None

    async def _drawn(self, met: Met, standing: Mapping[str, Point]) -> Json:
        links = self._links(met)
        kept = {twin: standing[twin] for twin in met.hops if twin in standing}
        key = (self._platform.graph.version, tuple(met.hops), tuple(sorted(kept.items())))
        points = self._kept.get(key)
        if points is None:
            pairs = [(link.source, link.target) for link in links]
            points = await asyncio.to_thread(place, list(met.hops), pairs, met.through, kept)
            self._kept[key] = points
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return {
            "nodes": [self._node(twin, met, points[twin]) for twin in met.hops],
            "edges": [
                {"id": link.id, "source": link.source, "target": link.target, "name": link.name}
                for link in links
            ],
            "isComplete": met.is_complete,
        }

    def _links(self, met: Met) -> list[Link]:
        graph = self._platform.graph
        return [
            link for twin in met.hops for link in graph.outgoing(twin) if link.target in met.hops
        ]

    def _node(self, twin: str, met: Met, point: Point) -> Json:
        platform = self._platform
        model = platform.catalogue.require_twin(twin)
        interface = platform.graph.models.get(model)
        return {
            "id": twin,
            "name": platform.catalogue.name_of(twin),
            "modelName": interface.title if interface else model,
            "status": platform.presence.status(twin, platform.clock()),
            "priority": platform.reactions.alarms.highest(twin),
            "hops": met.hops[twin],
            "hidden": sum(1 for other in self._beside(twin) if other not in met.hops),
            "x": point[0],
            "y": point[1],
        }


def _joined(ahead: Mapping[str, str], back: Mapping[str, str], middle: str) -> list[str]:
    path = [middle]
    while ahead[path[0]] != path[0]:
        path.insert(0, ahead[path[0]])
    while back[path[-1]] != path[-1]:
        path.append(back[path[-1]])
    return path
