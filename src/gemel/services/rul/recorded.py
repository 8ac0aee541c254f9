"""What people have recorded of the ends of lives: failures that were told, and work that was done.

A signal says best when a machine has failed. Where there is none, each renewal counts as a failure,
unless a record says otherwise: work that the service itself has proposed, and that was done, has
renewed a machine in time; a repair after a failure, or a failure that is told, has not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gemel.core.clock import from_iso
from gemel.core.errors import InvalidInput
from gemel.services.contract import Job
from gemel.services.rul.lives import Life

FAILED, IN_TIME = "failed", "in time"
Ends = Mapping[str, list[tuple[int, str]]]
"""By twin: (when, how its life ended), in order of time."""


def ends_of(job: Job) -> Ends:
    """The parameter `failures`, and work orders that are done.

    Raises:
        InvalidInput: a failure has no twin or no time.
    """
    found: dict[str, list[tuple[int, str]]] = {}
    for one in job.parameters.get("failures", []):
        twin, time = _told(one)
        found.setdefault(twin, []).append((time, FAILED))
    title, own = job.instance.parameters["repair"], f"service:{job.instance.id}"
    for order in job.work:
        how = FAILED if order["title"] == title else IN_TIME
        if how == FAILED or order["createdBy"] == own:
            found.setdefault(order["twin"], []).append((from_iso(order["created"]), how))
    return {twin: sorted(ends) for twin, ends in found.items()}


def _told(one: Any) -> tuple[str, int]:
    if not isinstance(one, dict) or not isinstance(one.get("twin"), str) or "time" not in one:
        raise InvalidInput(
            f"a failure has a twin and a time, not {one!r:.80}",
            hint='like {"twin": "engine-7", "time": "2026-11-22T10:00:00Z"}',
        )
    return one["twin"], from_iso(str(one["time"]))


def labelled(lives: Sequence[Life], ends: Ends, width: int) -> list[Life]:
    """Lives with what was recorded of their ends; those of a twin are in order."""
    of: dict[str, list[Life]] = {}
    for life in lives:
        of.setdefault(life.twin, []).append(life)
    return [one for twin, mine in of.items() for one in _of_twin(mine, ends.get(twin, ()), width)]


def _of_twin(lives: Sequence[Life], ends: Sequence[tuple[int, str]], width: int) -> list[Life]:
    how: dict[int, set[str]] = {}
    for time, what in ends:
        begun = [i for i, life in enumerate(lives) if int(life.numbers[0]) <= time // width]
        if begun:
            how.setdefault(begun[-1], set()).add(what)
    found = []
    for i, life in enumerate(lives):
        said = how.get(i, set())
        if FAILED in said:
            life = replace(life, has_failed=True, is_over=True)
        elif IN_TIME in said and life.is_over:
            life = replace(life, has_failed=False)
        found.append(life)
    return found
