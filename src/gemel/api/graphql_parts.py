"""What resolvers of GraphQL are given and give: who asks, twins, relationships, moments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphql import (
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLScalarType,
)

from gemel.api.moments import asked_in
from gemel.app.past import Moment, Then
from gemel.core.access import Principal, lacks
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.twins.graph import Graph
from gemel.twins.records import Link, Twin

if TYPE_CHECKING:
    from gemel.app.platform import Platform

    Info = GraphQLResolveInfo[Any]

LARGEST_PAGE = 500
DEFAULT_PAGE = 100


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and the platform as they may see it."""

    platform: Platform
    who: Principal

    def require(self, permission: str) -> None:
        if not self.who.allows(permission):
            raise lacks(self.who.role, permission)


@dataclass(frozen=True, slots=True)
class Part:
    """A twin, or a component of one."""

    twin: Twin
    prefix: str = ""
    then: Then | None = None
    """The moment that is asked about; None is now."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A relationship, of now or of a moment."""

    link: Link
    then: Then | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """One property or telemetry of a twin."""

    twin: str
    path: str
    unit: str
    value: object
    time: int
    quality: int


JSON = GraphQLScalarType("JSON", description="Any JSON value.")
Types = dict[str, GraphQLObjectType]


def caller_of(info: Info) -> Caller:
    found: Caller = info.context
    return found


def graph_of(info: Info, then: Then | None) -> Graph:
    return caller_of(info).platform.graph if then is None else then.graph


def moment_of(info: Info, asked: Json) -> Moment | None:
    """The moment of the arguments `asOf` and `recordedAsOf`; None is now."""
    return asked_in(caller_of(info).platform, {n: v for n, v in asked.items() if v is not None})


async def then_of(info: Info, asked: Json) -> Then | None:
    moment = moment_of(info, asked)
    return None if moment is None else await caller_of(info).platform.moments.then(moment)


def listing(of: Any) -> GraphQLNonNull[Any]:
    return GraphQLNonNull(GraphQLList(GraphQLNonNull(of)))


def size_of(first: int) -> int:
    if not 1 <= first <= LARGEST_PAGE:
        raise InvalidInput(f"first: {first}", hint=f"1 to {LARGEST_PAGE}")
    return first
