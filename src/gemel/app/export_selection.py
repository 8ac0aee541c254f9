"""Which series an export takes: by their twins, paths and provenances, as they are now."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from gemel.core.series import SeriesKey
from gemel.exports.settings import Export

if TYPE_CHECKING:
    from gemel.app.platform import Platform


class ExportSelection:
    """Answers for the series of one export; `refresh` before the first answer."""

    def __init__(self, platform: Platform, of: Export) -> None:
        self._platform = platform
        self._of = of
        self._twins: frozenset[str] | None = None
        """None for all."""
        self.is_stale = bool(of.where)

    async def refresh(self) -> bool:
        """Asks for the twins again; whether there are others now.

        Raises:
            InvalidInput: the condition cannot be read.
        """
        if not self._of.where:
            return False
        self.is_stale = False
        before, self._twins = self._twins, await self._platform.queries.twins_where(self._of.where)
        return before is not None and before != self._twins

    def names(self, numbers: Iterable[int]) -> list[list[object]]:
        """Of each series its number, and its name if it goes out."""
        keys = self._platform.series.keys
        count = len(keys)
        return [
            [number, *key] if number < count and self._takes(key := keys[number]) else [number]
            for number in numbers
        ]

    def _takes(self, key: SeriesKey) -> bool:
        of = self._of
        return (
            (self._twins is None or key.twin in self._twins)
            and any(_is_of(key.provenance, one) for one in of.provenances)
            and any(fnmatchcase(key.path, one) for one in of.properties)
        )


def _is_of(provenance: str, wanted: str) -> bool:
    """`simulated` stands for all of its labels, `simulated:two-pumps` for itself."""
    return provenance == wanted or provenance.startswith(f"{wanted}:")
