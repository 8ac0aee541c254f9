"""The installation at a glance as policies let somebody see it: counts of what is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gemel.core.batch import I64
from gemel.core.document import Json
from gemel.core.policy import READ
from gemel.twins.graph import Graph

if TYPE_CHECKING:
    from gemel.app.platform import Platform
    from gemel.app.policies import Sight


class SeenStatus:
    """Narrows what `Platform.status` tells; once for all that share a sight and a status."""

    def __init__(self, real: Platform, sight: Sight) -> None:
        self._real = real
        self._sight = sight
        self._whole: Json | None = None
        self._shown: Json = {}
        self._rows: I64 = np.zeros(0, np.int64)
        self._rows_of: tuple[int, int] | None = None

    def of(self, status: Json, graph: Graph) -> Json:
        """A status with the counts of the twins of a graph, and of their alarms."""
        if status is not self._whole:
            self._whole, self._shown = status, {**status, **self._counted(graph)}
        return self._shown

    def _counted(self, graph: Graph) -> Json:
        real = self._real
        now = real.clock()
        rows = self._rows_in(graph)
        statuses = real.presence.counts(rows)
        alarms, desk = real.reactions.alarms, real.reactions.desk
        tally = alarms.tally(self._is_covered)
        return {
            "twins": len(rows),
            "live": statuses["live"],
            "stale": statuses["stale"],
            "offline": statuses["offline"],
            "abnormal": sum(map(self._is_covered, alarms.abnormal())),
            "alarms": {**tally.counts, "returned": tally.returned},
            "flood": desk.flood.state_of(self._is_covered, desk.philosophy, now),
            "freshness": real.presence.freshness(now, rows),
            "discovered": 0,
        }

    def _is_covered(self, twin: str) -> bool:
        """Whether somebody sees a twin's alarms."""
        return self._sight.covers(READ, twin)

    def _rows_in(self, graph: Graph) -> I64:
        """The rows of presence that are twins of a graph."""
        presence = self._real.presence
        versions = (presence.version, graph.version)
        if versions != self._rows_of:
            found = [row for row, twin in enumerate(presence.names) if twin in graph.twins]
            self._rows, self._rows_of = np.array(found, np.int64), versions
        return self._rows
