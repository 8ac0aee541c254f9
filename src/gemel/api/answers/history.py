"""What is answered about readings over time."""

from __future__ import annotations

from typing import Annotated, NotRequired, TypedDict

from gemel.api.answers.schema import Value

Span = TypedDict(
    "Span",
    {
        "from": Annotated[float, "Milliseconds since 1970."],
        "to": float,
    },
)


class SeriesHead(TypedDict):
    twin: str
    property: str
    provenance: str
    unit: str | None


class Readings(SeriesHead):
    source: Annotated[str, "raw, m4, or the aggregate of the buckets."]
    time: Annotated[list[float], "Milliseconds since 1970."]
    value: list[float | None]
    quality: NotRequired[list[int]]
    text: NotRequired[Annotated[dict[str, str], "By row, what is no number."]]
    received: NotRequired[list[float]]


class History(Span):
    series: list[Readings]


class SeriesFigures(SeriesHead):
    count: int
    avg: float | None
    min: float | None
    max: float | None
    sum: float | None
    first: float | None
    last: float | None
    sd: float | None


class Statistics(Span):
    value: list[SeriesFigures]


class SeriesLast(SeriesHead):
    value: Value
    time: str | None
    received: NotRequired[str]
    quality: NotRequired[int]


class SeriesNow(SeriesHead):
    quantile: float | None
    value: Value
    time: str
    received: str
    quality: int
