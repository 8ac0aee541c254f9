"""One input of a linear behaviour over a horizon: the cheapest that keeps its output within bounds.

The output is what it would be without the input plus what each step of the input adds; both come
from the behaviour itself. Bounds may be broken at a price, so that there always is an answer.
Solved by HiGHS through scipy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gemel.core.batch import F64
from gemel.core.errors import InvalidInput, Unavailable
from gemel.services.behaviour.model import Behaviour, simulate


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for, by step. Shapes: (T,)."""

    low: F64
    """Of the output at the end of a step."""
    high: F64
    price: F64
    """Of one unit of the input for one step."""
    most: float
    """Of the input; the least is 0."""
    discomfort: float
    """Price of one unit of the output outside its bounds for one step."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The input to set, what it costs, and what the output should be. Shapes: (T,)."""

    chosen: F64
    output: F64
    cost: float
    outside: float
    """Units of the output outside its bounds, summed over steps."""


@dataclass(frozen=True, slots=True)
class Response:
    """How the output answers to the input that is chosen; made once for many plans.

    Shapes: (T, T), row: step of the output, column: step of the input.
    """

    behaviour: Behaviour
    parameters: Mapping[str, float]
    seconds: float
    chosen: str
    output: str
    table: F64


def response_of(
    behaviour: Behaviour,
    parameters: Mapping[str, float],
    chosen: str,
    output: str,
    seconds: float,
    steps: int,
) -> Response:
    """The response of a behaviour whose output is linear in the input that is chosen.

    Raises:
        InvalidInput: it is not linear.
    """
    one, two = np.zeros((steps, 3)), np.zeros(steps)
    one[0, 1], one[0, 2] = 1.0, 2.0
    zero = {i.name: two for i in behaviour.inputs if i.name != chosen}
    start = {s.name: 0.0 for s in behaviour.states}
    found = simulate(behaviour, {**zero, chosen: one}, seconds, parameters, start).output(output)
    single, double = found[:, 1] - found[:, 0], found[:, 2] - found[:, 0]
    if not np.allclose(double, 2 * single, rtol=1e-6, atol=1e-12):
        raise InvalidInput(
            f"the output '{output}' of '{behaviour.name}' is not linear in '{chosen}'",
            hint="a horizon needs a linear behaviour, such as rc1 to rc3 or first-order",
        )
    place = np.subtract.outer(np.arange(steps), np.arange(steps))
    table = np.where(place >= 0, single[np.maximum(place, 0)], 0.0)
    return Response(behaviour, dict(parameters), seconds, chosen, output, table)


def plan(
    response: Response, inputs: Mapping[str, F64], start: Mapping[str, float], wanted: Wanted
) -> Plan:
    """The cheapest input over the horizon.

    Args:
        response: of the behaviour.
        inputs: those that are not chosen, as expected; (T,) each.
        start: the states now.
        wanted: bounds and prices.

    Raises:
        Unavailable: scipy is not installed, or there is no answer.
    """
    try:
        from scipy.optimize import linprog
    except ModuleNotFoundError:
        raise Unavailable("plans need scipy", hint="pip install gemel[services]") from None
    steps = len(wanted.price)
    alone = simulate(
        response.behaviour, {**inputs, response.chosen: np.zeros(steps)}, response.seconds,
        response.parameters, start,
    ).output(response.output)[:, 0]  # fmt: skip
    table, slack = response.table, np.eye(steps)
    matrix = np.block([[-table, -slack], [table, -slack]])
    limits = np.concatenate((alone - wanted.low, wanted.high - alone))
    cost = np.concatenate((wanted.price, np.full(steps, wanted.discomfort)))
    bounds = [(0.0, wanted.most)] * steps + [(0.0, None)] * steps
    found = linprog(cost, matrix, limits, bounds=bounds, method="highs")
    if found.x is None:
        raise Unavailable(f"there is no plan: {found.message}", hint="wider bounds")
    chosen = np.asarray(found.x[:steps], float)
    output = alone + table @ chosen
    outside = np.maximum(wanted.low - output, 0) + np.maximum(output - wanted.high, 0)
    return Plan(chosen, output, float(wanted.price @ chosen), float(outside.sum()))
