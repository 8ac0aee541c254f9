"""Runs one GraphQL operation, bounded in depth, cost and aliases."""

from __future__ import annotations

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
    SelectionSetNode,
    VariableNode,
    execute,
    parse,
    validate,
)

from gemel.api.graphql_schema import DEFAULT_PAGE, Caller, build
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
        known = (dict(models), build(platform.graph))
        _schemas[platform.policies] = known
    return known[1]


async def run(platform: Platform, who: Principal, body: Json) -> tuple[Json, bool]:
    """The answer to a request, and whether it was one that could be carried out.

    Raises:
        InvalidInput: the request is not of its form.
    """
    text, variables = body["query"], body.get("variables") or {}
    name = body.get("operationName")
    if not isinstance(text, str) or len(text) > MOST_CHARACTERS:
        raise InvalidInput(f"'query' must be a text of at most {MOST_CHARACTERS:,} characters")
    if not isinstance(variables, dict) or not isinstance(name, str | None):
        raise InvalidInput("'variables' must be an object and 'operationName' a text")
    schema = schema_of(platform)
    try:
        document = parse(text, max_tokens=MOST_TOKENS)
        problems = validate(schema, document)
        if not problems:
            check_limits(document, variables)
    except GraphQLError as error:
        problems = [error]
    if problems:
        return {"errors": [formatted(p) for p in problems]}, False
    found = execute(
        schema,
        document,
        context_value=Caller(platform, who),
        variable_values=variables,
        operation_name=name,
    )
    result: Any = await found if hasattr(found, "__await__") else found
    answer: Json = {"data": result.data}
    if result.errors:
        answer["errors"] = [formatted(error) for error in result.errors]
    return answer, True


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
            many = self._first(node) if node.name.value in LISTS else 1
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
