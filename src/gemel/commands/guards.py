"""The one place where a command is let through, refused, or made to wait for a person.

Pure: the caller brings the facts (what holds in the plant, what is counted); `judge` answers for
every guard, so that a dry run says the same as the real thing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gemel.commands.autonomy import APPROVE, SUGGEST, Autonomy
from gemel.commands.command import AWAITING, PROPOSED, QUEUED
from gemel.commands.settings import NONE, RANKS, Approving, Guards, Limit, Range
from gemel.core import units
from gemel.core.document import Json
from gemel.core.errors import (
    Forbidden,
    GemelError,
    InvalidInput,
    PreconditionFailed,
    Refused,
)

PASS, REFUSE, WAIT = "pass", "refuse", "wait"
VALUES = "; "
"""Stands before the values on which an interlock was judged."""
NOT_SO, NOT_KNOWN = "does not hold", "is not known"
JUDGED_ON = re.compile(f"({NOT_SO}|{NOT_KNOWN}){VALUES}")
"""Where the values begin in the words of a refusal."""
BECAUSE = " (asked for because: "
"""Stands before the reason that a service gave for what was refused."""


@dataclass(frozen=True, slots=True)
class CommandShape:
    """What a model and its settings say of a command."""

    name: str
    check: Callable[[Any], None]
    """Raises `TwinInvalid` if the arguments do not fit the request's schema."""
    minimum: float | None = None
    maximum: float | None = None
    unit: str = ""
    guards: Guards = NONE


UNBOUND = Autonomy()


@dataclass(frozen=True, slots=True)
class Ask:
    """What somebody asks for.

    `role` "" is for those inside, who are judged by `autonomy` instead.
    """

    twin: str
    command: str
    arguments: Any
    who: str
    deadline: int
    key: str | None = None
    role: str = ""
    unit: str = ""
    revision: str = ""
    service: str = ""
    autonomy: Autonomy = UNBOUND
    why: str = ""
    """For people; the note of the first step."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a condition said of a twin."""

    when: str
    title: str
    holds: bool | None
    """None: not known, because a value is missing or too old."""
    seen: str = ""
    """The values it was judged on, for people."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What holds in the plant at this moment."""

    interlocks: Sequence[Held] = ()
    bounds: Held | None = None
    revision: str = ""
    halted: str = ""
    """Who stopped all automatic commands, when and why; "" if nobody did."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one guard answers."""

    guard: str
    answer: str
    """`pass`, `refuse` or `wait` (for a person)."""
    said: str
    hint: str = ""
    error: GemelError | None = None

    def document(self) -> Json:
        return {"guard": self.guard, "answer": self.answer, "said": self.said, "hint": self.hint}


@dataclass(frozen=True, slots=True)
class Judgement:
    verdicts: tuple[Verdict, ...]
    arguments: Any
    """In the unit of the model."""
    begins: str
    """The state a command begins in that was let through."""
    approval: Approving | None

    @property
    def refusal(self) -> Verdict | None:
        return next((v for v in self.verdicts if v.answer == REFUSE), None)


NO_FACTS = Facts()
Count = Callable[[Limit], float]
"""Seconds until one more is within a limit; 0 if it is now."""


def judge(ask: Ask, shape: CommandShape, facts: Facts, wait_for: Count) -> Judgement:
    """What every guard answers, in the order in which they are asked."""
    arguments, unit = _in_unit(ask, shape)
    fits = unit.answer == REFUSE or _fits(ask, shape, arguments)
    verdicts = [_role(ask, shape), unit]
    if isinstance(fits, Verdict):
        verdicts.append(fits)
        if fits.answer == PASS:
            verdicts += _ranges(ask, shape, arguments)
    verdicts += _revision(ask, facts)
    verdicts += interlocked(ask.command, ask.twin, facts)
    verdicts += [_rate(ask, limit, wait_for(limit)) for limit in shape.guards.limits]
    approval = shape.guards.approval
    begins = QUEUED if approval is None else AWAITING
    if ask.service:
        halted = halt(ask.service, facts)
        verdicts.insert(0, halted)
        autonomy = _autonomy(ask, arguments, facts, wait_for)
        verdicts.append(autonomy)
        if ask.autonomy.level == SUGGEST:
            begins = PROPOSED
        elif autonomy.answer == WAIT:
            begins, approval = AWAITING, approval or Approving()
    if approval is not None:
        verdicts.append(_approval(approval))
    return Judgement(tuple(verdicts), arguments, begins, approval)


def at_sending(service: str, command: str, twin: str, facts: Facts) -> Verdict | None:
    """What must hold again when a command leaves; None if it all does."""
    verdicts = [*interlocked(command, twin, facts)]
    if service:
        verdicts.insert(0, halt(service, facts))
    return next((v for v in verdicts if v.answer == REFUSE), None)


def halt(service: str, facts: Facts) -> Verdict:
    if not facts.halted:
        return Verdict("kill switch", PASS, "automatic commands are on")
    return _refused(
        "kill switch",
        f"{service} may send nothing: all automatic commands were stopped {facts.halted}",
        "an engineer may start them again: gemel command resume",
    )


def interlocked(command: str, twin: str, facts: Facts) -> list[Verdict]:
    return [_interlock(command, twin, held) for held in facts.interlocks]


def _interlock(command: str, twin: str, held: Held) -> Verdict:
    name = held.title if held.title == held.when else f"{held.title} ({held.when})"
    seen = f"{VALUES}{held.seen}" if held.seen else ""
    if held.holds:
        return Verdict("interlock", PASS, f"{name}{seen}")
    if held.holds is None:
        said = f"'{command}' to '{twin}': whether '{name}' holds {NOT_KNOWN}{seen}"
        return _refused("interlock", said, "bring the device's readings back, then ask again")
    return _refused(
        "interlock",
        f"'{command}' to '{twin}': '{name}' {NOT_SO}{seen}",
        "wait until it holds, or let an engineer change the settings of the model",
    )


def without_values(note: str) -> str:
    """The note of a guard's refusal without the values it was found on and the service's reason."""
    said = note.partition(BECAUSE)[0]
    found = JUDGED_ON.search(said)
    return said[: found.end(1)] if found else said


def _refused(guard: str, said: str, hint: str, kind: type[GemelError] = Refused) -> Verdict:
    details = [{"code": guard, "message": said}]
    return Verdict(guard, REFUSE, said, hint, kind(said, hint=hint, details=details))


def _role(ask: Ask, shape: CommandShape) -> Verdict:
    least = shape.guards.role
    if not least or not ask.role:
        return Verdict("role", PASS, least or "everybody who may send commands")
    if ask.role in RANKS and RANKS.index(ask.role) >= RANKS.index(least):
        return Verdict("role", PASS, f"{ask.role} ({least} is needed)")
    return _refused(
        "role",
        f"'{ask.command}' to '{ask.twin}' needs the role {least}, and {ask.who} is {ask.role}",
        f"ask somebody with the role {least}",
        Forbidden,
    )


def _in_unit(ask: Ask, shape: CommandShape) -> tuple[Any, Verdict]:
    """The arguments in the unit of the model."""
    if not ask.unit:
        return ask.arguments, Verdict("unit", PASS, shape.unit or "none")
    value = ask.arguments
    try:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidInput("only a single number can have a unit", hint="leave the unit out")
        if not shape.unit:
            raise InvalidInput("the model gives it no unit", hint="leave the unit out")
        scale, offset = units.conversion(ask.unit, shape.unit)
    except InvalidInput as error:
        said = f"'{ask.command}' to '{ask.twin}' in {ask.unit[:40]}: {error.message}"
        return value, _refused("unit", said, error.hint)
    if (scale, offset) == (1.0, 0.0):
        return value, Verdict("unit", PASS, shape.unit)
    found = value * scale + offset
    said = f"{value:g} {ask.unit} is {found:.6g} {shape.unit}"
    return float(f"{found:.12g}"), Verdict("unit", PASS, said)


def _fits(ask: Ask, shape: CommandShape, arguments: Any) -> Verdict:
    try:
        shape.check(arguments)
    except GemelError as error:
        return Verdict("model", REFUSE, error.message, error.hint, error)
    return Verdict("model", PASS, f"the model has '{ask.command}', and the arguments fit")


def _ranges(ask: Ask, shape: CommandShape, arguments: Any) -> list[Verdict]:
    low, high = shape.minimum, shape.maximum
    asked: list[tuple[str, Any, Range]] = []
    if isinstance(arguments, dict):
        asked = [(n, arguments[n], r) for n, r in shape.guards.fields.items() if n in arguments]
    elif not isinstance(arguments, bool) and isinstance(arguments, int | float):
        asked = [("", arguments, (low, high))]
    return [_range(ask, shape.unit, *one) for one in asked]


def _range(ask: Ask, unit: str, name: str, value: Any, limits: Range) -> Verdict:
    what = f"'{ask.command}' to '{ask.twin}'" + (f", {name}" if name else "")
    words = in_words(limits, "" if name else unit) or "a finite number"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Verdict("range", PASS, f"{name} is no number")
    shown = f"{value:g} {unit}".strip() if not name else f"{value:g}"
    if is_within(value, limits):
        return Verdict("range", PASS, f"{shown}: {words}")
    return _refused("range", f"{what}: {shown} is out of range", words)


def is_within(value: float, limits: Range) -> bool:
    low, high = limits
    return (
        math.isfinite(value) and (low is None or value >= low) and (high is None or value <= high)
    )


def in_words(limits: Range, unit: str) -> str:
    low, high = limits
    unit = f" {unit}" if unit else ""
    least = f"at least {low:g}{unit}" if low is not None else ""
    most = f"at most {high:g}{unit}" if high is not None else ""
    return " and ".join(text for text in (least, most) if text)


def _revision(ask: Ask, facts: Facts) -> list[Verdict]:
    if not ask.revision:
        return []
    if ask.revision == facts.revision:
        return [Verdict("revision", PASS, "the twin is as it was read")]
    said = f"twin '{ask.twin}' was changed since: its revision is {facts.revision}"
    hint = "read the twin again, and decide anew"
    return [_refused("revision", said, hint, PreconditionFailed)]


LIMIT_WORDS = {
    "command": "'{command}' on '{twin}'",
    "device": "commands to '{twin}'",
    "person": "'{command}' by {who}",
    "service": "commands by {service}",
}


def _rate(ask: Ask, limit: Limit, seconds: float) -> Verdict:
    what = LIMIT_WORDS[limit.scope].format(
        command=ask.command, twin=ask.twin, who=ask.who, service=ask.service
    )
    words = f"at most {limit.most} in {limit.seconds:g} s: {what}"
    if seconds <= 0:
        return Verdict("rate", PASS, words)
    return _refused("rate", f"{words}; this would be one more", f"again in {seconds:.0f} s")


def _approval(approving: Approving) -> Verdict:
    people = "another person" if approving.needed == 1 else f"{approving.needed} other people"
    return Verdict(
        "approval",
        WAIT,
        f"{people} with the role {approving.role} or above must approve",
        f"within {approving.within:g} s: gemel command approve ID",
    )


def _autonomy(ask: Ask, arguments: Any, facts: Facts, wait_for: Count) -> Verdict:
    autonomy = ask.autonomy
    if autonomy.level == SUGGEST:
        return Verdict("autonomy", WAIT, f"{ask.service} may only suggest", "a person decides")
    if autonomy.level == APPROVE:
        return Verdict("autonomy", WAIT, f"{ask.service} needs a person's approval")
    outside = _outside(ask, arguments, facts, wait_for)
    if outside:
        return Verdict("autonomy", WAIT, f"{ask.service} is outside its bounds: {outside}")
    return Verdict("autonomy", PASS, f"{ask.service} may act")


def _outside(ask: Ask, arguments: Any, facts: Facts, wait_for: Count) -> str:
    autonomy = ask.autonomy
    is_number = isinstance(arguments, int | float) and not isinstance(arguments, bool)
    if is_number and not is_within(arguments, autonomy.range):
        return f"{arguments:g} is not {in_words(autonomy.range, '') or 'a finite number'}"
    if autonomy.limit is not None and wait_for(autonomy.limit) > 0:
        return f"more than {autonomy.limit.most} in {autonomy.limit.seconds:g} s"
    if facts.bounds is not None and not facts.bounds.holds:
        return f"'{facts.bounds.when}' does not hold"
    return ""
