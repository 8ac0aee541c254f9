"""Work orders joined to alarms, twins and watchers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from gemel.core.clock import from_iso
from gemel.core.document import Edit, Json
from gemel.core.errors import InvalidInput
from gemel.services.work.orders import KIND, WorkBook
from gemel.twins.graph import EditContext, Graph

if TYPE_CHECKING:
    from gemel.app.platform import Platform

FIELDS = (
    "twin",
    "alarm",
    "title",
    "description",
    "priority",
    "assignee",
    "due",
    "parts",
    "checklist",
)
CHANGES = (
    "title",
    "description",
    "priority",
    "assignee",
    "due",
    "parts",
    "note",
    "checklist",
    "check",
)


class Work:
    """The book of work orders, made durable."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.book = WorkBook()

    def load(self) -> None:
        self.book.load(self._platform.documents.load(KIND))

    def apply(self, edits: Iterable[Edit]) -> None:
        """Takes committed edits in."""
        edits = list(edits)
        self.book.apply(edits)
        for edit in edits:
            if edit.kind == KIND and edit.doc is not None:
                self._platform.hub.event({"type": "work", "order": edit.doc})

    async def create(self, body: Json, who: str) -> Json:
        """A new order, for a twin or an alarm.

        Raises:
            NotFound: there is no such twin or alarm.
            InvalidInput: a field is not of its form.
            Conflict: an order for this alarm is still to be done.
        """
        _check_due(body)
        key = body.get("alarm")
        if key is not None and not isinstance(key, str):
            raise InvalidInput("'alarm' must be the id of an alarm")
        alarm = self._platform.reactions.alarms.get(key) if key else None
        if isinstance(body.get("twin"), str):
            self._platform.catalogue.require_twin(body["twin"])
        elif alarm is None:
            raise InvalidInput("a work order needs a 'twin' or an 'alarm'")
        return await self._do(lambda now: self.book.create(body, alarm, who, now), who)

    async def act(self, key: str, act: str, who: str, text: str) -> Json:
        return await self._do(lambda now: self.book.act(key, act, who, text, now), who)

    async def change(self, key: str, body: Json, who: str) -> Json:
        _check_due(body)
        return await self._do(lambda now: self.book.change(key, body, who, now), who)

    async def _do(self, plan: Callable[[int], list[Edit]], who: str) -> Json:
        def planned(_: Graph, context: EditContext) -> tuple[list[Edit], str]:
            edits = plan(context.now)
            return edits, edits[0].key

        return self.book.get(await self._platform.edit(planned, who))


def _check_due(body: Json) -> None:
    due = body.get("due")
    if due is None:
        return
    if not isinstance(due, str):
        raise InvalidInput("'due' must be a time", hint="like 2026-11-22T10:00:00Z")
    from_iso(due)
