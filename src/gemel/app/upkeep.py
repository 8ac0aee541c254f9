"""What keeps a running installation well: snapshots, checks, compaction, retention, memory."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

from gemel.app import audit, memory
from gemel.app.checkup import report
from gemel.app.snapshot import FOLDER, compact_name, take
from gemel.core.document import Json
from gemel.core.errors import Unavailable
from gemel.history import History

if TYPE_CHECKING:
    from gemel.app.platform import Platform


log = logging.getLogger("gemel.upkeep")


class Upkeep:
    """One of these jobs at a time, each on a thread of its own."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._busy = Lock()
        self.broken = ""
        """The first edit that is not what was written, as far as it was looked for."""
        memory.keep_freed()

    async def snapshot(self, name: str = "") -> Json:
        """Makes `backups/NAME` in the data folder; see `app.snapshot`."""
        platform = self._platform
        name = name or compact_name(platform.clock())
        made = await self._alone(lambda: take(platform.folder.path, platform.history, name))
        return {"folder": f"{FOLDER}/{name}", **made}

    async def check(self) -> Json:
        """Reads everything afresh, while the server goes on."""
        platform = self._platform
        return await self._alone(
            lambda: report(platform.folder.path, platform.history.check(), is_running=True)
        )

    async def look_over(self) -> None:
        """Computes the chain of edits anew, so that no changed document passes in silence.

        Cost: about 6 us an edit, on a thread.
        """
        file = self._platform.documents.path
        self.broken = (await asyncio.to_thread(audit.verify, file)).broken
        if self.broken:
            log.error("'%s' is damaged: %s; restore a backup", file, self.broken)

    async def compact(self) -> Json:
        """Seals what is complete, merges segments and drops copies."""
        return await self._alone(lambda: compact(self._platform.history, seal=True))

    def rest(self) -> None:
        """Gives memory back that was needed for a while: called now and then, on a thread.

        Cost: about 15 ms after 100,000 twins were imported, 0.4 ms when there is nothing.
        """
        self._platform.documents.rest()
        memory.rest()

    async def _alone(self, work: Callable[[], Json]) -> Json:
        if not self._busy.acquire(blocking=False):
            raise Unavailable(
                "a backup, a check or a compaction is under way", hint="wait until it is done"
            )
        # who asked may go away: the thread goes on, and frees the place itself
        return await asyncio.shield(asyncio.to_thread(self._then_free, work))

    def _then_free(self, work: Callable[[], Json]) -> Json:
        try:
            return work()
        finally:
            self._busy.release()


def compact(history: History, *, seal: bool) -> Json:
    """Merges all that can be merged; `seal` also what is only in the log, where state is kept."""
    before = history.statistics()
    if seal:
        history.seal()
    history.compact()
    after = history.statistics()
    return {
        "readings": after.readings,
        "copies": after.copies - before.copies,
        "segments": {"before": before.segments, "after": after.segments},
        "bytes": {
            "before": sum(before.bytes_by_kind.values()),
            "after": sum(after.bytes_by_kind.values()),
            **after.bytes_by_kind,
        },
    }
