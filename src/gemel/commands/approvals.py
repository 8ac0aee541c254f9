"""The words of a second person: approve, refuse, cancel; each gives the command after it."""

from __future__ import annotations

from dataclasses import replace

from gemel.commands.command import (
    AWAITING,
    CANCELLED,
    PROPOSED,
    QUEUED,
    REFUSED,
    UNSENT,
    Approval,
    Command,
    Step,
)
from gemel.commands.settings import RANKS, Approving
from gemel.core.clock import SECOND
from gemel.core.errors import Conflict, Forbidden, Refused


def asked_for(approving: Approving, now: int, deadline: int) -> Approval:
    """What a command waits for, from when it is asked for."""
    until = min(deadline, now + round(approving.within * SECOND))
    return Approval(approving.needed, approving.role, until)


def approved(
    command: Command,
    who: str,
    role: str,
    shown: str,
    comment: str,
    now: int,
    then: Approving | None = None,
) -> Command:
    """After one person's approval: queued when it was the last that is needed.

    A proposal is taken over: who approves it becomes the one who asks, and what the settings of
    the command demand (`then`) is still to come from others.

    Raises:
        Conflict: it waits for nobody, its time is over, or another payload was read.
        Refused: four eyes: the one who asks, or who has approved already, approves.
        Forbidden: the role is not high enough.
    """
    if command.state not in (PROPOSED, AWAITING):
        raise Conflict(
            f"command '{command.id}' is {command.state} and waits for nobody's approval",
            hint=f"gemel command show {command.id} tells its story",
        )
    if shown != command.hash:
        raise Conflict(
            f"command '{command.id}' is not what was read: its hash is {command.hash}",
            hint="read it again and send the hash that it has",
        )
    if now >= _until(command):
        raise Conflict(f"the time to approve command '{command.id}' is over", hint="ask anew")
    if command.state == PROPOSED:
        return _taken_over(command, who, comment, now, then)
    approval = command.approval
    assert approval is not None
    _check_person(command, approval, who, role)
    approval = replace(approval, by=(*approval.by, who))
    is_enough = len(approval.by) >= approval.needed
    note = _note(
        "approved" if is_enough else f"approved ({len(approval.by)} of {approval.needed})", comment
    )
    return command.moved(Step(QUEUED if is_enough else AWAITING, now, who, note), approval=approval)


def _taken_over(
    command: Command, who: str, comment: str, now: int, then: Approving | None
) -> Command:
    note = _note("taken over", comment)
    if then is None:
        one = Approval(0, "", command.deadline, taken_by=who)
        return command.moved(Step(QUEUED, now, who, note), approval=one)
    approval = replace(asked_for(then, now, command.deadline), taken_by=who)
    return command.moved(Step(AWAITING, now, who, note), approval=approval)


def _check_person(command: Command, approval: Approval, who: str, role: str) -> None:
    if who in (command.who, approval.taken_by):
        raise Refused(
            f"{who} asked for command '{command.id}' and cannot approve it",
            hint="somebody else must look at it",
            details=[{"code": "approval", "message": "four eyes: another person approves"}],
        )
    if who in approval.by:
        raise Refused(
            f"{who} has approved command '{command.id}' already",
            hint=f"{approval.needed - len(approval.by)} more must approve",
            details=[{"code": "approval", "message": "each person counts once"}],
        )
    if role not in RANKS or RANKS.index(role) < RANKS.index(approval.role):
        raise Forbidden(
            f"command '{command.id}' needs the approval of {approval.role} or above; "
            f"{who} is {role}",
            hint=f"ask somebody with the role {approval.role}",
        )


def refused(command: Command, who: str, why: str, now: int) -> Command:
    """A person says no.

    Raises:
        Conflict: it waits for nobody's approval.
    """
    if command.state not in (PROPOSED, AWAITING):
        raise Conflict(
            f"command '{command.id}' is {command.state} and waits for nobody's approval",
            hint="cancel it while it is queued",
        )
    return command.moved(Step(REFUSED, now, who, why or "refused"))


def cancelled(command: Command, who: str, why: str, now: int) -> Command:
    """Takes a command back.

    Raises:
        Conflict: it has left, or is over.
    """
    if command.state not in UNSENT:
        raise Conflict(
            f"command '{command.id}' is {command.state} and cannot be taken back",
            hint="send another command that undoes it",
        )
    return command.moved(Step(CANCELLED, now, who, why or "taken back"))


def _until(command: Command) -> int:
    return command.deadline if command.approval is None else command.approval.until


def _note(text: str, comment: str) -> str:
    return f"{text}: {comment}" if comment else text
