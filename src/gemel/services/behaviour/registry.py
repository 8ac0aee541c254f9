"""Finds a behaviour by its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gemel.core.document import Json
from gemel.core.errors import NotFound
from gemel.services.behaviour.flow import FAN, PUMP, TANK
from gemel.services.behaviour.imported import behaviour_from
from gemel.services.behaviour.machines import BEARING, FIRST_ORDER, MACHINE, TURBINE
from gemel.services.behaviour.model import Behaviour
from gemel.services.behaviour.regression import regression
from gemel.services.behaviour.room import ROOM
from gemel.services.behaviour.thermal import RC1, RC2, RC3

REGRESSION = "regression"
THERMAL, MACHINES, FLOWS = (RC1, RC2, RC3, ROOM), (MACHINE, BEARING, TURBINE), (PUMP, FAN, TANK)
FIXED = {b.name: b for b in (*THERMAL, FIRST_ORDER, *MACHINES, *FLOWS)}


def behaviours() -> dict[str, Behaviour]:
    """Those with inputs of their own; `regression` besides takes any inputs."""
    return dict(FIXED)


def behaviour_of(
    name: str, inputs: Sequence[str] = (), foreign: Mapping[str, Json] | None = None
) -> Behaviour:
    """One behaviour; `inputs` are those of a regression, `foreign` models of others by name.

    Raises:
        NotFound: there is none of this name; says which there are.
        InvalidInput: a regression without inputs.
    """
    if name == REGRESSION:
        return regression(inputs)
    if foreign is not None and name in foreign:
        return behaviour_from(name, foreign[name])
    found = FIXED.get(name)
    if found is None:
        raise NotFound(
            f"there is no behaviour '{name}'", hint="one of: " + ", ".join([*FIXED, REGRESSION])
        )
    return found
