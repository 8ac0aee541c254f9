"""Plans edits of relationships: put, patch, delete."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gemel.core.document import Edit, Json
from gemel.core.errors import InvalidInput, TwinInvalid
from gemel.twins.dtdl.interface import Relationship
from gemel.twins.graph import EditContext, Graph
from gemel.twins.patch import apply_operation, patch_invalid, read_patch
from gemel.twins.records import Link, Twin, make_link, relationship_key
from gemel.twins.validate import check_id, check_match, property_problems, refuse

READ_ONLY = ("$relationshipId", "$sourceId", "$etag")
"""What the path of the request says; in a body it is ignored."""


def put_relationship(
    graph: Graph,
    context: EditContext,
    source: str,
    relationship: str,
    body: object,
    *,
    if_match: str | None = None,
    if_none_match: str | None = None,
) -> tuple[list[Edit], Link]:
    """Makes a relationship or replaces it whole.

    Returns:
        The edits, and the relationship as it will be.

    Raises:
        NotFound: there is no such source twin.
        InvalidInput: the body is not an object, or the id cannot be one.
        TwinInvalid: the source's model does not allow it, or there is no such target.
        PreconditionFailed: a condition does not hold.
    """
    check_id(relationship, "relationship")
    what = _name(source, relationship)
    twin = graph.twin(source)
    if not isinstance(body, dict):
        raise InvalidInput(
            f"{what}: the body must be a JSON object",
            hint='like {"$relationshipName": "contains", "$targetId": "pump-1"}',
        )
    old = graph.find_relationship(source, relationship)
    check_match(old.etag if old else None, if_match, if_none_match, what)
    values = {name: value for name, value in body.items() if name not in READ_ONLY}
    name, target = values.pop("$relationshipName", None), values.pop("$targetId", None)
    if not isinstance(name, str) or not isinstance(target, str):
        missing = "$targetId" if isinstance(name, str) else "$relationshipName"
        raise _invalid(what, f"'{missing}' is missing or not a text")
    kind = _kind(graph, twin, name, what)
    end = _check_target(graph, kind, target, what)
    _check_number(graph, kind, source, relationship, what)
    return _planned(context, twin.id, relationship, kind, end.id, values)


def patch_relationship(
    graph: Graph,
    context: EditContext,
    source: str,
    relationship: str,
    body: Sequence[Any],
    *,
    if_match: str | None = None,
) -> tuple[list[Edit], Link]:
    """Applies a JSON Patch to the properties of a relationship.

    Raises:
        NotFound: there is no such source or relationship.
        InvalidInput: the patch is malformed, or changes an end or the name.
        TwinInvalid: a value breaks the model.
        PreconditionFailed: `if_match` does not hold.
    """
    link = graph.relationship(source, relationship)
    what = _name(source, relationship)
    check_match(link.etag, if_match, None, what)
    operations = read_patch(body)
    if not operations:
        return [], link
    values = link.properties
    for operation in operations:
        if operation.path[0].startswith("$"):
            raise patch_invalid(
                f"{what}: '{operation.pointer}' cannot be changed",
                "delete the relationship and make another one",
            )
        apply_operation(values, operation)
    kind = _kind(graph, graph.twin(source), link.name, what)
    return _planned(context, source, relationship, kind, link.target, values)


def delete_relationship(
    graph: Graph,
    context: EditContext,
    source: str,
    relationship: str,
    *,
    if_match: str | None = None,
) -> tuple[list[Edit], None]:
    """Deletes a relationship.

    Raises:
        NotFound: there is no such source or relationship.
        PreconditionFailed: `if_match` does not hold.
    """
    link = graph.relationship(source, relationship)
    check_match(link.etag, if_match, None, _name(source, relationship))
    return [context.edit("relationship", link.key, None)], None


def _kind(graph: Graph, twin: Twin, name: str, what: str) -> Relationship:
    """What the source's model says about relationships of this name."""
    interface = graph.find_model(twin.model)
    if interface is None:
        raise _invalid(
            what,
            f"the model '{twin.model}' of the source was deleted",
            "POST it to /models again, or give the twin another one at $metadata.$model",
        )
    kind = interface.contents.get(name)
    if not isinstance(kind, Relationship):
        known = ", ".join(interface.relationships()) or "none"
        raise _invalid(
            what, f"'{interface.id}' has no relationship '{name[:200]}' (it has: {known[:300]})"
        )
    return kind


def _check_target(graph: Graph, kind: Relationship, target: str, what: str) -> Twin:
    twin = graph.find_twin(target)
    if twin is None:
        raise _invalid(what, f"there is no target twin '{target[:200]}'", "make that twin first")
    is_known = graph.find_model(twin.model) is not None
    if kind.target and is_known and not graph.is_of_model(twin, kind.target):
        raise _invalid(
            what,
            f"'{kind.name}' must point at a '{kind.target}'; '{target}' is a '{twin.model}'",
            "choose another target, or change the target in the source's model",
        )
    return twin


def _check_number(
    graph: Graph, kind: Relationship, source: str, relationship: str, what: str
) -> None:
    if kind.maximum is None:
        return
    others = [
        link.id
        for link in graph.outgoing(source)
        if link.name == kind.name and link.id != relationship
    ]
    if len(others) >= kind.maximum:
        raise _invalid(
            what,
            f"twin '{source}' may have at most {kind.maximum} '{kind.name}', and has "
            + ", ".join(f"'{name}'" for name in others[:10]),
            "delete one of those first",
        )


def _planned(
    context: EditContext,
    source: str,
    relationship: str,
    kind: Relationship,
    target: str,
    values: Json,
) -> tuple[list[Edit], Link]:
    if problems := property_problems(kind, values):
        refuse(problems, _name(source, relationship), "Invalid relationship specified")
    doc = {
        "$relationshipId": relationship,
        "$sourceId": source,
        "$relationshipName": kind.name,
        "$targetId": target,
        **values,
    }
    etag = context.new_etag()
    link = make_link(doc, etag)
    key = relationship_key(source, relationship)
    return [context.edit("relationship", key, doc, etag, made=link)], link


def _name(source: str, relationship: str) -> str:
    return f"relationship '{relationship}' of twin '{source}'"


def _invalid(what: str, problem: str, hint: str = "") -> TwinInvalid:
    return TwinInvalid(
        f"Invalid relationship specified: {what}: {problem}",
        hint=hint,
        details=[{"code": "ValidationFailed", "message": problem}],
    )
