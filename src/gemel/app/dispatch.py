"""Commands on their way: checked against the model, sent once, answered by devices."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from gemel.app.conditions import compile_condition
from gemel.app.guarding import AUTONOMY, KILL_SWITCH, Guarding, shape_of
from gemel.app.ways import Way, way_of
from gemel.commands import autonomy
from gemel.commands.book import CommandBook
from gemel.commands.command import PROPOSED, Check, Command
from gemel.commands.guards import REFUSE, Ask, CommandShape, Facts, Verdict, at_sending
from gemel.commands.wire import Response, parse_response, wire
from gemel.commands.wire import message as as_message
from gemel.core.access import Principal
from gemel.core.batch import I32
from gemel.core.clock import SECOND, to_iso
from gemel.core.document import Edit, Json
from gemel.core.errors import GemelError, InvalidInput, NotFound, TwinInvalid
from gemel.core.message import Message
from gemel.services.rules.parser import parse
from gemel.services.rules.rule import Action
from gemel.twins.graph import EditContext, Graph

if TYPE_CHECKING:
    from gemel.app.platform import Platform

log = logging.getLogger("gemel.commands")
RULE_DEADLINE = 300 * SECOND
Planned = tuple[list[Edit], Command]
Seen = tuple[str, str, tuple[Any, int], int]
"""Twin, path, (value, time) and receipt of a reading that may confirm commands."""


def _new_id() -> str:
    return "c-" + secrets.token_hex(8)


class Dispatch:
    """The book of commands joined to the model, the MQTT server and the watchers."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.book = CommandBook(_new_id, self._stored)
        self.guarding = Guarding(platform)
        self._is_sending = False
        self._is_ticking = False
        self._received: list[str] = []
        self._readings: list[Seen] = []

    def _stored(self, key: str) -> Json | None:
        found = self._platform.documents.get("command", key)
        return found.doc if found else None

    # ---- asking --------------------------------------------------------------------------

    async def send(self, ask: Ask) -> Json:
        """Takes a command on; it leaves as soon as its device is there and nothing waits.

        Raises:
            NotFound: there is no such twin.
            TwinInvalid: the model has no such command, or the arguments do not fit.
            Refused, Forbidden, PreconditionFailed: a guard said no; `details` names it.
            Conflict: the id is another command's.
        """
        self.guarding.shapes(ask.twin)
        made = await self._platform.edit(lambda _, c: self.submit(ask, c), ask.who, "command")
        return self.book.get(made.id).document()

    def submit(self, ask: Ask, context: EditContext) -> Planned:
        """What takes a command on, as edits: past every guard; errors as of `send`."""
        shapes = self.guarding.shapes(ask.twin)
        shape = shapes.get(ask.command)
        if shape is None:
            return self.book.submit(ask, context.now, shapes)
        facts = self.guarding.facts(ask.twin, shape.guards, ask.autonomy.when)
        check = self._check_of(ask.twin, shape)
        return self.book.submit(ask, context.now, shapes, facts, check)

    def _check_of(self, twin: str, shape: CommandShape) -> Callable[[Any], Check | None]:
        """What is to confirm a command: as its settings say, else what it sets."""
        named = self.guarding.check_of(twin, shape)

        def check(arguments: Any) -> Check | None:
            way = self._way(twin, shape.name)
            own = None if way is None else way.checked(twin, shape.name, arguments, shape.unit)
            return own if shape.guards.confirm is None else named(arguments)

        return check

    def dry_run(self, ask: Ask) -> Json:
        """What every guard says to what is asked, and what would be sent.

        Raises:
            NotFound: there is no such twin.
            TwinInvalid: the model has no such command.
        """
        shapes = self.guarding.shapes(ask.twin)
        shape = shapes.get(ask.command)
        now = self._platform.clock()
        facts = Facts()
        if shape is not None:
            facts = self.guarding.facts(ask.twin, shape.guards, ask.autonomy.when)
        judgement = self.book.judged(ask, now, shapes, facts)
        assert shape is not None
        key = ask.key or "ID"
        check = None
        if judgement.refusal is None:
            check = self._check_of(ask.twin, shape)(judgement.arguments)
        topic, payload = as_message(ask.twin, ask.command, key, judgement.arguments)
        way = self._way(ask.twin, ask.command)
        is_there = self._is_there(ask.twin, ask.command, topic)
        said = payload.decode()
        if judgement.refusal is None and way is not None:
            topic, said = way.shown(ask.twin, ask.command, judgement.arguments, shape.unit)
        return {
            "dryRun": True,
            "twin": ask.twin,
            "command": ask.command,
            "arguments": judgement.arguments,
            "wouldBe": judgement.begins if judgement.refusal is None else "refused",
            "guards": [verdict.document() for verdict in judgement.verdicts],
            "topic": topic,
            "payload": said,
            "deadline": to_iso(ask.deadline),
            "confirm": check.document() if check else None,
            "deviceIsThere": is_there,
        }

    def plan_for_alarm(self, alarm: Json, action: Action, context: EditContext) -> list[Edit]:
        """The command that a rule asks for when it raises; one for each alarm, ever."""
        service = f"rule {alarm['rule']}"
        try:
            ask = Ask(
                alarm["twin"],
                action.command,
                action.arguments,
                service,
                context.now + RULE_DEADLINE,
                key=f"{alarm['id']}-then",
                service=service,
                autonomy=self.guarding.autonomy_of(service, action.autonomy),
            )
            edits, _ = self.submit(ask, context)
        except GemelError as error:
            log.warning("%s cannot send to '%s': %s", service, alarm["twin"], error)
            return []
        return edits

    def check_action(self, graph: Graph, model: str, action: Action, rule: str) -> None:
        """Checks a rule's command against its model.

        Raises:
            InvalidInput: names the rule and what does not fit.
        """
        signals = self._platform.catalogue.signals_with(graph)
        found = signals.commands_of(model).get(action.command)
        if found is None:
            names = ", ".join(signals.commands_of(model)) or "none"
            raise InvalidInput(
                f"rule '{rule}': model '{model}' has no command '{action.command}'",
                hint=f"it has: {names}",
            )
        try:
            shape_of(found).check(action.arguments)
        except TwinInvalid as error:
            raise InvalidInput(f"rule '{rule}': {error.message}", hint=error.hint) from error
        if action.autonomy is not None:
            place = f"rule '{rule}': then.autonomy"
            when = autonomy.load(place, action.autonomy).when
            if when:
                compile_condition(graph, signals, model, when, f"{place}.when")

    # ---- people's words ------------------------------------------------------------------

    async def approve(self, key: str, who: Principal, shown: str, comment: str) -> Json:
        """One person's approval; the last that is needed queues it, a proposal is taken over.

        Raises:
            Conflict, Refused, Forbidden: see `commands.approvals`; or a guard says no by now.
        """

        def plan(_: Graph, context: EditContext) -> tuple[list[Edit], None]:
            command = self.book.get(key)
            then = None
            if command.state == PROPOSED:
                then = self._judge_again(command, who, context.now)
            edits = self.book.approve(key, who.name, who.role, shown, comment, context.now, then)
            return edits, None

        await self._platform.edit(plan, who.name, "approve")
        return self.book.get(key).document()

    def _judge_again(self, command: Command, who: Principal, now: int) -> Any:
        """A proposal becomes this person's command, so the guards are asked as for theirs."""
        shapes = self.guarding.shapes(command.twin)
        ask = Ask(
            command.twin,
            command.command,
            command.arguments,
            who.name,
            command.deadline,
            role=who.role,
        )
        shape = shapes.get(command.command)
        facts = self.guarding.facts(command.twin, shape.guards) if shape else Facts()
        judgement = self.book.judged(ask, now, shapes, facts)
        if judgement.refusal is not None and judgement.refusal.error is not None:
            raise judgement.refusal.error
        return judgement.approval

    async def refuse(self, key: str, who: str, why: str) -> Json:
        return await self._act(key, who, lambda now: self.book.refuse(key, who, why, now))

    async def cancel(self, key: str, who: str, why: str) -> Json:
        return await self._act(key, who, lambda now: self.book.cancel(key, who, why, now))

    async def _act(self, key: str, who: str, plan: Callable[[int], list[Edit]]) -> Json:
        await self._platform.edit(lambda _, context: (plan(context.now), None), who)
        return self.book.get(key).document()

    async def switch(self, engaged: bool, who: str, reason: str) -> Json:
        """Turns the kill switch: all automatic commands end at once, or may begin again."""

        def plan(_: Graph, context: EditContext) -> tuple[list[Edit], None]:
            doc = {
                "engaged": engaged,
                "who": who,
                "since": to_iso(context.now),
                "reason": reason,
            }
            edits = [Edit("control", KILL_SWITCH, doc, context.now, who, "kill switch")]
            if engaged:
                edits += self.book.halt(who, reason, context.now)
            return edits, None

        await self._platform.edit(plan, who, "kill switch")
        return self.guarding.switch()

    async def set_autonomy(self, service: str, doc: Json | None, who: str) -> Json:
        """Says how far a rule or service may go by itself; None takes it back.

        Raises:
            InvalidInput: it is no level, or a bound is none.
            NotFound: nothing was said of it that could be taken back.
        """
        key = AUTONOMY + service
        if doc is None and key not in self._platform.catalogue.plain["control"]:
            raise NotFound(f"nothing is set for '{service}'", hint="GET /autonomy lists it")
        made = None if doc is None else autonomy.document(autonomy.load(service, doc))
        if made is not None and made.get("when"):
            parse(made["when"], f"{service}: when")
        await self._platform.put("control", key, made, who, "autonomy")
        return {"service": service, **(made or {})}

    # ---- on the way ----------------------------------------------------------------------

    def _way(self, twin: str, command: str) -> Way | None:
        return way_of(self._platform, twin, command)

    def _can_go(self, found: list[Command]) -> list[Command]:
        """Those whose device is there and listens to them; it may have asked for some by name.

        Where each is answered before the next leaves, only the first of a twin goes.
        """
        heard: dict[tuple[str, str], tuple[bool, bool]] = {}
        begun: set[str] = set()
        going: list[Command] = []
        for command in found:
            name = (command.twin, command.command)
            if name not in heard:
                way = self._way(*name)
                is_there = self._is_there(*name, wire(command)[0])
                heard[name] = (is_there, way is not None and way.is_answered)
            is_there, is_answered = heard[name]
            if is_there and command.twin not in begun:
                going.append(command)
                if is_answered:
                    begun.add(command.twin)
        return going

    def _is_there(self, twin: str, command: str, topic: str) -> bool:
        """Whether a command would leave now: by its way, or to who listens to its topic."""
        way = self._way(twin, command)
        return bool(self._platform.listeners(topic)) if way is None else way.is_there(twin, command)

    def send_due(self) -> None:
        """Starts sending what waits for devices that are there."""
        if self._is_sending or not self._due():
            return
        self._is_sending = True
        self._platform.start_task(self._send_all())

    def _due(self) -> list[Command]:
        return self._can_go(self.book.due(_everyone, self._platform.clock()))

    async def _send_all(self) -> None:
        try:
            while self._due():
                for command, way in await self._platform.edit(self._plan_sent, why="sent"):
                    self._publish(command, way)
        finally:
            self._is_sending = False

    def _plan_sent(
        self, _: Graph, context: EditContext
    ) -> tuple[list[Edit], list[tuple[Command, Way | None]]]:
        edits: list[Edit] = []
        sent: list[tuple[Command, Way | None]] = []
        for command in self._can_go(self.book.due(_everyone, context.now)):
            facts = self.guarding.facts_of(command)
            service = command.service if command.is_automatic else ""
            veto = at_sending(service, command.command, command.twin, facts)
            way, check = self._way(command.twin, command.command), None
            if veto is None and way is not None and command.check is None:
                check, veto = self._checked_again(command)
            if veto is not None:
                edits += self.book.held_back(command.id, veto, context.now)
                continue
            edits += self.book.sent(command.id, context.now, check=check)
            sent.append((command, way))
        return edits, sent

    def _checked_again(self, command: Command) -> tuple[Check | None, Verdict | None]:
        """What its way knows of a command now that it leaves: it may not have been there before."""
        shape = self.guarding.shapes(command.twin).get(command.command)
        if shape is None:
            return None, None
        try:
            return self._check_of(command.twin, shape)(command.arguments), None
        except GemelError as error:
            return None, Verdict("device", REFUSE, error.message, error.hint)

    def _publish(self, command: Command, way: Way | None) -> None:
        if way is not None:
            shape = self.guarding.shapes(command.twin).get(command.command)
            way.send(command, shape.unit if shape is not None else "")
            return
        topic, payload = wire(command)
        left = max(1, (command.deadline - self._platform.clock()) // SECOND)
        self._platform.publish(topic, payload, False, left)

    def is_once(self, topic: str) -> bool:
        """Whether a message must not be sent again to a device that was lost before it confirmed.

        So it is for commands, unless their settings say that a repeated one does no harm.
        """
        levels = topic.split("/")
        if len(levels) != 5 or levels[0] != "devices" or levels[2] != "commands":
            return False
        try:
            shape = self.guarding.shapes(levels[1]).get(levels[3])
        except NotFound:
            return True
        return shape is None or not shape.guards.repeatable

    def delivered(self, who: Principal, topic: str) -> None:
        """A subscriber has confirmed a message; from the device itself that is evidence."""
        levels = topic.split("/")
        is_command = len(levels) == 5 and levels[0] == "devices" and levels[2] == "commands"
        if is_command and who.role == "device" and who.may_write_twin(levels[1]):
            self._received.append(levels[4])
            if len(self._received) == 1:
                self._platform.start_task(self._note_delivered())

    async def _note_delivered(self) -> None:
        """All that were confirmed until the turn of this edit comes, in one."""

        def plan(_: Graph, context: EditContext) -> tuple[list[Edit], None]:
            keys, self._received = list(dict.fromkeys(self._received)), []
            found: list[Edit] = []
            for key in keys:
                with suppress(NotFound):  # it was deleted meanwhile
                    found += self.book.delivered(key, context.now)
            return found, None

        await self._platform.edit(plan, why="delivered")

    def tick(self, now: int) -> None:
        """Ends what is past its deadline; sends to devices that came back."""
        if not self._is_ticking and self.book.tick(now):
            self._is_ticking = True
            self._platform.start_task(self._end_late())
        self.send_due()

    async def _end_late(self) -> None:
        try:
            await self._platform.edit(
                lambda _, context: (self.book.tick(context.now, self._reading_of), None),
                why="deadline",
            )
        finally:
            self._is_ticking = False

    # ---- readings ------------------------------------------------------------------------

    def _reading_of(self, command: Command) -> tuple[Any, int]:
        """The last value of the property that was to confirm a command."""
        path = command.check.path if command.check is not None else ""
        return self._platform.measured_value_of(command.twin)(path) or (None, 0)

    def readings(self, changed: I32) -> None:
        """Looks whether new values confirm commands."""
        if not self.book.is_watching:
            return
        series = set(changed.tolist())
        find = self._platform.series.find
        places = [place for place in self.book.watched() if find(*place) in series]
        seen = [one for place in places if (one := self._seen(*place)) is not None]
        if seen and not self._readings:
            self._platform.start_task(self._confirm())
        self._readings += seen

    def _seen(self, twin: str, path: str) -> Seen | None:
        """The value as it is now: by the turn of an edit there may be another."""
        found = self._platform.measured_value_of(twin)(path)
        series = self._platform.series.find(twin, path)
        if found is None or series is None:
            return None
        return twin, path, found, int(self._platform.state.received[series])

    async def _confirm(self) -> None:
        def plan(_: Graph, context: EditContext) -> tuple[list[Edit], None]:
            readings, self._readings = self._readings, []
            found: dict[str, Edit] = {}
            for twin, path, value, received in readings:
                for edit in self.book.reading(twin, path, value, received, context.now):
                    found.setdefault(edit.key, edit)
            return list(found.values()), None

        await self._platform.edit(plan, why="confirm")

    # ---- answers -------------------------------------------------------------------------

    def answers(
        self, messages: Iterable[Message], done: Callable[[Exception | None], None]
    ) -> None:
        """Takes answers of devices among the messages; `done` when they are durable."""
        found = [m for m in messages if "/responses/" in m.topic]
        if not found:
            done(None)
            return
        self._platform.start_task(self._take_answers(found, done))

    async def _take_answers(
        self, messages: list[Message], done: Callable[[Exception | None], None]
    ) -> None:
        problem: Exception | None = None
        waiting = [found for message in messages if (found := _read_answer(message)) is not None]
        while waiting:
            taken = {answer.id: answer for answer in reversed(waiting)}  # the first of each command
            waiting = [answer for answer in waiting if taken[answer.id] is not answer]
            try:
                await self._platform.edit(partial(self._plan_answers, taken), why="answer")
            except Exception as error:  # noqa: BLE001 - told to the sender, who sends again
                problem = error
        done(problem)

    def _plan_answers(
        self, answers: dict[str, Response], _: Graph, context: EditContext
    ) -> tuple[list[Edit], None]:
        """Answers to different commands in one edit."""
        edits: list[Edit] = []
        for key, found in answers.items():
            said = (found.status, found.result, found.message)
            try:
                edits += self.book.answered(key, *said, context.now, found.twin)
            except (InvalidInput, NotFound) as error:
                log.warning("an answer to command '%s' is not taken: %s", key[:100], error)
        return edits, None

    def apply(self, edits: Iterable[Edit]) -> None:
        edits = [e for e in edits if e.kind == "command"]
        self.book.apply(edits)
        for edit in edits:
            if edit.doc is not None:
                self._platform.hub.event({"type": "command", "command": edit.doc})


def _everyone(_twin: str) -> bool:
    return True


def _read_answer(message: Message) -> Response | None:
    """A device's answer; None, with a line in the log, if it is none or not that device's."""
    try:
        found = parse_response(message.topic, message.payload)
        if not message.who.may_write_twin(found.twin):
            raise NotFound(f"{message.who.name} does not answer for '{found.twin}'")
    except (InvalidInput, NotFound) as error:
        log.warning("an answer on '%s' is not taken: %s", message.topic, error)
        return None
    return found
