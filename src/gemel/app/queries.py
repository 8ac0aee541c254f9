"""Queries over the platform's twins: run in short pieces, so that the loop stays free."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from gemel.app.past import Moment
from gemel.core.errors import InvalidInput
from gemel.twins.paging import LARGEST_SIZE
from gemel.twins.query.meter import too_long
from gemel.twins.query.parser import parse
from gemel.twins.query.reading import Live
from gemel.twins.query.run import Answer, Engine, read_token

if TYPE_CHECKING:
    from gemel.app.platform import Platform

PIECE_SECONDS = 0.005
"""How long a query works before others have their turn."""
MOST_SECONDS = 30.0


class Queries:
    """The query engine of one platform."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.engine = Engine(platform.graph, Live(platform.series, platform.state))

    async def answer(
        self, text: str, token: str | None, size: int, moment: Moment | None = None
    ) -> Answer:
        """One page of an answer.

        Args:
            text: the query; "" takes it from the token.
            token: what the page before gave.
            size: rows in a page.
            moment: as of when, where the query itself does not say it; None is now.

        What is edited while a long query runs may be seen or not; each twin and relationship is
        told as it was at one moment.

        Raises:
            InvalidInput: the query or the token is wrong, or it takes too long.
        """
        engine = await self._engine_of(text, token, moment)
        run = engine.run(text, token, size)
        begin = piece = time.monotonic()
        try:
            while True:
                next(run)
                now = time.monotonic()
                if now - begin > MOST_SECONDS:
                    raise too_long(f"takes longer than {MOST_SECONDS:.0f} s")
                if now - piece > PIECE_SECONDS:
                    await asyncio.sleep(0)
                    piece = time.monotonic()
        except StopIteration as end:
            found: Answer = end.value
            return found
        finally:
            run.close()

    async def twins_where(self, condition: str) -> frozenset[str]:
        """The ids of the twins for which a condition of the query language holds.

        Raises:
            InvalidInput: as of `answer`, or more match than a table may hold.
        """
        found: list[str] = []
        text, token = f"SELECT $dtId FROM DIGITALTWINS WHERE {condition}", None
        while True:
            answer = await self.answer(text, token, LARGEST_SIZE)
            found += [str(row["$dtId"]) for row in answer.rows]
            token = answer.token
            if token is None:
                return frozenset(found)

    async def _engine_of(self, text: str, token: str | None, moment: Moment | None) -> Engine:
        query = parse(text if token is None else read_token(token, text).text)
        said = self._platform.moments.moment(query.as_of, query.recorded)
        if said is not None and moment is not None:
            raise InvalidInput(
                "the moment is given twice, in the query and beside it",
                hint="leave one of them out",
            )
        said = said or moment
        return self.engine if said is None else (await self._platform.moments.then(said)).engine
