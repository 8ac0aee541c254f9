"""Commands as policies let somebody see them: steps without values that may not be read.

Who may read a command's name sees the command. Its notes may tell more than that: guards name the
values that they judged on, a confirmation the reading that agreed, services why they asked.
"""

from __future__ import annotations

from dataclasses import replace

from gemel.app.policies import Sight
from gemel.commands.command import (
    CONFIRMED,
    REFUSED,
    UNCONFIRMED,
    Command,
    Step,
    from_document,
)
from gemel.commands.guards import without_values
from gemel.core.document import Json
from gemel.core.policy import READ


def command_shown(sight: Sight, command: Command) -> Command:
    """What may be seen of a command whose name may be read."""
    if sight.covers(READ, command.twin):
        return command
    check = command.check
    is_checked = check is None or sight.allows(READ, command.twin, check.path)
    if check is not None and not is_checked:
        check = replace(check, seen=None, seen_time=0)
    first, *others = command.steps
    begun = replace(first, note=without_values(first.note) if first.state == REFUSED else "")
    steps = (begun, *(_shown(step, is_checked=is_checked) for step in others))
    return replace(command, check=check, steps=steps)


def _shown(step: Step, *, is_checked: bool) -> Step:
    if step.state == REFUSED:
        return replace(step, note=without_values(step.note))
    if step.state in (CONFIRMED, UNCONFIRMED) and not is_checked:
        return replace(step, note="")
    return step


def document_shown(sight: Sight, doc: Json) -> Json:
    """As `command_shown`, of a command as it is stored."""
    if sight.covers(READ, doc["twin"]):
        return doc
    return command_shown(sight, from_document(doc)).document()
