"""Desired values of twins whose properties a connector writes: told when asked, and when back.

A wish is a level, not an act: it is written again after a break, whether or not it was before,
until a reading agrees (`desired`). Within one connection each is written once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from gemel.app.outlets import write
from gemel.commands import desired as wishes
from gemel.core import message
from gemel.core.document import Json
from gemel.core.errors import TwinInvalid
from gemel.core.ports import Writer

if TYPE_CHECKING:
    from gemel.app.platform import Platform


class SetPoints:
    """What was told of wishes, and what came of it; nothing of it is stored."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._ready: dict[str, tuple[Writer, object]] = {}
        """The connectors that could be written to at the last tick, and their places then."""
        self._told: dict[str, dict[str, str]] = {}
        """By twin and path, the time of the wish that was told."""
        self._problems: dict[str, dict[str, str]] = {}
        self._wanted: dict[str, Mapping[str, Json]] = {}
        """By twin, the wishes that are to be told next."""
        self._telling: set[str] = set()
        self._again: set[str] = set()
        """Twins of which a write had no answer."""

    def check(self, twin: str, path: str, value: Any) -> None:
        """Raises TwinInvalid if a connector has this property, and cannot write this value."""
        target = self._platform.outlets.place_of(twin, path)
        if target is not None:
            target.value_of(value, "")

    def problem(self, twin: str, path: str) -> str:
        """Why the source did not take a wish that is pending; "" if nothing is known of that."""
        return self._problems.get(twin, {}).get(path, "")

    def tell(self, twin: str, found: Mapping[str, Json]) -> None:
        """Writes the wishes of a twin that are pending and were not told yet.

        Args:
            twin: whose.
            found: all its wishes by path, as they are stored.
        """
        pending = {path: one for path, one in found.items() if one["state"] == wishes.PENDING}
        for known in (self._told, self._problems):
            kept = {path: one for path, one in known.pop(twin, {}).items() if path in pending}
            if kept:
                known[twin] = kept
        if not pending or not any(self._platform.outlets.place_of(twin, path) for path in pending):
            return
        self._wanted[twin] = pending
        if twin not in self._telling:
            self._telling.add(twin)
            self._platform.start_task(self._tell(twin))

    def tick(self) -> None:
        """Tells those whose connector is back or has new places, and what did not leave."""
        ready: dict[str, tuple[Writer, object]] = {}
        twins, self._again = self._again, set()
        names = []
        for name, writer, its in self._platform.outlets.by_connector():
            names.append(name)
            if not writer.is_ready():
                continue
            now = ready[name] = (writer, writer.places())
            before = self._ready.get(name, (None, None))
            if before[0] is not now[0] or before[1] is not now[1]:
                twins |= {one for one in its if self._platform.graph.desired_of(one)}
                self._forget(its)
        self._ready = ready
        self._platform.outlets.forget(names)
        for twin in twins:
            self.tell(twin, self._platform.desired.of(twin))

    def _forget(self, twins: Iterable[str]) -> None:
        for twin in twins:
            self._told.pop(twin, None)

    async def _tell(self, twin: str) -> None:
        try:
            while (pending := self._wanted.pop(twin, None)) is not None:
                for path, wish in pending.items():
                    if self._told.get(twin, {}).get(path) != wish["time"]:
                        await self._write(twin, path, wish)
        finally:
            self._telling.discard(twin)

    async def _write(self, twin: str, path: str, wish: Json) -> None:
        target = self._platform.outlets.place_of(twin, path)
        if target is None:
            return
        if not target.source.writer.is_ready():
            self._ready.pop(target.source.connector, None)  # a tick may miss a short break
            return
        try:
            outcome = await write(target, target.value_of(wish["value"], ""))
        except TwinInvalid as error:
            outcome = message.Outcome(message.REFUSED, str(error))
        is_taken = outcome.state in (message.DONE, message.TAKEN)
        self._problems.setdefault(twin, {})[path] = "" if is_taken else outcome.said
        if outcome.state == message.UNSURE:
            self._again.add(twin)
        else:
            self._told.setdefault(twin, {})[path] = wish["time"]
