"""Twins whose readings come late in order: their rules are judged beside the loop, from history.

A device whose link was down sends what it kept while others are on time. Rules on the clock that
they share stand still on it meanwhile (`services/rules/behind`); here they are brought up to date.
"""

from __future__ import annotations

import asyncio
import logging
from time import thread_time
from typing import TYPE_CHECKING

import numpy as np

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND
from gemel.core.errors import GemelError, InvalidInput
from gemel.core.quality import Quality
from gemel.services.rules.catch_up import MOST_TWINS, CatchUp
from gemel.services.rules.text import code_of_json

if TYPE_CHECKING:
    from gemel.app.platform import Platform

log = logging.getLogger("gemel.rules")
PAUSE = 5 * SECOND
"""Between two goes at least, so that the messages of a backlog are judged together ..."""
SHARE = 4
"""... and so many times as long as one took, so that it is a small part of the work."""
MOST_READINGS = 5_000_000
"""Of all twins in one go."""


class Backlog:
    """Judges what is behind, go by go."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._is_judging = False
        self._next = 0
        self._most = MOST_TWINS

    def tick(self, now: int) -> None:
        if self._is_judging or now < self._next:
            return
        found = self._platform.reactions.engine.behind(now, self._most)
        if found:
            self._is_judging = True
            self._platform.start_task(self._judge(found))

    async def _judge(self, found: list[CatchUp]) -> None:
        spent = 0
        try:
            for one in found:
                spent += await self._judge_one(one)
        finally:
            self._next = self._platform.clock() + max(PAUSE, SHARE * spent)
            self._is_judging = False

    async def _judge_one(self, one: CatchUp) -> int:
        """Returns the processor time, ns; what history cannot give now is judged another time."""
        reader = Reader(self._platform)
        try:
            spent = await asyncio.to_thread(_timed, one, reader)
            found = self._platform.reactions.engine.caught_up(one, reader.read, reader.words)
        except InvalidInput as error:
            self._take_fewer(one, error)
            return 0
        except GemelError as error:
            one.give_up()
            log.warning("readings that came late cannot be judged yet: %s", error)
            return 0
        except BaseException:
            one.give_up()
            raise
        self._platform.reactions.follow(found)
        self._most = min(2 * self._most, MOST_TWINS)
        return spent

    def _take_fewer(self, one: CatchUp, error: InvalidInput) -> None:
        if len(one) > 1:
            one.give_up()
            self._most = max(len(one) // 8, 1)
            return
        twins = ", ".join(one.let_go())
        log.warning("late readings of '%s' are not judged: %s; back-test its rules", twins, error)


class Reader:
    """Reads history for one go, up to a bound; texts as codes."""

    def __init__(self, platform: Platform) -> None:
        self._history = platform.history
        self._count = 0
        self.words: dict[float, str] = {}

    def read(self, series: int, begin: int, end: int) -> tuple[I64, F64]:
        left = MOST_READINGS - self._count
        found = self._history.read(series, begin, end, bad=True, limit=left + 1)
        self._count += len(found)
        if len(found) > left:
            raise InvalidInput(f"there are more than {MOST_READINGS:,} readings")
        value = np.where(found.quality < Quality.BAD, found.value, np.nan)
        for row, text in found.text.items():
            if found.quality[row] < Quality.BAD:
                value[row] = self._code(text)
        return found.time, value

    def last(self, series: int, at: int) -> tuple[int, float] | None:
        found = self._history.last(series, at)
        if found is None or found.quality >= Quality.BAD:
            return None
        return found.time, found.value if found.text is None else self._code(found.text)

    def _code(self, text: str) -> float:
        code = code_of_json(text)
        self.words[code] = text
        return code


def _timed(one: CatchUp, reader: Reader) -> int:
    began = thread_time()
    one.judge(reader.read, reader.last)
    return round((thread_time() - began) * SECOND)
