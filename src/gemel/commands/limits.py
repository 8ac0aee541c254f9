"""Counts commands for rate limits: times of the latest, by what a limit is about."""

from __future__ import annotations

from collections import deque

from gemel.commands.command import Command
from gemel.commands.settings import MOST_COUNTED, Limit
from gemel.core.clock import SECOND

Key = tuple[str, ...]


class Counts:
    """The latest commands by command and device, by device, by person, by service."""

    def __init__(self) -> None:
        self._times: dict[Key, deque[int]] = {}

    def add(self, command: Command) -> None:
        """Takes a command in when it is made."""
        for key in _keys(command.twin, command.command, command.who, command.service):
            times = self._times.get(key)
            if times is None:
                times = self._times[key] = deque(maxlen=MOST_COUNTED)
            times.append(command.requested)

    def seconds(self, limit: Limit, ask: Key, now: int) -> float:
        """Seconds until one more is within a limit; 0 if it is now.

        Args:
            limit: at most how many in how long.
            ask: twin, command, who, service.
            now: ns since 1970 UTC.
        """
        key = _keys(*ask)[("command", "device", "person", "service").index(limit.scope)]
        times = self._times.get(key, ())
        if len(times) < limit.most:
            return 0.0
        first = times[len(times) - limit.most]
        return max(0.0, (first - now) / SECOND + limit.seconds)


def _keys(twin: str, command: str, who: str, service: str) -> tuple[Key, Key, Key, Key]:
    return (
        ("command", twin, command),
        ("device", twin),
        ("person", who, command),
        ("service", service),
    )
