"""What readings that came too late would have changed about alarms, recorded as corrections.

A rule moves on when its lateness has gone by; a reading that comes after that goes to history and
raises nothing. Here the rule is held against history (`history_look`) from that reading on: it is
put where it stands now, and where history says something else of the past than was told, the
difference is kept as a document. The alarms themselves stay as people were told them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING

import orjson

from gemel.app.backtest import Episode, episode_view
from gemel.app.history_look import HistoryLook, NotYet
from gemel.core.clock import SECOND, from_iso, to_iso
from gemel.core.document import Edit, Json
from gemel.core.errors import GemelError, Unavailable
from gemel.services.rules.belated import LateReadings, flat
from gemel.services.rules.rule import Rule
from gemel.twins.graph import EditContext, Graph

if TYPE_CHECKING:
    from gemel.app.platform import Platform

log = logging.getLogger(__name__)

KIND = "alarmcorrection"
MOST_LOOKED_AT = 5_000
"""Corrections that one page is looked for in; its cursor goes on behind them."""
PIECE = 200
QUIET, PATIENCE = 5 * SECOND, 60 * SECOND
"""Late readings are taken together until none has come for 5 s, at most for a minute."""
MOST_EPISODES = 100
"""Kept of each side of a correction; it says how many more there were."""


class LateAlarms:
    """Makes corrections beside the loop; they stand on disk, and are read from there."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._history = HistoryLook(platform)
        self._count = 0
        self._first = self._last = 0
        """When the first and the last of what waits was noticed."""
        self._is_correcting = False
        self._at_work: list[LateReadings] = []
        """Taken from the engine, not yet corrected ..."""
        self._waiting: list[LateReadings] = []
        """... and those whose rules are not up to date."""

    def apply(self, edits: Iterable[Edit]) -> None:
        for edit in edits:
            if edit.kind == KIND and edit.doc is not None:
                self._platform.hub.event({"type": "alarmCorrection", "correction": edit.doc})

    async def page(
        self, before: str, limit: int, is_wanted: Callable[[Json], bool]
    ) -> tuple[list[Json], str | None]:
        """Corrections of the newest readings first, and where the next page begins.

        Args:
            before: the key that the last page ended at; "" for the first page.
            limit: at most so many; fewer where few are wanted among very many.
            is_wanted: whether one is on the page.
        """
        loop = asyncio.get_running_loop()
        found: list[Json] = []
        for _ in range(MOST_LOOKED_AT // PIECE):
            back = self._platform.documents.back
            stored = await loop.run_in_executor(None, back, KIND, before, PIECE)
            for place, document in enumerate(stored, 1):
                before = document.key
                if is_wanted(document.doc):
                    found.append(whole(document.doc))
                if len(found) == limit and (place < len(stored) or len(stored) == PIECE):
                    return found, before
            if len(stored) < PIECE:
                return found, None
        return found, before

    def between(self, begin: int, end: int) -> list[Json]:
        """Those recorded in a span, the oldest first; waits for the disk."""
        edits = self._platform.documents.between(KIND, begin, end)
        return [whole(version.doc) for _, version, _ in edits if version.doc is not None]

    # ---- making them ---------------------------------------------------------------------

    def tick(self, now: int) -> None:
        belated = self._platform.reactions.engine.belated
        if not belated or self._is_correcting:
            return
        count = len(belated) + belated.dropped
        if count != self._count:
            self._first = self._first if self._count else now
            self._count, self._last = count, now
        if now - self._last >= QUIET or now - self._first >= PATIENCE:
            if belated.dropped:
                log.warning(
                    "%d late readings are in no correction; back-test their rules", belated.dropped
                )
            self._count, self._is_correcting = 0, True
            self._at_work = belated.take()
            self._platform.start_task(self._correct())

    async def _correct(self) -> None:
        """What cannot be stored now, since the disk is full, waits for another time."""
        try:
            while self._at_work:
                one, is_done = self._at_work[0], True
                try:
                    await self._correct_one(one)
                except NotYet:
                    self._waiting.append(one)
                except GemelError as error:
                    log.warning("late readings of rule '%s' on '%s': %s", one.rule, one.twin, error)
                    is_done = not isinstance(error, Unavailable)
                    if not is_done:
                        return
                finally:
                    if is_done:
                        del self._at_work[0]
        finally:
            self._platform.reactions.engine.belated.put_back([*self._at_work, *self._waiting])
            self._at_work, self._waiting, self._is_correcting = [], [], False

    async def _correct_one(self, late: LateReadings) -> None:
        found = await self._history.look(late)
        if found is None:
            return
        told, actual = found.sides()
        doc = self._document(found.rule, found.late, told, actual)
        await self._platform.edit(partial(self._plan, doc), "rules")
        self._platform.reactions.told.replace(
            late.rule, late.twin, found.begin, found.end, found.actual
        )

    def _plan(self, doc: Json, _: Graph, context: EditContext) -> tuple[list[Edit], None]:
        if self._platform.documents.get(KIND, doc["id"]) is not None:
            return [], None  # a replay after a crash
        edit = context.edit(KIND, doc["id"], {**doc, "recorded": to_iso(context.now)})
        return [edit], None

    def _document(
        self, rule: Rule, late: LateReadings, told: Sequence[Episode], actual: Sequence[Episode]
    ) -> Json:
        doc: Json = {
            "rule": rule.id,
            "ruleVersion": rule.version,
            "title": rule.title,
            "priority": rule.priority,
            "twin": late.twin,
            "twinName": self._platform.catalogue.name_of(late.twin),
            "from": to_iso(late.begin),
            "to": to_iso(late.end),
            "told": [episode_view(e) for e in told[:MOST_EPISODES]],
            "actual": [episode_view(e) for e in actual[:MOST_EPISODES]],
        }
        digest = blake2b(orjson.dumps(doc), digest_size=5).hexdigest()
        left = {
            "told": max(0, len(told) - MOST_EPISODES),
            "actual": max(0, len(actual) - MOST_EPISODES),
        }
        key = f"c-{late.begin // 1_000_000:011x}-{digest}"  # in the order of the readings
        return {"id": key, "readings": late.readings, **doc, "leftOut": left}

    # ---- over a restart ------------------------------------------------------------------

    def recall(self, since: int) -> None:
        """After a replay: what was told is as corrected since the last checkpoint."""
        told, now = self._platform.reactions.told, self._platform.clock()
        for _, version, _ in self._platform.documents.between("alarm", since + 1, now + 1):
            alarm = version.doc
            if alarm is None or not alarm["occurrences"]:
                continue
            if from_iso(alarm["lastRaised"]) > told.of(alarm["rule"], alarm["twin"]).latest:
                told.amend(alarm["rule"], alarm["twin"], [], [_span(alarm, "lastRaised")])
        for doc in self.between(since + 1, now + 1):
            sides = [[_span(episode) for episode in doc[name]] for name in ("told", "actual")]
            told.amend(doc["rule"], doc["twin"], *sides)

    def snapshot(self) -> bytes:
        waiting = self._platform.reactions.engine.belated.snapshot()
        return orjson.dumps([*flat([*self._at_work, *self._waiting]), *waiting])

    def restore(self, blob: bytes) -> None:
        self._platform.reactions.engine.belated.restore(orjson.loads(blob))


def whole(doc: Json) -> Json:
    """A correction as it is told: those of earlier versions did not say what was left out."""
    return {"leftOut": {"told": 0, "actual": 0}, **doc}


def _span(doc: Json, raised: str = "raised") -> tuple[int, int | None]:
    cleared = None if doc["cleared"] is None else from_iso(doc["cleared"])
    return from_iso(doc[raised]), cleared
