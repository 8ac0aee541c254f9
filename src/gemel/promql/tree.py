"""What a query is: a tree of frozen nodes; `at` is the character where each begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

SCALAR, VECTOR, RANGE, TEXT = "scalar", "instant vector", "range vector", "string"
"""The four kinds of value, as errors call them."""


@dataclass(frozen=True, slots=True)
class Matcher:
    label: str
    operator: str
    """=, !=, =~ or !~"""
    value: str


@dataclass(frozen=True, slots=True)
class Moment:
    """After `@`: a fixed time, or the start or end of the whole query."""

    time: int | None = None
    """ns since 1970 UTC; None for the start or the end."""
    is_start: bool = False


@dataclass(frozen=True, slots=True)
class Number:
    at: int
    value: float


@dataclass(frozen=True, slots=True)
class Text:
    at: int
    value: str


@dataclass(frozen=True, slots=True)
class Selector:
    at: int
    matchers: tuple[Matcher, ...]
    span: int = 0
    """ns of the range; 0 for an instant vector."""
    offset: int = 0
    moment: Moment | None = None


@dataclass(frozen=True, slots=True)
class Subquery:
    at: int
    inner: Node
    span: int
    step: int = 0
    """ns; 0 for the default."""
    offset: int = 0
    moment: Moment | None = None


@dataclass(frozen=True, slots=True)
class Call:
    at: int
    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Aggregate:
    at: int
    operator: str
    inner: Node
    parameter: Node | None
    labels: tuple[str, ...]
    is_without: bool


@dataclass(frozen=True, slots=True)
class Matching:
    """Which series of two sides belong together."""

    labels: tuple[str, ...] = ()
    is_on: bool = False
    group: str = ""
    """The side with several series for one of the other: "left", "right", or "" for neither."""
    include: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Binary:
    at: int
    operator: str
    left: Node
    right: Node
    is_bool: bool
    matching: Matching


@dataclass(frozen=True, slots=True)
class Negative:
    at: int
    inner: Node


Node: TypeAlias = Number | Text | Selector | Subquery | Call | Aggregate | Binary | Negative


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function takes and gives."""

    arguments: tuple[str, ...]
    optional: int = 0
    """So many of the last arguments may be left out; -1: the last may come any number of times."""
    gives: str = VECTOR


def _signatures() -> dict[str, Signature]:
    of_range = (
        "rate irate increase delta idelta deriv changes resets absent_over_time avg_over_time "
        "count_over_time last_over_time max_over_time min_over_time present_over_time "
        "stddev_over_time stdvar_over_time sum_over_time"
    )
    of_vector = (
        "abs absent acos acosh asin asinh atan atanh ceil cos cosh deg exp floor ln log2 log10 rad "
        "sgn sin sinh sort sort_desc sqrt tan tanh timestamp"
    )
    of_time = "day_of_month day_of_week day_of_year days_in_month hour minute month year"
    found = {name: Signature((RANGE,)) for name in of_range.split()}
    found |= {name: Signature((VECTOR,)) for name in of_vector.split()}
    found |= {name: Signature((VECTOR,), 1) for name in of_time.split()}
    return found | {
        "clamp": Signature((VECTOR, SCALAR, SCALAR)),
        "clamp_max": Signature((VECTOR, SCALAR)),
        "clamp_min": Signature((VECTOR, SCALAR)),
        "histogram_quantile": Signature((SCALAR, VECTOR)),
        "label_join": Signature((VECTOR, TEXT, TEXT, TEXT), -1),
        "label_replace": Signature((VECTOR, TEXT, TEXT, TEXT, TEXT)),
        "pi": Signature((), gives=SCALAR),
        "predict_linear": Signature((RANGE, SCALAR)),
        "quantile_over_time": Signature((SCALAR, RANGE)),
        "round": Signature((VECTOR, SCALAR), 1),
        "scalar": Signature((VECTOR,), gives=SCALAR),
        "time": Signature((), gives=SCALAR),
        "vector": Signature((SCALAR,)),
    }


FUNCTIONS = _signatures()
NOT_SUPPORTED = frozenset(
    {
        "double_exponential_smoothing",
        "histogram_avg",
        "histogram_count",
        "histogram_fraction",
        "histogram_stddev",
        "histogram_stdvar",
        "histogram_sum",
        "holt_winters",
        "info",
        "limit_ratio",
        "limitk",
        "mad_over_time",
        "sort_by_label",
        "sort_by_label_desc",
    }
)
"""Functions and aggregations of Prometheus that are refused by name."""
AGGREGATIONS = {
    "avg": None,
    "bottomk": SCALAR,
    "count": None,
    "count_values": TEXT,
    "group": None,
    "max": None,
    "min": None,
    "quantile": SCALAR,
    "stddev": None,
    "stdvar": None,
    "sum": None,
    "topk": SCALAR,
}
"""By name: the kind of their parameter."""
SETS = ("and", "or", "unless")
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


def kind_of(node: Node) -> str:
    """The kind of value that a node gives."""
    match node:
        case Number():
            return SCALAR
        case Text():
            return TEXT
        case Selector():
            return RANGE if node.span else VECTOR
        case Subquery():
            return RANGE
        case Call():
            return FUNCTIONS[node.name].gives
        case Aggregate():
            return VECTOR
        case Negative():
            return kind_of(node.inner)
        case Binary():
            both = {kind_of(node.left), kind_of(node.right)}
            return SCALAR if both == {SCALAR} else VECTOR
