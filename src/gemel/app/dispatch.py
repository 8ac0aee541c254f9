"""Commands on their way: checked against the model, sent once, answered by devices."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from gemel.app.signals import CommandSignal, Signals
from gemel.commands.book import CommandBook, CommandShape
from gemel.commands.command import Command
from gemel.commands.wire import parse_response, wire
from gemel.core.access import Principal
from gemel.core.clock import SECOND
from gemel.core.document import Edit, Json
from gemel.core.errors import GemelError, InvalidInput, NotFound, TwinInvalid
from gemel.core.message import Message
from gemel.core.units import symbol
from gemel.services.rules.rule import Action
from gemel.twins.graph import EditContext, Graph

if TYPE_CHECKING:
    from gemel.app.platform import Platform

log = logging.getLogger("gemel.commands")
RULE_DEADLINE = 300 * SECOND


def _new_id() -> str:
    return "c-" + secrets.token_hex(8)


class Dispatch:
    """The book of commands joined to the model, the MQTT server and the watchers."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.book = CommandBook(_new_id, self._stored)
        self._is_sending = False
        self._is_ticking = False

    def _stored(self, key: str) -> Json | None:
        found = self._platform.documents.get("command", key)
        return found.doc if found else None

    # ---- asking --------------------------------------------------------------------------

    async def send(
        self,
        key: str | None,
        twin: str,
        command: str,
        arguments: Any,
        who: str,
        seconds: float,
    ) -> Json:
        """Takes a command on; it leaves as soon as its device is there.

        Raises:
            NotFound: there is no such twin.
            TwinInvalid: the model has no such command, or the arguments do not fit.
            Refused: out of range.
            Conflict: the id is another command's.
        """
        shapes = self._shapes(twin)

        def plan(_: Graph, context: EditContext) -> tuple[list[Edit], Command]:
            deadline = context.now + round(seconds * SECOND)
            return self.book.submit(
                key, twin, command, arguments, who, deadline, context.now, shapes
            )

        made = await self._platform.edit(plan, who, "command")
        return self.book.get(made.id).document()

    def plan_for_alarm(self, alarm: Json, action: Action, context: EditContext) -> list[Edit]:
        """The command that a rule asks for when it raises; one for each alarm, ever."""
        twin = alarm["twin"]
        try:
            edits, _ = self.book.submit(
                f"{alarm['id']}-then",
                twin,
                action.command,
                action.arguments,
                f"rule {alarm['rule']}",
                context.now + RULE_DEADLINE,
                context.now,
                self._shapes(twin),
            )
        except GemelError as error:
            log.warning("rule '%s' cannot send to '%s': %s", alarm["rule"], twin, error)
            return []
        return edits

    def check_action(self, graph: Graph, model: str, action: Action, rule: str) -> None:
        """Checks a rule's command against its model.

        Raises:
            InvalidInput: names the rule and what does not fit.
        """
        signals = self._platform.catalogue.signals_with(graph, {})
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

    def _shapes(self, twin: str) -> dict[str, CommandShape]:
        signals: Signals = self._platform.catalogue.signals
        model = self._platform.catalogue.require_twin(twin)
        return {path: shape_of(found) for path, found in signals.commands_of(model).items()}

    # ---- on the way ----------------------------------------------------------------------

    def _can_go(self, found: list[Command]) -> list[Command]:
        """Those whose device is there and listens to them; it may have asked for some by name."""
        heard: dict[tuple[str, str], bool] = {}
        for command in found:
            name = (command.twin, command.command)
            if name not in heard:
                heard[name] = bool(self._platform.listeners(wire(command)[0]))
        return [command for command in found if heard[command.twin, command.command]]

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
                for command in await self._platform.edit(self._plan_sent, why="sent"):
                    self._publish(command)
        finally:
            self._is_sending = False

    def _plan_sent(self, _: Graph, context: EditContext) -> tuple[list[Edit], list[Command]]:
        due = self._can_go(self.book.due(_everyone, context.now))
        return [e for c in due for e in self.book.sent(c.id, context.now)], due

    def _publish(self, command: Command) -> None:
        topic, payload = wire(command)
        self._platform.publish(topic, payload, False)

    def delivered(self, who: Principal, topic: str) -> None:
        """A subscriber has confirmed a message; from the device itself that is evidence."""
        levels = topic.split("/")
        is_command = len(levels) == 5 and levels[0] == "devices" and levels[2] == "commands"
        if is_command and who.role == "device" and who.may_write_twin(levels[1]):
            self._platform.start_task(self._delivered(levels[4]))

    async def _delivered(self, key: str) -> None:
        await self._platform.edit(
            lambda _, context: (self.book.delivered(key, context.now), None), why="delivered"
        )

    def tick(self, now: int) -> None:
        """Ends what is past its deadline; sends to devices that came back."""
        if not self._is_ticking and self.book.tick(now):
            self._is_ticking = True
            self._platform.start_task(self._end_late())
        self.send_due()

    async def _end_late(self) -> None:
        try:
            await self._platform.edit(
                lambda _, context: (self.book.tick(context.now), None), why="deadline"
            )
        finally:
            self._is_ticking = False

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
        for message in messages:
            try:
                await self._take_answer(message)
            except (InvalidInput, NotFound) as error:
                log.warning("an answer on '%s' is not taken: %s", message.topic, error)
            except Exception as error:  # noqa: BLE001 - told to the sender, who sends again
                problem = error
        done(problem)

    async def _take_answer(self, message: Message) -> None:
        found = parse_response(message.topic, message.payload)
        if not message.who.may_write_twin(found.twin):
            raise NotFound(f"{message.who.name} does not answer for '{found.twin}'")
        await self._platform.edit(
            lambda _, context: (
                self.book.answered(
                    found.id, found.status, found.result, found.message, context.now, found.twin
                ),
                None,
            ),
            found.twin,
            "answer",
        )

    def apply(self, edits: Iterable[Edit]) -> None:
        edits = [e for e in edits if e.kind == "command"]
        self.book.apply(edits)
        for edit in edits:
            if edit.doc is not None:
                self._platform.hub.event({"type": "command", "command": edit.doc})


def _everyone(_twin: str) -> bool:
    return True


def shape_of(found: CommandSignal) -> CommandShape:
    """What the model says of a command, as the book checks it."""
    request = found.command.request

    def check(arguments: Any) -> None:
        if request is None:
            if arguments not in (None, {}):
                raise TwinInvalid(
                    f"command '{found.path}' takes no arguments", hint="leave them out"
                )
            return
        if arguments is None:
            raise TwinInvalid(
                f"command '{found.path}' needs {request.name} ({request.schema.kind})",
                hint="send it as 'arguments'",
            )
        problems = request.schema.check(arguments, request.name)
        if problems:
            raise TwinInvalid(
                f"command '{found.path}': {problems[0]}",
                hint=f"{request.name} is {request.schema.kind}",
                details=[{"code": "ValidationFailed", "message": p} for p in problems],
            )

    return CommandShape(
        found.path,
        check,
        found.minimum if found.minimum > float("-inf") else None,
        found.maximum if found.maximum < float("inf") else None,
        symbol(request.unit) if request is not None and request.unit else "",
    )
