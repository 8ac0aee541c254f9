"""Edits on their way to disk: one at a time, or many of the graph's made durable together.

A plan that reads nothing but the graph can be planned against the graph as it will be with those
before it (a `Draft`): what waits while one commit is under way shares the next one, and each is
answered when that is durable. Every other plan is alone: nothing is planned until it is visible.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from gemel.core.document import Edit
from gemel.core.errors import GemelError, Unavailable
from gemel.twins.draft import Draft
from gemel.twins.graph import EditContext, Graph

if TYPE_CHECKING:
    from gemel.app.platform import Platform

T = TypeVar("T")
G = TypeVar("G", bound=Graph)
Plan = Callable[[Graph, EditContext], tuple[list[Edit], T]]
PlanAhead = Callable[[Draft, EditContext], tuple[list[Edit], T]]
MOST_TOGETHER = 256
AHEAD_SECONDS = 0.1
"""So long a row of edits keeps others waiting."""
MOST_AHEAD = 1_000
"""Edits that are planned, a slice after the other, while those before them go to disk."""
ETAGS = 256
"""So many are made from one question for random bytes."""


def new_etags() -> Iterator[str]:
    """Random UUIDs (version 4) as etags, without end."""
    while True:
        digits = os.urandom(16 * ETAGS).hex()
        for n in range(0, len(digits), 32):
            d = digits[n : n + 32]
            variant = "89ab"[int(d[16], 16) & 3]
            yield f'W/"{d[:8]}-{d[8:12]}-4{d[13:16]}-{variant}{d[17:20]}-{d[20:]}"'


@dataclass(slots=True)
class _Waiting:
    """An edit that nobody has planned yet, and who waits for it."""

    plan: Plan[Any]
    who: str
    why: str
    answer: asyncio.Future[Any]


@dataclass(slots=True)
class _Planned:
    """An edit that is on its way to disk."""

    edits: list[Edit]
    result: Any
    answer: asyncio.Future[Any]

    def done(self) -> None:
        if not self.answer.done():
            self.answer.set_result(self.result)


class _Row(Generic[T]):
    """What is planned for one commit while that before it is on its way to disk."""

    __slots__ = ("_draft", "_edits", "_plan", "_who", "_why", "edits", "failure", "results")

    def __init__(self, edits: Edits, draft: Draft, plan: PlanAhead[T], who: str, why: str) -> None:
        self._edits, self._draft, self._plan, self._who, self._why = edits, draft, plan, who, why
        self.edits: list[Edit] = []
        self.results: list[T] = []
        self.failure: Exception | None = None
        """What ended it; what was planned before stands."""

    def plan(self) -> None:
        """Plans some more."""
        try:
            edits, result = self._edits.planned(self._plan, self._draft, self._who, self._why)
        except Exception as error:  # noqa: BLE001 - raised when those before it are durable
            self.failure = error
            return
        self.edits += edits
        self.results.append(result)

    def has_room(self) -> bool:
        """Whether more may share its commit: a deletion is the last, as it is when alone."""
        is_open = self.failure is None and len(self.edits) < MOST_AHEAD
        return is_open and all(edit.doc is not None for edit in self.edits)


class Edits:
    """Plans, commits and applies; on the event loop's thread, the disk on the executor's."""

    def __init__(self, platform: Platform, executor: Executor) -> None:
        self._platform = platform
        self._executor = executor
        self._turn = asyncio.Lock()
        self._waiting: deque[_Waiting] = deque()
        self._is_grouping = False
        self._etags = new_etags()

    async def alone(self, plan: Plan[T], who: str, why: str) -> T:
        """Plans an edit against what is now, makes it durable, then applies it."""
        async with self._turn:
            edits, result = self.planned(plan, self._platform.graph, who, why)
            await self._commit(edits)
        self._platform.reactions.after_edit()
        return result

    async def together(self, plan: Plan[T], who: str, why: str) -> T:
        """As `alone`, for a plan that reads only the graph: it shares its commit with others."""
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(plan, who, why, answer))
        if not self._is_grouping:
            self._is_grouping = True
            self._platform.start_task(self._group())
        return await answer

    async def ahead(
        self,
        plan: PlanAhead[T],
        *,
        is_more: Callable[[], bool],
        done: Callable[[T], object],
        who: str,
        why: str,
    ) -> None:
        """Plans edits of the graph in a row, some while those before are on their way to disk.

        A slow disk gets many at once: what can be planned while it works shares the next commit.

        Ends when there is no more or when others have waited for long enough; what was planned is
        durable then. After a failure nothing is known of what was planned and not told as done.

        Args:
            plan: plans some more, against a draft that it also gives them to.
            is_more: whether there is anything to plan.
            done: told what `plan` found once that is durable and visible.
            who: as of any edit.
            why: as of any edit.
        """
        until = time.monotonic() + AHEAD_SECONDS
        async with self._turn:
            graph = self._platform.graph
            draft = Draft(graph)
            row: _Row[T] | None = None
            on_its_way: asyncio.Task[None] | None = None
            try:
                while is_more() and (on_its_way is None or time.monotonic() < until):
                    row = _Row(self, draft, plan, who, why)
                    row.plan()
                    while on_its_way is not None and not on_its_way.done() and row.has_room():
                        await asyncio.sleep(0)  # others get their turn of the loop
                        if not is_more():
                            break
                        row.plan()
                    if on_its_way is not None:
                        await on_its_way
                        draft.rebase(graph)
                    on_its_way = asyncio.ensure_future(self._commit_and_tell(row, done))
                    await asyncio.sleep(0)  # the disk gets its work
                    if row.failure is not None:
                        break
                    draft = Draft(draft)
            finally:
                if on_its_way is not None:  # whatever ended the row: nobody edits before it is over
                    await asyncio.wait({on_its_way})
            if on_its_way is not None:
                on_its_way.result()
        if row is not None and row.failure is not None:
            raise row.failure
        self._platform.reactions.after_edit()

    async def _commit_and_tell(self, row: _Row[T], done: Callable[[T], object]) -> None:
        await self._commit(row.edits)
        for result in row.results:
            done(result)

    async def drain(self) -> None:
        """Waits until the edit that is under way is done; call when nothing new comes."""
        async with self._turn:
            pass

    def planned(
        self, plan: Callable[[G, EditContext], tuple[list[Edit], T]], graph: G, who: str, why: str
    ) -> tuple[list[Edit], T]:
        context = EditContext(
            now=self._platform.clock(), who=who, why=why, new_etag=self._etags.__next__
        )
        edits, result = plan(graph, context)
        return edits + self._platform.reactions.following(edits, context), result

    async def _commit(self, edits: list[Edit]) -> None:
        if not edits:
            return
        platform = self._platform
        await asyncio.get_running_loop().run_in_executor(
            self._executor, platform.documents.commit, edits
        )
        platform.catalogue.apply(edits)
        platform.jobs.apply(edits)
        platform.events.apply(edits)
        platform.work.apply(edits)

    # ---- together ----------------------------------------------------------------------------

    async def _group(self) -> None:
        """Commits what waits until nothing does."""
        try:
            while self._waiting:
                async with self._turn:
                    group = self._next_group()
                    try:
                        await self._commit([edit for one in group for edit in one.edits])
                    except Exception as error:  # noqa: BLE001 - it is theirs to hear
                        for one in group:
                            _fail(one.answer, error)
                for one in group:
                    one.done()
                self._platform.reactions.after_edit()
        finally:
            self._is_grouping = False
            while self._waiting:  # only when something failed before they had their turn
                _fail(self._waiting.popleft().answer, _not_made())

    def _next_group(self) -> list[_Planned]:
        """Plans what waits, each edit against the graph as it will be with those before it."""
        graph = self._platform.graph
        draft = Draft(graph)
        group: list[_Planned] = []
        deleted: set[str] = set()
        while self._waiting and len(group) < MOST_TOGETHER:
            one = self._waiting.popleft()
            try:
                edits, result = self.planned(one.plan, draft if group else graph, one.who, one.why)
            except Exception as error:  # noqa: BLE001 - its own, not its neighbours'
                _fail(one.answer, error)
                continue
            is_plain = all(edit.kind in ("twin", "relationship") for edit in edits)
            fits = is_plain and deleted.isdisjoint(edit.key for edit in edits)
            fits = fits and _drafted(draft, edits)
            if group and not fits:
                self._waiting.appendleft(one)  # it comes first in the next group, by itself
                break
            group.append(_Planned(edits, result, one.answer))
            if not fits:
                break
            deleted.update(edit.key for edit in edits if edit.doc is None)
        return group


def _drafted(draft: Draft, edits: list[Edit]) -> bool:
    """Whether the draft could take edits in; one that did not is of no use any more."""
    try:
        draft.apply(edits)
    except (TypeError, ValueError, GemelError):  # no JSON: alone, the commit says so by its name
        return False
    return True


def _fail(answer: asyncio.Future[Any], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)


def _not_made() -> Unavailable:
    return Unavailable("the edit was not made", hint="send it again later")
