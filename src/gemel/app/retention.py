"""How long readings, their minutes and their hours are kept: for all, and for each model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.core.clock import SECOND
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.history import Keep

if TYPE_CHECKING:
    from gemel.app.platform import Platform

DAY = 86_400 * SECOND
FOR_EVER = -(1 << 62)
KINDS = ("readings", "minutes", "hours")


def check_retention(found: Any, place: str) -> None:
    """Raises InvalidInput unless it is days by kind, none of them fewer than of a finer kind."""
    if found is None:
        return
    if not isinstance(found, dict) or not set(found) <= set(KINDS):
        raise InvalidInput(
            f"{place}: retention must be a mapping", hint="days of: " + ", ".join(KINDS)
        )
    finer = 0.0
    for kind in KINDS:
        days = found.get(kind, finer)
        if isinstance(days, bool) or not isinstance(days, int | float) or not 0 <= days <= 1e9:
            raise InvalidInput(f"{place}: retention.{kind} must be days, 0 for ever")
        if kind in found and days < finer and days:
            raise InvalidInput(
                f"{place}: retention.{kind} is shorter than what is finer",
                hint="readings go first, then minutes, then hours",
            )
        finer = float(days)


class Retention:
    """What `History` asks for when it looks for readings that are too old."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.is_known = False
        """Whether models and settings are loaded; until then nothing is too old."""

    def days_of(self, model: str | None) -> dict[str, float]:
        """Days by kind, 0 for ever; what is not set is kept as long as the finer kind."""
        default = self._platform.config.retention_days
        found: Json = {}
        if model is not None:
            found = self._platform.catalogue.signals.setting(model, "retention", None) or {}
        days: dict[str, float] = {}
        finer = float(default)
        for kind in KINDS:
            finer = days[kind] = float(found.get(kind, finer))
        return days

    def keep(self) -> Keep | int:
        """The times before which what belongs to each series is too old.

        Called on a thread of the history: it only looks things up.
        """
        platform = self._platform
        if not self.is_known:
            return FOR_EVER
        now = platform.clock()
        settings = list(platform.catalogue.plain["settings"].values())
        if not any("retention" in doc for doc in settings):
            return self._from(now, self.days_of(None)["readings"])
        by_model: dict[str | None, list[int]] = {}
        series = platform.series
        twin_of = series.twin_of()
        twins = series.twins[:]
        of_twin = np.empty((len(twins), 3), np.int64)
        for row, twin in enumerate(twins):
            model = platform.catalogue.model_of(twin)
            times = by_model.get(model)
            if times is None:
                days = self.days_of(model)
                times = by_model[model] = [self._from(now, days[kind]) for kind in KINDS]
            of_twin[row] = times
        rows = np.ascontiguousarray(of_twin[twin_of].T)
        everything = [self._from(now, days) for days in self.days_of(None).values()]
        return Keep(rows, (everything[0], everything[1], everything[2]))

    @staticmethod
    def _from(now: int, days: float) -> int:
        return max(now - round(days * DAY), FOR_EVER) if days else FOR_EVER
