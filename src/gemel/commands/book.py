"""All commands: what may be asked, what is to be sent, and what became of it.

Pure: every method that changes something returns the `Edit`s to commit; `apply` takes committed
edits in. `sent` must be committed before the message leaves, so that a crash can lose a command
(it becomes `unknown`) but never repeat one. docs/reference/commands.md describes the life of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import orjson

from gemel.commands import approvals, confirm
from gemel.commands.command import (
    AWAITING,
    CONFIRMED,
    DELIVERED,
    EXPIRED,
    FAILED,
    NEXT,
    PROPOSED,
    QUEUED,
    REFUSED,
    SENT,
    SUCCEEDED,
    UNKNOWN,
    UNSENT,
    Check,
    Command,
    Step,
    from_document,
)
from gemel.commands.guards import (
    BECAUSE,
    NO_FACTS,
    Ask,
    CommandShape,
    Facts,
    Judgement,
    Verdict,
    judge,
)
from gemel.commands.limits import Counts
from gemel.commands.settings import Approving, Limit
from gemel.commands.wire import LONGEST_MESSAGE, is_level
from gemel.core.clock import to_iso
from gemel.core.document import Document, Edit, Json
from gemel.core.errors import Conflict, InvalidInput, NotFound, Refused, TwinInvalid

MOST_STEPS = 40
"""Steps of one command; later notes are dropped, states never are."""
SYSTEM = "gemel"
Reading = tuple[Any, int]
"""Value and time (ns) of a property; (None, 0) if there is none."""


def _nothing_stored(_key: str) -> Json | None:
    return None


def _no_reading(_command: Command) -> Reading:
    return None, 0


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
        self._counts = Counts()
        self._live: dict[str, Command] = {}
        self._queued: dict[str, dict[str, None]] = {}
        """By twin, the commands that may be sent."""
        self._watched: dict[tuple[str, str], dict[str, None]] = {}
        """By twin and path, the commands that a reading may confirm."""
        self._over: dict[str, Command] = {}
        self._next_number = 0

    def load(self, documents: Iterable[Document]) -> None:
        """Takes over what was stored. Queued commands go on; sent ones wait for their deadline."""
        for command in sorted((from_document(d.doc) for d in documents), key=_number):
            self._counts.add(command)
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

    def is_known(self, key: str) -> bool:
        """Whether there is such a command, or was one that is still stored."""
        return self._known(key) is not None

    def _known(self, key: str) -> Command | None:
        found = self._live.get(key) or self._over.get(key)
        if found is None and (doc := self._stored(key)) is not None:
            found = from_document(doc)
        return found

    def find(
        self, *, twin: str | None = None, state: str = "all", limit: int = 1_000
    ) -> list[Command]:
        """Commands to list, newest first; `state` is all, open, awaiting, queued or over."""
        live = [] if state == "over" else list(self._live.values())
        if state == "awaiting":
            live = [c for c in live if c.state in (PROPOSED, AWAITING)]
        elif state == "queued":
            live = [c for c in live if c.state == QUEUED]
        over = self._over.values() if state in ("all", "over") else ()
        found = [c for c in (*live, *over) if twin in (None, c.twin)]
        return sorted(found, key=lambda c: -c.number)[:limit]

    def due(self, is_online: Callable[[str], bool], now: int) -> list[Command]:
        """What to send now: queued commands of devices that are there, in order of submission."""
        online = [keys for twin, keys in self._queued.items() if is_online(twin)]
        found = [self._live[key] for keys in online for key in keys]
        return sorted((c for c in found if now < c.deadline), key=_number)

    # -- asking -------------------------------------------------------------------------------

    def judged(
        self, ask: Ask, now: int, shapes: Mapping[str, CommandShape], facts: Facts
    ) -> Judgement:
        """What every guard says to what is asked, without asking for it.

        Raises:
            InvalidInput: a name cannot be sent, or the arguments are no JSON.
            TwinInvalid: the model has no such command.
        """
        names = [("twin id", ask.twin), ("command", ask.command)]
        if ask.key is not None:
            names.append(("command id", ask.key))
        for what, text in names:
            if not is_level(text):
                raise InvalidInput(
                    f"the {what} {text[:80]!r} cannot stand in a topic",
                    hint="1 to 256 bytes, printable, without / + and #",
                )
        shape = shapes.get(ask.command)
        if shape is None:
            known = ", ".join(sorted(shapes))
            raise TwinInvalid(
                f"the model of '{ask.twin}' has no command '{ask.command}'",
                hint=f"it has: {known}" if known else "it has none",
            )
        _canonical(ask.arguments)

        def wait_for(limit: Limit) -> float:
            asked = (ask.twin, ask.command, ask.who, ask.service)
            return self._counts.seconds(limit, asked, now)

        return judge(ask, shape, facts, wait_for)

    def submit(
        self,
        ask: Ask,
        now: int,
        shapes: Mapping[str, CommandShape],
        facts: Facts = NO_FACTS,
        check: Callable[[Any], Check | None] = lambda _: None,
    ) -> tuple[list[Edit], Command]:
        """Takes a command on, or finds the one that was submitted under this id before.

        Args:
            ask: what is asked; its `key`, the caller's id, makes a repeated request harmless.
            now: ns since 1970 UTC.
            shapes: the commands of the twin's model by name.
            facts: what holds in the plant now.
            check: from the arguments, the reading that is to confirm it.

        Raises:
            Conflict: the id belongs to a command with other content.
            TwinInvalid: the model has no such command, or the arguments do not fit its schema.
            Refused, Forbidden, PreconditionFailed: a guard said no; `details` names it.
            InvalidInput: the id or a name cannot be sent, or the arguments are no JSON.
        """
        if ask.key is not None and (known := self._known(ask.key)) is not None:
            return [], _same(known, ask, shapes)
        judgement = self.judged(ask, now, shapes, facts)
        refusal = judgement.refusal
        if refusal is not None and not ask.service:
            assert refusal.error is not None
            raise refusal.error
        if ask.deadline <= now:
            raise Refused(
                f"the deadline of '{ask.command}' to '{ask.twin}' is {to_iso(ask.deadline)}, "
                "which is past",
                hint="give the seconds that the device has, such as 30",
            )
        state, note, approval = judgement.begins, ask.why, None
        if refusal is not None:
            asked = f"{BECAUSE}{ask.why})" if ask.why else ""
            state, note = REFUSED, f"{refusal.guard}: {refusal.said}{asked}"
        elif state == AWAITING and judgement.approval is not None:
            approval = approvals.asked_for(judgement.approval, now, ask.deadline)
        made = Command(
            self._new_id() if ask.key is None else ask.key,
            ask.twin,
            ask.command,
            judgement.arguments,
            state,
            ask.who,
            now,
            ask.deadline,
            self._next_number,
            (Step(state, now, ask.who, note),),
            service=ask.service,
            approval=approval,
            check=check(judgement.arguments),
        )
        self._next_number += 1
        return [_edit(made)], made

    # -- people's words -----------------------------------------------------------------------

    def approve(
        self,
        key: str,
        who: str,
        role: str,
        shown: str,
        comment: str,
        now: int,
        then: Approving | None = None,
    ) -> list[Edit]:
        """One person's approval; see `approvals.approved`."""
        return [_edit(approvals.approved(self.get(key), who, role, shown, comment, now, then))]

    def refuse(self, key: str, who: str, why: str, now: int) -> list[Edit]:
        """A person says no to what waits for approval."""
        return [_edit(approvals.refused(self.get(key), who, why, now))]

    def cancel(self, key: str, who: str, why: str, now: int) -> list[Edit]:
        """A person takes back what was not sent."""
        return [_edit(approvals.cancelled(self.get(key), who, why, now))]

    def halt(self, who: str, why: str, now: int) -> list[Edit]:
        """Ends every automatic command that was not sent and is not only a proposal."""
        found = [c for c in self._live.values() if c.is_automatic and c.state in (AWAITING, QUEUED)]
        note = f"kill switch: {why}" if why else "kill switch"
        return [
            _edit(c.moved(Step(REFUSED, now, who, note)))
            for c in sorted(found, key=lambda c: c.number)
        ]

    # -- what happens to it -------------------------------------------------------------------

    def sent(self, key: str, now: int, note: str = "", check: Check | None = None) -> list[Edit]:
        """About to be sent: commit this first, then send, and never send without it.

        Args:
            key: of the command.
            now: ns since 1970 UTC.
            note: for people.
            check: the reading that confirms it, where that was not known when it was asked for.

        Raises:
            Conflict: it is not queued (sent before, or over), or its deadline has passed.
        """
        command = self.get(key)
        if now >= command.deadline:
            raise Conflict(f"the deadline of command '{key}' has passed", hint="it expires")
        if command.check is None:
            command = replace(command, check=check)
        return self._step(command, SENT, SYSTEM, now, note)

    def held_back(self, key: str, verdict: Verdict, now: int) -> list[Edit]:
        """A guard says no now that it was to be sent: it never is."""
        return self._step(self.get(key), REFUSED, SYSTEM, now, f"{verdict.guard}: {verdict.said}")

    def delivered(self, key: str, now: int, note: str = "") -> list[Edit]:
        """The device's connection has confirmed the message; late or doubled changes nothing."""
        command = self.get(key)
        if command.state != SENT or now >= command.deadline:
            return []
        return self._step(command, DELIVERED, command.twin, now, note)

    def unsure(self, key: str, now: int, note: str) -> list[Edit]:
        """The answer will never come: unknown at once, unless a reading may still tell."""
        command = self.get(key)
        if command.state not in (SENT, DELIVERED):
            return []
        state = UNKNOWN if command.check is None else command.state
        return [_edit(command.moved(Step(state, now, SYSTEM, note)))]

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
            check = command.check
            if check is not None and status == SUCCEEDED:
                check = confirm.begun(check, now)
            return [_edit(command.moved(step, result=result, message=message, check=check))]
        is_first = command.result is None and not command.message
        if command.state == CONFIRMED and is_first and not is_late:
            step = Step(
                CONFIRMED, now, command.twin, f"the device says: {status}. {message}".strip()
            )
            return [_edit(command.moved(step, result=result, message=message))]
        edits: list[Edit] = []
        if now >= _end(command) and not command.is_over:
            command = self._at_deadline(command, now)
            edits.append(_edit(command))
        noted = _noted(command, status, result, message, now)
        return edits if noted is None else [*edits, _edit(noted)]

    # -- what readings say --------------------------------------------------------------------

    def watched(self) -> dict[tuple[str, str], list[str]]:
        """The commands that wait for a reading, by twin and path."""
        return {place: list(keys) for place, keys in self._watched.items()}

    @property
    def is_watching(self) -> bool:
        return bool(self._watched)

    def reading(self, twin: str, path: str, value: Reading, received: int, now: int) -> list[Edit]:
        """A reading that may confirm commands."""
        found = []
        for key in self._watched.get((twin, path), ()):
            after = confirm.looked_at(self._live[key], value[0], value[1], received, now)
            if after is not None:
                found.append(_edit(after))
        return found

    def tick(self, now: int, read: Callable[[Command], Reading] = _no_reading) -> list[Edit]:
        """Ends what is past its deadline: `expired` if it was never sent, else `unknown`.

        Args:
            now: ns since 1970 UTC.
            read: the last value of the property that was to confirm a command.
        """
        late = [c for c in self._live.values() if now >= _end(c)]
        return [_edit(self._at_deadline(c, now, read)) for c in sorted(late, key=_number)]

    def _at_deadline(
        self, command: Command, now: int, read: Callable[[Command], Reading] = _no_reading
    ) -> Command:
        if command.state == SUCCEEDED:
            return confirm.not_confirmed(command, *read(command), now, SYSTEM)
        if command.state == QUEUED:
            note = "the device was not there before the deadline"
            return command.moved(Step(EXPIRED, now, SYSTEM, note))
        if command.state in UNSENT:
            return command.moved(Step(EXPIRED, now, SYSTEM, "nobody approved it in time"))
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
                command = from_document(edit.doc)
                if len(command.steps) == 1:
                    self._counts.add(command)
                self._set(command)
            else:
                self._drop(edit.key)

    def _drop(self, key: str) -> None:
        self._over.pop(key, None)
        gone = self._live.pop(key, None)
        if gone is not None:
            _keep_in(self._queued, gone.twin, key, False)
            if gone.check is not None:
                _keep_in(self._watched, (gone.twin, gone.check.path), key, False)

    def _set(self, command: Command) -> None:
        self._next_number = max(self._next_number, command.number + 1)
        _keep_in(self._queued, command.twin, command.id, command.state == QUEUED)
        if command.check is not None:
            place = (command.twin, command.check.path)
            _keep_in(self._watched, place, command.id, command.state in confirm.LOOKS)
        self._over.pop(command.id, None)
        if not command.is_over:
            self._live[command.id] = command
            return
        self._live.pop(command.id, None)
        self._over[command.id] = command
        while len(self._over) > self._keep:
            del self._over[next(iter(self._over))]


K = TypeVar("K")


def _keep_in(index: dict[K, dict[str, None]], place: K, key: str, is_in: bool) -> None:
    if is_in:
        index.setdefault(place, {})[key] = None
    elif place in index:
        index[place].pop(key, None)
        if not index[place]:
            del index[place]


def _number(command: Command) -> int:
    return command.number


def _end(command: Command) -> int:
    """When something must have happened to it."""
    if command.state == SUCCEEDED:
        return command.check.until if command.check is not None else command.deadline
    if command.state == AWAITING and command.approval is not None:
        return command.approval.until
    return command.deadline


def _edit(command: Command) -> Edit:
    step = command.steps[-1]
    why = f"{step.state}: {step.note}" if step.note else step.state
    return Edit("command", command.id, command.document(), step.time, step.who, why)


def _same(known: Command, ask: Ask, shapes: Mapping[str, CommandShape]) -> Command:
    arguments = ask.arguments
    if ask.unit and ask.command in shapes:
        arguments = judge(ask, shapes[ask.command], NO_FACTS, lambda _: 0.0).arguments
    asked = (ask.twin, ask.command, ask.who, _canonical(arguments))
    if asked != (known.twin, known.command, known.who, _canonical(known.arguments)):
        raise Conflict(
            f"command '{known.id}' exists already with other content",
            hint="use a new id for a new command; GET /commands/{id} shows the other",
        )
    return known


def _canonical(arguments: Any) -> bytes:
    try:
        return orjson.dumps(arguments, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        raise InvalidInput(f"the arguments are no JSON: {error}") from error


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
