"""All commands: what may be asked, what is to be sent, and what became of it.

Pure: every method that changes something returns the `Edit`s to commit; `apply` takes committed
edits in. `sent` must be committed before the message leaves, so that a crash can lose a command
(it becomes `unknown`) but never repeat one. docs/reference/commands.md describes the life of one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from gemel.commands.command import (
    DELIVERED,
    EXPIRED,
    FAILED,
    NEXT,
    QUEUED,
    SENT,
    SUCCEEDED,
    UNKNOWN,
    Command,
    Step,
    from_document,
)
from gemel.commands.wire import LONGEST_MESSAGE, is_level
from gemel.core.clock import to_iso
from gemel.core.document import Document, Edit, Json
from gemel.core.errors import Conflict, InvalidInput, NotFound, Refused, TwinInvalid

MOST_STEPS = 40
"""Steps of one command; later notes are dropped, states never are."""
SYSTEM = "gemel"


@dataclass(frozen=True, slots=True)
class CommandShape:
    """What a model says of a command."""

    name: str
    check: Callable[[Any], None]
    """Raises `TwinInvalid` if the arguments do not fit the request's schema."""
    minimum: float | None = None
    maximum: float | None = None
    unit: str = ""


def _nothing_stored(_key: str) -> Json | None:
    return None


class CommandBook:
    """All commands that are not over, and the latest of those that are.

    Args:
        new_id: gives ids to commands that come without one.
        stored: reads the document of a command that is no longer kept here.
        keep: how many commands that are over stay in memory.
    """

    def __init__(
        self,
        new_id: Callable[[], str],
        stored: Callable[[str], Json | None] = _nothing_stored,
        keep: int = 10_000,
    ) -> None:
        self._new_id = new_id
        self._stored = stored
        self._keep = keep
        self._live: dict[str, Command] = {}
        self._over: dict[str, Command] = {}
        self._next_number = 0

    def load(self, documents: Iterable[Document]) -> None:
        """Takes over what was stored. Queued commands go on; sent ones wait for their deadline."""
        for command in sorted((from_document(d.doc) for d in documents), key=lambda c: c.number):
            self._set(command)

    # -- looking ------------------------------------------------------------------------------

    def get(self, key: str) -> Command:
        """One command.

        Raises:
            NotFound: there is no such command.
        """
        found = self._known(key)
        if found is None:
            raise NotFound(f"there is no command '{key}'", hint="GET /commands lists them")
        return found

    def _known(self, key: str) -> Command | None:
        found = self._live.get(key) or self._over.get(key)
        if found is None and (doc := self._stored(key)) is not None:
            found = from_document(doc)
        return found

    def find(self, *, twin: str | None = None, limit: int = 1_000) -> list[Command]:
        """Commands to list, newest first."""
        found = [c for c in (*self._live.values(), *self._over.values()) if twin in (None, c.twin)]
        return sorted(found, key=lambda c: -c.number)[:limit]

    def due(self, is_online: Callable[[str], bool], now: int) -> list[Command]:
        """What to send now: queued commands of devices that are there, in order of submission."""
        waiting = [c for c in self._live.values() if c.state == QUEUED and now < c.deadline]
        online = {twin: is_online(twin) for twin in {c.twin for c in waiting}}
        return sorted((c for c in waiting if online[c.twin]), key=lambda c: c.number)

    # -- asking -------------------------------------------------------------------------------

    def submit(
        self,
        key: str | None,
        twin: str,
        command: str,
        arguments: Any,
        who: str,
        deadline: int,
        now: int,
        shapes: Mapping[str, CommandShape],
    ) -> tuple[list[Edit], Command]:
        """Takes a command on, or finds the one that was submitted under this id before.

        Args:
            key: the caller's id, which makes a repeated request harmless; None gives a new one.
            twin: whose device it is for.
            command: its name in the model.
            arguments: the request's value; None for a command without.
            who: the principal who asks.
            deadline: ns since 1970 UTC; what is not sent by then is never sent.
            now: ns since 1970 UTC.
            shapes: the commands of the twin's model by name.

        Raises:
            Conflict: the id belongs to a command with other content.
            TwinInvalid: the model has no such command, or the arguments do not fit its schema.
            Refused: the arguments are out of range, or the deadline is not ahead.
            InvalidInput: the id or a name cannot be sent, or the arguments are no JSON.
        """
        if key is not None and (known := self._known(key)) is not None:
            return [], _same(known, twin, command, arguments, who)
        key = self._new_id() if key is None else key
        for what, text in (("command id", key), ("twin id", twin), ("command", command)):
            if not is_level(text):
                raise InvalidInput(
                    f"the {what} {text[:80]!r} cannot stand in a topic",
                    hint="1 to 256 bytes, printable, without / + and #",
                )
        _guard(twin, command, arguments, shapes)
        if deadline <= now:
            raise Refused(
                f"the deadline of '{command}' to '{twin}' is {to_iso(deadline)}, which is past",
                hint="give the seconds that the device has, such as 30",
            )
        made = Command(
            key,
            twin,
            command,
            arguments,
            QUEUED,
            who,
            now,
            deadline,
            self._next_number,
            (Step(QUEUED, now, who),),
        )
        self._next_number += 1
        return [_edit(made)], made

    # -- what happens to it -------------------------------------------------------------------

    def sent(self, key: str, now: int, note: str = "") -> list[Edit]:
        """About to be sent: commit this first, then send, and never send without it.

        Raises:
            Conflict: it is not queued (sent before, or over), or its deadline has passed.
        """
        command = self.get(key)
        if now >= command.deadline:
            raise Conflict(f"the deadline of command '{key}' has passed", hint="it expires")
        return self._step(command, SENT, SYSTEM, now, note)

    def delivered(self, key: str, now: int, note: str = "") -> list[Edit]:
        """The device's connection has confirmed the message; late or doubled changes nothing."""
        command = self.get(key)
        if command.state != SENT or now >= command.deadline:
            return []
        return self._step(command, DELIVERED, command.twin, now, note)

    def answered(
        self, key: str, status: str, result: Any, message: str, now: int, twin: str | None = None
    ) -> list[Edit]:
        """The device has answered.

        An answer after the deadline, a second one that differs, or one to a command that was
        never sent is kept as a note and decides nothing. The same answer again changes nothing.

        Raises:
            NotFound: no such command, or not one of this twin.
            InvalidInput: the status is neither `succeeded` nor `failed`.
        """
        command = self.get(key)
        if twin is not None and twin != command.twin:
            raise NotFound(f"twin '{twin}' has no command '{key}'")
        if status not in (SUCCEEDED, FAILED):
            raise InvalidInput(
                f"'{status}' is not an answer to command '{key}'", hint="'succeeded' or 'failed'"
            )
        message = message[:LONGEST_MESSAGE]
        if command.is_over and (status, result, message) == (
            command.state,
            command.result,
            command.message,
        ):
            return []
        is_late = now >= command.deadline
        if status in NEXT[command.state] and not is_late:
            step = Step(status, now, command.twin, message)
            return [_edit(command.moved(step, result=result, message=message))]
        edits: list[Edit] = []
        if is_late and not command.is_over:
            command = self._at_deadline(command, now)
            edits.append(_edit(command))
        noted = _noted(command, status, result, message, now)
        return edits if noted is None else [*edits, _edit(noted)]

    def tick(self, now: int) -> list[Edit]:
        """Ends what is past its deadline: `expired` if it was never sent, else `unknown`."""
        late = [c for c in self._live.values() if now >= c.deadline]
        return [_edit(self._at_deadline(c, now)) for c in sorted(late, key=lambda c: c.number)]

    def _at_deadline(self, command: Command, now: int) -> Command:
        if command.state == QUEUED:
            return command.moved(
                Step(EXPIRED, now, SYSTEM, "the device was not there before the deadline")
            )
        return command.moved(
            Step(UNKNOWN, now, SYSTEM, "sent, and no answer before the deadline; not repeated")
        )

    def _step(self, command: Command, state: str, who: str, now: int, note: str) -> list[Edit]:
        if state not in NEXT[command.state]:
            raise Conflict(
                f"command '{command.id}' is {command.state} and cannot become {state}",
                hint="submit a new command",
            )
        return [_edit(command.moved(Step(state, now, who, note)))]

    # -- taking in ----------------------------------------------------------------------------

    def apply(self, edits: Iterable[Edit]) -> None:
        """Takes committed edits in."""
        for edit in edits:
            if edit.kind != "command":
                continue
            if edit.doc is not None:
                self._set(from_document(edit.doc))
            else:
                self._live.pop(edit.key, None)
                self._over.pop(edit.key, None)

    def _set(self, command: Command) -> None:
        self._next_number = max(self._next_number, command.number + 1)
        self._over.pop(command.id, None)
        if not command.is_over:
            self._live[command.id] = command
            return
        self._live.pop(command.id, None)
        self._over[command.id] = command
        while len(self._over) > self._keep:
            del self._over[next(iter(self._over))]


def _edit(command: Command) -> Edit:
    step = command.steps[-1]
    why = f"{step.state}: {step.note}" if step.note else step.state
    return Edit("command", command.id, command.document(), step.time, step.who, why)


def _same(known: Command, twin: str, command: str, arguments: Any, who: str) -> Command:
    asked = (twin, command, who, _canonical(arguments))
    if asked != (known.twin, known.command, known.who, _canonical(known.arguments)):
        raise Conflict(
            f"command '{known.id}' exists already with other content: '{known.command}' to "
            f"'{known.twin}' by {known.who}",
            hint="use a new id for a new command",
        )
    return known


def _canonical(arguments: Any) -> bytes:
    try:
        return orjson.dumps(arguments, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        raise InvalidInput(f"the arguments are no JSON: {error}") from error


def _guard(twin: str, command: str, arguments: Any, shapes: Mapping[str, CommandShape]) -> None:
    shape = shapes.get(command)
    if shape is None:
        names = ", ".join(sorted(shapes))
        raise TwinInvalid(
            f"the model of '{twin}' has no command '{command}'",
            hint=f"it has: {names}" if names else "it has none",
        )
    _canonical(arguments)
    shape.check(arguments)
    if isinstance(arguments, bool) or not isinstance(arguments, int | float):
        return
    low, high = shape.minimum, shape.maximum
    too_low = low is not None and arguments < low
    too_high = high is not None and arguments > high
    if math.isfinite(arguments) and not too_low and not too_high:
        return
    unit = f" {shape.unit}" if shape.unit else ""
    least = f"at least {low:g}{unit}" if low is not None else ""
    most = f"at most {high:g}{unit}" if high is not None else ""
    raise Refused(
        f"'{command}' to '{twin}': {arguments:g}{unit} is out of range",
        hint=" and ".join(text for text in (least, most) if text) or "a finite number",
    )


def _noted(command: Command, status: str, result: Any, message: str, now: int) -> Command | None:
    """With a note of an answer that decides nothing; None when it is noted already, or too many."""
    try:
        shown = orjson.dumps(result).decode()[:200] if result is not None else ""
    except orjson.JSONEncodeError:
        shown = "(no JSON)"
    parts = ["an answer that came too late or twice:", status, shown, message]
    note = " ".join(part for part in parts if part)[:LONGEST_MESSAGE]
    if len(command.steps) >= MOST_STEPS or any(s.note == note for s in command.steps):
        return None
    return command.moved(Step(command.state, now, command.twin, note))
