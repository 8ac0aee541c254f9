"""Runs one GraphQL operation, bounded in depth, cost and aliases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    execute,
    get_operation_ast,
    parse,
    validate,
)

from gemel.api.graphql_feeds import subscriptions
from gemel.api.graphql_parts import DEFAULT_PAGE, Caller
from gemel.api.graphql_schema import build
from gemel.core.access import Principal
from gemel.core.document import Json
from gemel.core.errors import GemelError, InvalidInput

if TYPE_CHECKING:
    from gemel.app.platform import Platform

DEEPEST = 8
MOST_COST = 5_000
MOST_ALIASES = 30
MOST_CHARACTERS = 100_000
MOST_TOKENS = 5_000
LISTS = frozenset({"twins", "relationships", "incoming", "alarms", "commands"})

_schemas: WeakKeyDictionary[Any, tuple[dict[str, Any], GraphQLSchema]] = WeakKeyDictionary()


def schema_of(platform: Platform) -> GraphQLSchema:
    """The schema of the models there are, built anew after they change."""
    models = platform.graph.models
    known = _schemas.get(platform.policies)
    if known is None or known[0] != models:
        known = (dict(models), build(platform.graph, subscriptions))
        _schemas[platform.policies] = known
    return known[1]


@dataclass(frozen=True, slots=True)
class Prepared:
    """An operation that fits the schema and the limits."""

    schema: GraphQLSchema
    document: DocumentNode
    variables: dict[str, Any]
    name: str | None
    is_subscription: bool


class Unfit(Exception):
    """An operation that cannot be carried out."""

    def __init__(self, errors: list[Json]) -> None:
        super().__init__("the operation cannot be carried out")
        self.errors = errors


def prepare(platform: Platform, body: Json) -> Prepared:
    """Reads an operation and holds it against schema and limits.

    Raises:
        InvalidInput: the request is not of its form.
        Unfit: the operation is not.
    """
    text, variables, name = body["query"], body.get("variables"), body.get("operationName")
    variables = {} if variables is None else variables
    if not isinstance(text, str) or len(text) > MOST_CHARACTERS:
        raise InvalidInput(f"'query' must be a text of at most {MOST_CHARACTERS:,} characters")
    if not isinstance(variables, dict) or not isinstance(name, str | None):
        raise InvalidInput("'variables' must be an object and 'operationName' a text")
    if not isinstance(body.get("extensions"), dict | None):
        raise InvalidInput("'extensions' must be an object")
    schema = schema_of(platform)
    try:
        document = parse(text, max_tokens=MOST_TOKENS)
        problems = validate(schema, document)
        if not problems:
            check_limits(document, variables)
    except GraphQLError as error:
        problems = [error]
    if problems:
        raise Unfit([formatted(one) for one in problems])
    operation = get_operation_ast(document, name)
    is_subscription = operation is not None and operation.operation == OperationType.SUBSCRIPTION
    return Prepared(schema, document, variables, name, is_subscription)


async def run(platform: Platform, who: Principal, body: Json) -> tuple[Json, bool]:
    """The answer to a request, and whether it was one that could be carried out.

    Raises:
        InvalidInput: the request is not of its form.
    """
    try:
        prepared = prepare(platform, body)
        if prepared.is_subscription:
            raise Unfit([{"message": "a subscription needs a WebSocket at /graphql"}])
    except Unfit as unfit:
        return {"errors": unfit.errors}, False
    answer = await answered(prepared, Caller(platform, who))
    return answer, "data" in answer


async def answered(prepared: Prepared, caller: Caller) -> Json:
    """The answer to a query or a mutation."""
    found = execute(
        prepared.schema,
        prepared.document,
        context_value=caller,
        variable_values=prepared.variables,
        operation_name=prepared.name,
    )
    return as_answer(await found if hasattr(found, "__await__") else found)


def as_answer(result: Any) -> Json:
    """The result as JSON; without `data` where nothing was begun, as for a wrong variable."""
    if not result.errors:
        return {"data": result.data}
    errors = [formatted(error) for error in result.errors]
    if result.data is None and all(error.path is None for error in result.errors):
        return {"errors": errors}
    return {"data": result.data, "errors": errors}


def formatted(error: GraphQLError) -> Json:
    """An error with the code and hint it has over REST; what is a surprise says nothing more."""
    found: Json = dict(error.formatted)
    cause = error.original_error
    if isinstance(cause, GemelError):
        found["message"] = cause.message
        found["extensions"] = {"code": cause.code, "hint": cause.hint}
    elif cause is not None and not isinstance(cause, GraphQLError):
        found["message"] = "something failed inside"
        found["extensions"] = {"code": "Internal"}
    return found


# ---- limits ----------------------------------------------------------------------------------


def check_limits(document: DocumentNode, variables: Json) -> None:
    """Refuses what is too deep, too wide or too costly before anything is resolved.

    Raises:
        GraphQLError: names the limit.
    """
    fragments = {
        node.name.value: node
        for node in document.definitions
        if isinstance(node, FragmentDefinitionNode)
    }
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode):
            _Meter(fragments, variables).add(node.selection_set, 1, 1)


class _Meter:
    """Adds up what an operation may cost: a field counts once for each item of the lists above."""

    def __init__(self, fragments: dict[str, FragmentDefinitionNode], variables: Json) -> None:
        self._fragments = fragments
        self._variables = variables
        self._cost = 0
        self._aliases = 0

    def add(self, selection: SelectionSetNode, depth: int, times: int) -> None:
        for node in selection.selections:
            if isinstance(node, FieldNode):
                self._field(node, depth, times)
            elif isinstance(node, FragmentSpreadNode):
                self._count(1)
                self.add(self._fragments[node.name.value].selection_set, depth, times)
            else:
                inner = getattr(node, "selection_set", None)
                if isinstance(inner, SelectionSetNode):
                    self.add(inner, depth, times)

    def _field(self, node: FieldNode, depth: int, times: int) -> None:
        if node.name.value.startswith("__"):
            return  # of the schema, which is no larger than it is
        if depth > DEEPEST:
            raise GraphQLError(f"nested deeper than {DEEPEST}", node)
        self._aliases += node.alias is not None
        if self._aliases > MOST_ALIASES:
            raise GraphQLError(f"more than {MOST_ALIASES} aliases", node)
        self._count(times, node)
        if node.selection_set is not None:
            is_list = node.name.value in LISTS or (depth == 1 and node.name.value == "values")
            many = self._first(node) if is_list else 1
            self.add(node.selection_set, depth + 1, times * many)

    def _count(self, times: int, node: FieldNode | None = None) -> None:
        self._cost += times
        if self._cost > MOST_COST:
            raise GraphQLError(
                f"costs more than {MOST_COST:,}: ask for smaller pages ('first') or fewer fields",
                node,
            )

    def _first(self, node: FieldNode) -> int:
        """How many items a list may have."""
        for argument in node.arguments or ():
            if argument.name.value == "first":
                value: Any = argument.value
                if isinstance(value, IntValueNode):
                    return max(1, int(value.value))
                if isinstance(value, VariableNode):
                    given = self._variables.get(value.name.value)
                    return max(1, given) if isinstance(given, int) else 500
        return DEFAULT_PAGE
