"""Series: a small integer for each (twin, property path, provenance), given once and for ever."""

from __future__ import annotations

from typing import NamedTuple


class SeriesKey(NamedTuple):
    twin: str
    path: str
    """Telemetry or property name; names in components and objects are joined by '.'."""
    provenance: str = "measured"
    """measured, derived, predicted or simulated."""


class SeriesTable:
    """All series, by number and by key. New ones become durable with the next log record."""

    __slots__ = ("_ids", "_twins", "keys")

    def __init__(self) -> None:
        self.keys: list[SeriesKey] = []
        self._ids: dict[SeriesKey, int] = {}
        self._twins: dict[str, list[int]] = {}

    def __len__(self) -> int:
        return len(self.keys)

    def id(self, twin: str, path: str, provenance: str = "measured") -> int:
        """The number of a series, given now if it is new."""
        key = SeriesKey(twin, path, provenance)
        found = self._ids.get(key)
        if found is not None:
            return found
        number = len(self.keys)
        self.keys.append(key)
        self._ids[key] = number
        self._twins.setdefault(twin, []).append(number)
        return number

    def find(self, twin: str, path: str, provenance: str = "measured") -> int | None:
        return self._ids.get(SeriesKey(twin, path, provenance))

    def of_twin(self, twin: str) -> list[int]:
        return list(self._twins.get(twin, ()))
