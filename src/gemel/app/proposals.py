"""Commands that services recommend, on their way through the guards of all commands.

What live parts and runs propose waits here for the next edit; each is submitted under an id that
follows from what it is, so that one that is found again by the replay is the same command. How far
it goes is the autonomy of its instance: see docs/reference/services.md#autonomy.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING

import orjson

from gemel.app.guarding import OF_SERVICES
from gemel.commands.autonomy import SUGGEST, Autonomy
from gemel.commands.command import REFUSED, UNSENT, Command
from gemel.commands.guards import Ask
from gemel.core.clock import SECOND
from gemel.core.document import Edit, Json
from gemel.core.errors import GemelError, Unavailable
from gemel.services.contract import Instance, Proposal
from gemel.twins.graph import EditContext, Graph

if TYPE_CHECKING:
    from gemel.app.platform import Platform

log = logging.getLogger("gemel.services")
Place = tuple[str, str, str]
"""Service, twin and command: the newest of each counts."""


@dataclass(frozen=True, slots=True)
class Waiting:
    service: str
    proposal: Proposal
    is_by_itself: bool
    """False: of a run that a person has asked for; it goes no further than a proposal."""

    @property
    def key(self) -> str:
        """The command's id."""
        content = orjson.dumps([self.service, asdict(self.proposal)], option=orjson.OPT_SORT_KEYS)
        return "c-" + sha256(content).hexdigest()[:16]


class Proposals:
    """All that services have recommended and that is not a command yet."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._waiting: dict[Place, Waiting] = {}
        self._made: dict[str, int] = {}
        self._problem: dict[str, str] = {}
        self._is_submitting = False

    def note(
        self, instance: Instance, found: Iterable[Proposal], *, is_by_itself: bool = True
    ) -> None:
        """Takes what a live part or a run recommends; only for twins of its instance."""
        own = frozenset(instance.twins)
        for one in found:
            if one.twin not in own:
                self._told(instance.id, f"'{one.twin}' is none of its twins")
                continue
            timed = one if one.time else replace(one, time=self._platform.clock())
            place = (instance.id, one.twin, one.command)
            self._waiting[place] = Waiting(instance.id, timed, is_by_itself)

    def submit_soon(self) -> None:
        """Starts to make commands of what waits, unless that is under way."""
        if self._waiting and not self._is_submitting:
            self._is_submitting = True
            self._platform.start_task(self._submit())

    async def _submit(self) -> None:
        try:
            while self._waiting:
                taken = dict(self._waiting)
                await self._platform.edit(partial(self._plan, taken), "services")
                for place, one in taken.items():
                    if self._waiting.get(place) is one:
                        del self._waiting[place]
        except Unavailable as error:
            log.warning("what services recommend waits: %s", error)
        finally:
            self._is_submitting = False

    def _plan(
        self, taken: dict[Place, Waiting], _: Graph, context: EditContext
    ) -> tuple[list[Edit], None]:
        book = self._platform.reactions.dispatch.book
        older: dict[Place, list[Command]] = {}
        for old in book.find(state="open", limit=1_000_000):
            if old.state in UNSENT and old.is_automatic:
                older.setdefault((old.service, old.twin, old.command), []).append(old)
        edits: list[Edit] = []
        for (service, twin, command), one in taken.items():
            before = older.get((f"service {service}", twin, command), [])
            try:
                edits += self._command(one, before, context)
            except GemelError as error:
                self._told(service, str(error))
        return edits, None

    def _command(self, one: Waiting, older: list[Command], context: EditContext) -> list[Edit]:
        """One recommendation as a command; those before it that were not sent are taken back."""
        document = self._platform.catalogue.plain["service"].get(one.service)
        level = OF_SERVICES.get(document["autonomy"]) if document is not None else None
        given, dispatch = one.proposal, self._platform.reactions.dispatch
        deadline = min(given.time, context.now) + round(given.seconds * SECOND)
        if level is None or deadline <= context.now or dispatch.book.is_known(one.key):
            return []
        name = f"service {one.service}"
        autonomy = dispatch.guarding.autonomy_of(name, level)
        ask = Ask(
            given.twin,
            given.command,
            given.arguments,
            name,
            deadline,
            key=one.key,
            service=name,
            autonomy=autonomy if one.is_by_itself else Autonomy(SUGGEST),
            why=in_words(given),
        )
        edits, made = dispatch.submit(ask, context)
        self._made[one.service] = self._made.get(one.service, 0) + 1
        if made.state != REFUSED:
            for old in older:
                why = "a newer recommendation has taken its place"
                edits += dispatch.book.cancel(old.id, name, why, context.now)
        return edits

    def _told(self, service: str, problem: str) -> None:
        if self._problem.get(service) != problem:
            log.warning("what the service '%s' recommends is no command: %s", service, problem)
        self._problem[service] = problem

    def status(self, service: str) -> Json:
        """How many commands it has asked for since the start, and why the last was none."""
        return {"made": self._made.get(service, 0), "problem": self._problem.get(service, "")}

    # ---- checkpoint and restart ----------------------------------------------------------------

    def snapshot(self) -> bytes:
        return orjson.dumps([asdict(one) for one in self._waiting.values()])

    def restore(self, data: bytes) -> None:
        for row in orjson.loads(data):
            given = Proposal(**row["proposal"])
            place = (row["service"], given.twin, given.command)
            self._waiting[place] = Waiting(row["service"], given, row["is_by_itself"])


def in_words(given: Proposal) -> str:
    """Why, what is expected, and how sure it is: for people, in one line."""
    gain = f"; expected gain: {given.gain}" if given.gain else ""
    sure = "" if given.confidence is None else f"; confidence {given.confidence:.0%}"
    return f"{given.why}{gain}{sure}"
