"""What was lost by design: one record for each device and span in which messages were shed.

A gap is open while messages of its device are lost at most `QUIET_SECONDS` apart. It is stored when
it opens, now and then while it grows, and when it closes; what is counted and not stored yet is a
few seconds of a gap that is known already.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from gemel.core.access import Principal
from gemel.core.clock import SECOND, to_iso
from gemel.core.document import Edit, Json
from gemel.core.message import Message

if TYPE_CHECKING:
    from gemel.app.platform import Platform

QUIET_SECONDS = 5
GROWING_SECONDS = 60
MOST_OPEN = 10_000
OTHERS = "*"
"""Stands for all further devices once there are `MOST_OPEN` open gaps."""


class Loss(NamedTuple):
    """Messages of one device that were lost in one go."""

    device: str
    first: int
    """When the first was received, ns."""
    last: int
    messages: int


@dataclass(slots=True)
class Gap:
    device: str
    cause: str
    first: int
    last: int
    count: int
    stored: int = 0
    """How many of them the stored record counts."""
    stored_at: int = 0

    @property
    def key(self) -> str:
        return f"{self.device}\n{self.first}\n{self.cause}"

    def document(self) -> Json:
        return {
            "device": self.device,
            "from": to_iso(self.first),
            "to": to_iso(self.last),
            "count": self.count,
            "cause": self.cause,
        }


class Gaps:
    """The book of gaps; `tick` stores them."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._open: dict[tuple[str, str], Gap] = {}
        self._is_storing = False
        self.lost: dict[str, int] = {}
        """Messages since the start, by cause."""
        self.opened = 0
        """Gaps since the start."""

    def note(self, messages: Sequence[Message], cause: str) -> None:
        """Notes messages that will not be taken in (`core.ports.Host.lost`)."""
        found: dict[tuple[str, Principal], list[int]] = {}
        for message in messages:
            found.setdefault((message.topic, message.who), []).append(message.received)
        device_of = self._platform.ingest_stage.device_of
        self.add(
            (
                Loss(device_of(topic, who), min(times), max(times), len(times))
                for (topic, who), times in found.items()
            ),
            cause,
        )

    def add(self, losses: Iterable[Loss], cause: str) -> None:
        for device, first, last, count in losses:
            self.lost[cause] = self.lost.get(cause, 0) + count
            name = device
            if (name, cause) not in self._open and len(self._open) >= MOST_OPEN:
                name = OTHERS
            gap = self._open.get((name, cause))
            if gap is None:
                self._open[name, cause] = Gap(name, cause, first, last, count)
                self.opened += 1
            else:
                gap.first, gap.last = min(gap.first, first), max(gap.last, last)
                gap.count += count

    def tick(self, now: int) -> None:
        """Once a second: stores what is new."""
        if self._open and not self._is_storing:
            self._is_storing = True
            self._platform.start_task(self._store(now))

    async def _store(self, now: int) -> None:
        due = [gap for gap in self._open.values() if self._is_due(gap, now)]
        counts = [gap.count for gap in due]
        edits = [Edit("gap", g.key, g.document(), now, "gemel", "messages lost") for g in due]
        try:
            if edits:
                await self._platform.edit(lambda _, __: (edits, None))
            for gap, count in zip(due, counts, strict=True):
                gap.stored, gap.stored_at = count, now
            for place, gap in list(self._open.items()):
                if self._is_quiet(gap, now) and gap.stored == gap.count:
                    del self._open[place]
        finally:
            self._is_storing = False

    def _is_due(self, gap: Gap, now: int) -> bool:
        if gap.stored == gap.count:
            return False
        is_old = now - gap.stored_at > GROWING_SECONDS * SECOND
        return not gap.stored or is_old or self._is_quiet(gap, now)

    def _is_quiet(self, gap: Gap, now: int) -> bool:
        return now - gap.last > QUIET_SECONDS * SECOND

    async def close(self) -> None:
        """Stores all there is."""
        now = self._platform.clock()
        edits = [
            Edit("gap", gap.key, gap.document(), now, "gemel", "messages lost")
            for gap in self._open.values()
            if gap.stored != gap.count
        ]
        if edits:
            await self._platform.edit(lambda _, __: (edits, None))

    def listing(self, device: str | None, start: int, end: int, limit: int) -> list[Json]:
        """Gaps that touch a span of time, the newest first; of one device, or of all with None.

        Reads the documents: not to be called on the event loop.
        """
        found = {d.key: d.doc for d in self._platform.documents.load("gap")}
        found |= {gap.key: gap.document() for gap in list(self._open.values())}
        first, last = to_iso(start), to_iso(end)
        docs = [
            doc
            for doc in found.values()
            if device in (None, doc["device"]) and doc["from"] <= last and doc["to"] >= first
        ]
        docs.sort(key=lambda doc: str(doc["from"]), reverse=True)
        return docs[:limit]
