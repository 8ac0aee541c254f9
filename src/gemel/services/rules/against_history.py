"""What a rule told of a twin against what history says it should have: what is still to be told.

What people were told stays told, so the present is put right by a further raise or clear, with the
time that history says or at the first moment after the latest one; the past by a correction.
"""

from __future__ import annotations

import numpy as np

from gemel.services.rules.told import Told
from gemel.services.rules.watched import Position
from gemel.services.rules.whole import Course


def flips_of(course: Course) -> list[Told]:
    """What history says, as what is told."""
    return [
        Told(time, value)
        for time, value in zip(course.time.tolist(), course.value.tolist(), strict=True)
    ]


def still_to_tell(position: Position, course: Course) -> Told | None:
    """The flip after which a rule stands as history says, later than its latest; None if it does.

    Args:
        position: where the rule stands.
        course: what history says, up to the same moment.
    """
    if course.is_active == position.is_active:
        return None
    flips = flips_of(course)
    if flips and flips[-1].time > position.flipped:
        return flips[-1]
    following = int(np.searchsorted(course.moments, position.flipped, "right"))
    if following < len(course.moments):
        return Told(int(course.moments[following]), float(course.subject[following]))
    return Told(position.flipped + 1, float("nan"))
