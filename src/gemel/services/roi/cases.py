"""The cases: inputs with range and source, figures with the formula that computes them.

Every figure that the field repeats comes out with the inputs as they stand here; what it leaves
out (a running cost, a false alarm) is a figure beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gemel.core.document import Json

MONEY, SHARE, NUMBER, YEARS = "money", "share", "number", "years"
BRIEF = "the field's usual example; replace it by your own books"
EVIDENCE_MAINTENANCE = (
    "the field's usual example; vendors say 0.3 to 0.5, a review of their sources 0.1 to 0.35, "
    "no controlled study is known"
)
EVIDENCE_ENERGY = (
    "the field's usual example; field tests of model predictive control: 0.13 in commercial, 0.16 "
    "in residential buildings, most with weak protocols (arXiv 2503.05022)"
)


@dataclass(frozen=True, slots=True)
class Input:
    name: str
    title: str
    value: float
    low: float
    high: float
    kind: str = MONEY
    source: str = BRIEF
    least: float = 0.0
    most: float = 1e12


@dataclass(frozen=True, slots=True)
class Figure:
    name: str
    title: str
    formula: str
    kind: str = MONEY
    about: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """`saving`, `invested` and `running` must be among its inputs and figures."""

    name: str
    title: str
    about: str
    inputs: tuple[Input, ...]
    figures: tuple[Figure, ...]

    def to_json(self) -> Json:
        return {
            "case": self.name,
            "title": self.title,
            "about": self.about,
            "inputs": [_document(one) for one in (*self.inputs, *COMMON)],
            "figures": [_document(one) for one in self.figures],
        }


def _document(one: Input | Figure) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__slots__}


def _invested(value: float, source: str = BRIEF) -> Input:
    return Input("invested", "Investment", value, value * 0.8, value * 1.5, MONEY, source)


def _running(value: float, high: float, source: str = BRIEF) -> Input:
    return Input("running", "Running cost a year", value, value * 0.8, high, MONEY, source)


COMMON = (
    Input("horizon", "Years looked at", 10, 10, 10, YEARS, "a usual life of such a system", 1, 30),
    Input("discount", "Discount rate", 0.08, 0.05, 0.12, SHARE, "a usual cost of capital", 0, 1),
    Input(
        "firstYear",
        "Share of the saving reached in year 1",
        1.0,
        0.4,
        1.0,
        SHARE,
        "1 as in the field's sums; roll-outs are slower",
        0,
        1,
    ),
    Input(
        "fade",
        "Share of the saving lost each later year",
        0.0,
        0.0,
        0.05,
        SHARE,
        "0 as in the field's sums; models that nobody recalibrates fade",
        0,
        1,
    ),
)
NET = Figure(
    "net",
    "Net saving a year",
    "saving - running",
    about="what is left when the system itself is paid for",
)
PAYBACK = Figure(
    "payback",
    "Payback as usually told",
    "invested / saving * 12",
    "months",
    "the investment over the gross saving: the running cost is left out",
)
PAYBACK_NET = Figure(
    "paybackNet",
    "Payback with the running cost",
    "invested / max(net, 0) * 12",
    "months",
    "the investment over what is left each year",
)
SOON = (NET, PAYBACK, PAYBACK_NET)

MAINTENANCE = Case(
    "maintenance",
    "Predictive maintenance",
    "unplanned downtime of a group of machines, cut by seeing failures ahead",
    (
        Input("machines", "Machines", 50, 50, 50, NUMBER),
        Input("lost", "Lost by unplanned downtime a year", 2e6, 1.5e6, 2.5e6),
        Input("cut", "Share of it avoided", 0.30, 0.10, 0.35, SHARE, EVIDENCE_MAINTENANCE, 0, 1),
        _invested(200_000),
        _running(0, 60_000, "not told in the example; sensors, people and licences cost something"),
    ),
    (
        Figure("saving", "Saved a year", "lost * cut"),
        Figure("savingEach", "Saved a year for each machine", "saving / machines"),
        *SOON,
    ),
)
ENERGY = Case(
    "energy",
    "Energy of a building",
    "heating, cooling and air moved only where and when needed, at equal comfort",
    (
        Input("bill", "Energy bill a year", 3e6, 2.7e6, 3.3e6),
        Input(
            "cut", "Share saved at equal comfort", 0.12, 0.04, 0.16, SHARE, EVIDENCE_ENERGY, 0, 1
        ),
        _invested(150_000),
        _running(50_000, 75_000),
    ),
    (Figure("saving", "Saved a year", "bill * cut"), *SOON),
)
DESIGN = Case(
    "design",
    "Design iteration",
    "variants tried on the twin first, so that fewer prototypes are built",
    (
        Input("before", "Prototypes built without a twin", 5, 4, 6, NUMBER),
        Input("after", "Prototypes built with one", 2, 2, 3, NUMBER),
        Input("prototype", "Cost of a prototype", 500_000, 400_000, 600_000),
        Input("projects", "Such projects a year", 1, 0.5, 1, NUMBER, "1: the example is of one"),
        Input("invested", "Investment", 0, 0, 400_000, MONEY, "not told in the example: enter it"),
        Input("running", "Running cost a year", 0, 0, 100_000, MONEY, "not told in the example"),
    ),
    (Figure("saving", "Saved a year", "(before - after) * prototype * projects"), *SOON),
)
FAILURE = Case(
    "failure",
    "A part replaced in time",
    "a cheap part whose failure is dear: what one prediction is worth",
    (
        Input("planned", "Planned replacement", 5_000, 4_000, 7_000),
        Input("failed", "Failure of it", 50_000, 30_000, 70_000),
        Input("failures", "Failures a year without a twin", 4, 2, 6, NUMBER, "enter your own"),
        Input(
            "seen",
            "Share of failures seen in time",
            0.7,
            0.5,
            0.9,
            SHARE,
            "sudden failures have no precursor; see the downtime study",
            0,
            1,
        ),
        Input(
            "false", "Replaced in vain a year", 1, 0, 3, NUMBER, "false alarms that were believed"
        ),
        Input("invested", "Investment", 60_000, 40_000, 90_000, MONEY, "enter your own"),
        Input("running", "Running cost a year", 10_000, 8_000, 20_000, MONEY, "enter your own"),
    ),
    (
        Figure("each", "One failure replaced in time saves", "failed - planned"),
        Figure("ratio", "A failure costs so many replacements", "failed / planned", NUMBER),
        Figure(
            "mostFalse",
            "False replacements that one hit pays for",
            "each / planned",
            NUMBER,
            "above this the predictor costs more than it saves",
        ),
        Figure("saving", "Saved a year", "failures * seen * each - false * planned"),
        *SOON,
    ),
)
CASES = {case.name: case for case in (MAINTENANCE, ENERGY, DESIGN, FAILURE)}
