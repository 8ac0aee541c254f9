"""Log-ins that were refused, in the audit log: one line a minute and face at the most."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gemel.core.clock import SECOND, to_iso
from gemel.core.document import Edit, Json

if TYPE_CHECKING:
    from gemel.app.platform import Platform

KIND = "refusal"
EVERY = 60 * SECOND
MOST_NAMED = 20
"""Addresses and user names that one line has; the others are counted together."""
OTHERS = "*"
LONGEST = 100


@dataclass(slots=True)
class _Refused:
    """What was refused at one face and is not in the log yet."""

    first: int
    last: int = 0
    count: int = 0
    sources: Counter[str] = field(default_factory=Counter)

    def add(self, source: str, now: int) -> None:
        source = source[:LONGEST]
        if source not in self.sources and len(self.sources) >= MOST_NAMED:
            source = OTHERS
        self.sources[source] += 1
        self.count += 1
        self.last = now

    def document(self, face: str) -> Json:
        return {
            "face": face,
            "count": self.count,
            "from": to_iso(self.first),
            "to": to_iso(self.last),
            "sources": dict(self.sources.most_common()),
        }


class Refusals:
    """Counts log-ins that were refused, and has them written now and then."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._waiting: dict[str, _Refused] = {}
        self._written: dict[str, int] = {}
        """By face, when the last line was."""

    def add(self, face: str, source: str) -> None:
        """Notes a refusal.

        Args:
            face: `http` or `mqtt`.
            source: where it came from, or as whom.
        """
        now = self._platform.clock()
        self._waiting.setdefault(face, _Refused(now)).add(source, now)

    def tick(self, now: int) -> None:
        """Writes what waits: the first of a minute at once, those that follow when it is over."""
        due = [f for f in self._waiting if now >= self._written.get(f, -EVERY) + EVERY]
        if due:
            self._platform.start_task(self._write(due, now))

    async def close(self) -> None:
        """Writes all that waits."""
        if self._waiting:
            await self._write(list(self._waiting), self._platform.clock())

    async def _write(self, faces: list[str], now: int) -> None:
        edits = []
        for face in faces:
            found = self._waiting.pop(face, None)
            if found is not None:
                self._written[face] = now
                why = f"{found.count} refused" if found.count > 1 else "refused"
                edits.append(Edit(KIND, face, found.document(face), now, "nobody", why))
        await self._platform.edit(lambda _, __: (edits, None), "nobody", "log-ins refused")
