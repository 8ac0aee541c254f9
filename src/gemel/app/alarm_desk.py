"""What people do with alarms, one or many at once, and what time and design do to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from gemel.core.clock import to_iso
from gemel.core.document import Edit, Json
from gemel.core.errors import GemelError, InvalidInput, NotFound
from gemel.services.alarms.figures import SPAN, FloodWatch, figures, handover, is_told
from gemel.services.alarms.groups import KIND, Groups
from gemel.services.alarms.philosophy import DEFAULT, read_philosophy
from gemel.services.alarms.record import Step, step_between, steps_of
from gemel.services.alarms.shifts import Duty, duty_at, zone_of
from gemel.services.alarms.states import SHOWN
from gemel.services.alarms.suppression import Surroundings
from gemel.twins.graph import EditContext, Graph

if TYPE_CHECKING:
    from gemel.app.platform import Platform

MOST_AT_ONCE = 10_000
MOST_GROUPS = 1_000


class AlarmDesk:
    """The operators' side of the alarm book."""

    def __init__(self, platform: Platform, around: Surroundings) -> None:
        self._platform = platform
        self._is_ticking = False
        self.groups = Groups(around, self._stored_group)
        self.flood = FloodWatch()
        self.philosophy = DEFAULT
        self._duty: Duty | None = None
        self.step_shown: Callable[[Step], Step] = lambda step: step
        """What may be seen of a step; policies hide parts of it."""

    def _stored_group(self, key: str) -> Json | None:
        found = self._platform.documents.get(KIND, key)
        return found.doc if found else None

    def load(self) -> None:
        """Takes over what is stored; the alarms themselves are there."""
        platform = self._platform
        book = platform.reactions.alarms
        self._set_philosophy()
        self.groups.load(platform.documents.load(KIND), [*book.recently_over(), *book.live()])
        now = platform.clock()
        for step in self._steps(now - SPAN, now + 1):
            if is_told(step):
                self.flood.add(step.time, step.raises, step.doc["twin"])

    def apply(self, edits: Sequence[Edit]) -> None:
        """Takes committed edits in, before the book of alarms does."""
        platform = self._platform
        if any(edit.kind == "philosophy" for edit in edits):
            self._set_philosophy()
        self.groups.apply(edits)
        for edit in edits:
            if edit.kind == "alarm" and edit.doc is not None:
                before = platform.reactions.alarms.find_live(edit.key)
                raises = edit.doc["occurrences"] - (before["occurrences"] if before else 0)
                if raises > 0 and edit.doc["state"] in SHOWN:
                    self.flood.add(edit.time, raises, edit.doc["twin"])
            elif edit.kind == KIND and edit.doc is not None:
                platform.hub.event({"type": "alarmGroup", "group": edit.doc})

    def _set_philosophy(self) -> None:
        stored = self._platform.catalogue.plain["philosophy"].get("plant", {})
        self.philosophy = read_philosophy(stored)
        self.groups.philosophy = self.philosophy
        self._duty = None

    # ---- people --------------------------------------------------------------------------

    async def act(self, act: str, key: str, who: str, text: str = "", seconds: float = 0.0) -> Json:
        """One act on one alarm; the alarm after it.

        Raises:
            NotFound: there is no such alarm.
            InvalidInput: the act is not known, or lacks its reason or time.
            Conflict: the alarm's state does not allow it.
        """
        await self._platform.edit(
            lambda _, context: (self._plan(act, key, who, text, seconds, context.now), None), who
        )
        return self._platform.reactions.alarms.get(key)

    async def act_on(
        self, act: str, keys: Sequence[str], who: str, text: str, seconds: float
    ) -> list[Json]:
        """One act on many alarms in one edit: each succeeds or says why not."""
        if len(keys) > MOST_AT_ONCE:
            raise InvalidInput(
                f"{len(keys):,} alarms are too many at once", hint=f"at most {MOST_AT_ONCE:,}"
            )

        def plan(_: Graph, context: EditContext) -> tuple[list[Edit], dict[str, GemelError]]:
            edits: list[Edit] = []
            failed: dict[str, GemelError] = {}
            for key in dict.fromkeys(keys):
                try:
                    edits += self._plan(act, key, who, text, seconds, context.now)
                except GemelError as error:
                    failed[key] = error
            return edits, failed

        failed = await self._platform.edit(plan, who)
        get = self._platform.reactions.alarms.get
        return [
            {"id": key, "code": failed[key].code, "message": failed[key].message}
            if key in failed
            else {"id": key, "state": get(key)["state"]}
            for key in dict.fromkeys(keys)
        ]

    def _plan(
        self, act: str, key: str, who: str, text: str, seconds: float, now: int
    ) -> list[Edit]:
        book = self._platform.reactions.alarms
        if act == "shelve":
            return book.shelve(key, who, text, seconds, now)
        plans: Mapping[str, Callable[[str, str, str, int], list[Edit]]] = {
            "acknowledge": book.acknowledge,
            "unacknowledge": book.unacknowledge,
            "unshelve": book.unshelve,
            "out-of-service": book.remove,
            "return-to-service": book.restore,
            "comment": book.comment,
            "clear": book.clear,
        }
        if act not in plans:
            raise InvalidInput(
                f"'{act}' is nothing that is done to alarms",
                hint="one of: shelve, " + ", ".join(plans),
            )
        return plans[act](key, who, text, now)

    async def remove(self, rule_id: str, twin: str, who: str, reason: str) -> Json:
        """Takes a rule on a twin out of service, whether it has raised or not.

        Raises:
            NotFound: there is no such rule that runs, or it does not watch this twin.
        """
        platform = self._platform
        rule = platform.reactions.engine.rules.get(rule_id)
        if rule is None:
            raise NotFound(f"there is no rule '{rule_id}' that runs", hint="GET /rules lists them")
        platform.catalogue.require_twin(twin)
        if twin not in dict(platform.reactions.means.instances(rule)):
            raise NotFound(f"rule '{rule_id}' does not watch twin '{twin}'", hint="see its model")

        def plan(_: Graph, context: EditContext) -> tuple[list[Edit], str]:
            name = platform.catalogue.name_of(twin)
            edits = platform.reactions.alarms.remove_unraised(
                rule, twin, name, who, reason, context.now
            )
            return edits, edits[0].key

        return platform.reactions.alarms.get(await platform.edit(plan, who))

    # ---- time and design -----------------------------------------------------------------

    def tick(self, now: int) -> None:
        """Ends shelves whose time is over; suppresses and releases by properties."""
        if not self._is_ticking and self._due(now):
            self._is_ticking = True
            self._platform.start_task(self._follow())

    def _due(self, now: int) -> bool:
        reactions = self._platform.reactions
        book = reactions.alarms
        return book.is_due(now) or bool(book.suppression(reactions.engine.rules, now))

    async def _follow(self) -> None:
        reactions = self._platform.reactions
        book = reactions.alarms

        def ended(_: Graph, context: EditContext) -> tuple[list[Edit], None]:
            return book.expire(context.now), None

        def held(_: Graph, context: EditContext) -> tuple[list[Edit], None]:
            return book.suppression(reactions.engine.rules, context.now), None

        try:
            await self._platform.edit(ended, "time")
            await self._platform.edit(held, "design")
        finally:
            self._is_ticking = False

    # ---- what happened -------------------------------------------------------------------

    async def history(self, key: str) -> list[Step]:
        """All that was done to an alarm, the oldest first.

        Raises:
            NotFound: there is no such alarm.
        """
        self._platform.reactions.alarms.get(key)
        versions = await asyncio.get_running_loop().run_in_executor(
            None, self._platform.documents.versions, "alarm", key
        )
        return [self.step_shown(step) for step in steps_of(versions)]

    def _steps(self, begin: int, end: int) -> list[Step]:
        found = self._platform.documents.between("alarm", begin, end)
        steps = (step_between(before, version) for _, version, before in found)
        return [step for step in steps if step is not None]

    async def figures(self, begin: int, end: int) -> Json:
        """The key figures of a span."""
        steps = await asyncio.get_running_loop().run_in_executor(None, self._steps, begin, end)
        live = self._platform.reactions.alarms.live()
        return figures(steps, live, self.philosophy, begin, end)

    async def handover(self, begin: int, end: int) -> Json:
        """What the next shift must know."""
        loop, late = asyncio.get_running_loop(), self._platform.reactions.late
        steps = await loop.run_in_executor(None, self._steps, begin, end)
        live = self._platform.reactions.alarms.live()
        groups = self.groups.find(MOST_GROUPS)
        corrections = await loop.run_in_executor(None, late.between, begin, end)
        report = handover(steps, live, groups, self.philosophy, (begin, end))
        return {**report, "corrections": corrections}

    def flood_now(self, now: int) -> Json:
        """How many annunciations in ten minutes, and since when they are a flood."""
        return self.flood.state(self.philosophy, now)

    # ---- shifts --------------------------------------------------------------------------

    def duty(self, now: int, back: int = 0) -> Duty:
        """The shift that is on, or one so many before it.

        Raises:
            InvalidInput: the plant has no shifts, or their time zone is not known here.
        """
        shifts, zone = self.philosophy.shifts, zone_of(self.philosophy.time_zone)
        found = duty_at(shifts, zone, now)
        for _ in range(back):
            found = found and duty_at(shifts, zone, found.begin - 1)
        if found is None:
            raise InvalidInput(
                "this plant has no shifts", hint="Settings, Shifts, or PUT /alarms/philosophy"
            )
        return found

    def shift_now(self, now: int) -> Json | None:
        """For the status, once a second: worked out anew when a shift is over."""
        if not self.philosophy.shifts:
            return None
        if self._duty is None or not self._duty.holds(now):
            try:
                self._duty = self.duty(now)
            except InvalidInput:  # a zone that was known where the plant was set up
                return None
        duty = self._duty
        return {"name": duty.name, "from": to_iso(duty.begin), "to": to_iso(duty.end)}

    # ---- the philosophy ------------------------------------------------------------------

    async def put_philosophy(self, found: Json, who: str) -> Json:
        """Replaces the plant's alarm philosophy.

        Raises:
            InvalidInput: names the field and what was expected.
        """
        read = read_philosophy(found)
        zone_of(read.time_zone)
        kept = read.to_json()
        await self._platform.put("philosophy", "plant", kept, who, "alarm philosophy")
        return self.philosophy.to_json()
