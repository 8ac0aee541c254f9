"""Plans edits of twins: put, patch, delete, components, and values asked of the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson

from gemel.core.clock import to_iso
from gemel.core.document import Edit, Json
from gemel.core.errors import Conflict, InvalidInput, NotFound, TwinInvalid
from gemel.twins.dtdl.interface import Component, Interface, Property
from gemel.twins.fitting import plan_of
from gemel.twins.graph import EditContext, Graph
from gemel.twins.patch import Operation, apply_operation, patch_invalid, read_patch
from gemel.twins.records import Twin, make_twin
from gemel.twins.validate import (
    check_id,
    check_match,
    is_time,
    refuse,
    twin_problems,
)

_text_of = lru_cache(maxsize=4)(to_iso)
"""All edits of one plan are of the same moment."""
COMPUTED = ("$dtId", "$etag")
"""What a client may send back as it was read, and what is then ignored."""
MODEL_PATH = ("$metadata", "$model")
MOST_NAMES = 10


def put_twin(
    graph: Graph,
    context: EditContext,
    twin_id: str,
    body: object,
    *,
    if_match: str | None = None,
    if_none_match: str | None = None,
) -> tuple[list[Edit], Twin]:
    """Makes a twin or replaces it whole; what was asked of the device stays if it still fits.

    Returns:
        The edits, and the twin as it will be.

    Raises:
        InvalidInput: the body is not an object, or the id cannot be one.
        TwinInvalid: it breaks its model, or has none.
        PreconditionFailed: a condition does not hold.
    """
    check_id(twin_id, "twin")
    if not isinstance(body, dict):
        raise InvalidInput(
            f"twin '{twin_id}': the body must be a JSON object",
            hint='like {"$metadata": {"$model": "dtmi:...;1"}, "name": "..."}',
        )
    old = graph.find_twin(twin_id)
    check_match(old.etag if old else None, if_match, if_none_match, f"twin '{twin_id}'")
    interface = _interface_for(graph, twin_id, body, old)
    doc = {name: value for name, value in body.items() if name not in COMPUTED}
    _refuse_foreign_fields(doc, twin_id)
    if problems := twin_problems(interface, doc, graph.find_model):
        refuse(problems, f"twin '{twin_id}'", "Invalid twin specified")
    _stamp(graph, interface, doc, _text_of(context.now), None)
    if old is not None:
        _keep_desired(graph, interface, old.doc.get("$desired", {}), doc)
        _check_links(graph, old, interface)
    return _planned(context, twin_id, doc)


def patch_twin(
    graph: Graph,
    context: EditContext,
    twin_id: str,
    body: Sequence[Any],
    *,
    if_match: str | None = None,
    component: str = "",
) -> tuple[list[Edit], Twin]:
    """Applies a JSON Patch to a twin, or to one of its components.

    Raises:
        NotFound: there is no such twin or component.
        InvalidInput: the patch is malformed, or changes what is computed.
        TwinInvalid: the twin would break its model.
        PreconditionFailed: `if_match` does not hold.
    """
    twin = graph.twin(twin_id)
    check_match(twin.etag, if_match, None, f"twin '{twin_id}'")
    if component:
        require_component(graph, twin, component)
    operations = read_patch(body)
    if not operations:
        return [], twin
    doc = twin.doc
    old_model = doc["$metadata"]["$model"]
    prefix = (component,) if component else ()
    touched = {prefix + operation.path for operation in operations}
    for operation in operations:
        _apply(doc, Operation(operation.op, prefix + operation.path, operation.value))
    interface = _interface_for(graph, twin_id, doc, twin)
    refuse(
        twin_problems(interface, doc, graph.find_model), f"twin '{twin_id}'", "Invalid twin patch"
    )
    _stamp(graph, interface, doc, _text_of(context.now), touched)
    if interface.id != old_model:
        _keep_desired(graph, interface, doc.pop("$desired", {}), doc)
        _check_links(graph, twin, interface)
    return _planned(context, twin_id, doc)


def delete_twin(
    graph: Graph, context: EditContext, twin_id: str, *, if_match: str | None = None
) -> tuple[list[Edit], None]:
    """Deletes a twin without relationships.

    Raises:
        NotFound: there is no such twin.
        Conflict: it still has relationships.
        PreconditionFailed: `if_match` does not hold.
    """
    twin = graph.twin(twin_id)
    check_match(twin.etag, if_match, None, f"twin '{twin_id}'")
    links = graph.outgoing(twin_id) + graph.incoming(twin_id)
    if links:
        names = ", ".join(
            f"'{link.id}' ({link.source} -{link.name}-> {link.target})"
            for link in links[:MOST_NAMES]
        )
        more = f" and {len(links) - MOST_NAMES} more" if links[MOST_NAMES:] else ""
        raise Conflict(
            f"twin '{twin_id}' cannot be deleted: it still has the relationships {names}{more}",
            hint="delete those first",
            code="RelationshipsNotDeleted",
        )
    return [context.edit("twin", twin_id, None)], None


def ask_desired(
    graph: Graph, context: EditContext, twin_id: str, values: Mapping[str, object]
) -> tuple[list[Edit], Json]:
    """Notes what is asked of the device; None takes an entry back.

    Returns:
        The edits, and all that is asked of it now.

    Raises:
        NotFound: there is no such twin.
        TwinInvalid: a path is not a writable property, or a value has not its type.
    """
    twin = graph.twin(twin_id)
    interface = _model_of(graph, twin_id, twin.model)
    problems: list[str] = []
    doc = twin.doc
    desired: Json = dict(doc.pop("$desired", {}))
    for path, value in values.items():
        problems += desired_problems(graph, interface, path, value)
        if value is None:
            desired.pop(path, None)
        else:
            desired[path] = value
    refuse(problems, f"twin '{twin_id}'", "Invalid desired values")
    if desired:
        doc["$desired"] = desired
    return [context.edit("twin", twin_id, doc, twin.etag)], desired


def desired_problems(graph: Graph, interface: Interface, path: str, value: object) -> list[str]:
    """Why a value cannot be asked for; None (take it back) always can."""
    found = find_property(graph, interface, path)
    if value is None:
        return []
    if found is None:
        known = ", ".join(n for n, p in interface.properties().items() if p.writable) or "none"
        return [f"{path}: '{interface.id}' has no such property (writable ones: {known})"]
    if not found.writable:
        return [f"{path}: the model does not say that this property is writable"]
    return found.schema.check(value, path)


def find_property(graph: Graph, interface: Interface, path: str) -> Property | None:
    """The property at a path; a dotted path leads through components."""
    name, _, rest = path.partition(".")
    content = interface.contents.get(name)
    if not rest:
        return content if isinstance(content, Property) else None
    if isinstance(content, Component):
        inner = graph.find_model(content.schema)
        return None if inner is None else find_property(graph, inner, rest)
    return None


def require_component(graph: Graph, twin: Twin, component: str) -> Interface | None:
    """The interface of a twin's component; None if the twin's model was deleted.

    Raises:
        NotFound: the twin has no such component.
    """
    interface = graph.find_model(twin.model)
    if interface is None:
        value = twin.doc.get(component)
        if isinstance(value, dict) and "$metadata" in value:
            return None
        known = "unknown, as its model was deleted"
    else:
        content = interface.contents.get(component)
        if isinstance(content, Component):
            return graph.find_model(content.schema)
        known = ", ".join(interface.components()) or "none"
    raise NotFound(
        f"twin '{twin.id}' has no component '{component}'",
        hint=f"its components: {known}",
        code="ComponentNotFound",
    )


def _interface_for(graph: Graph, twin_id: str, doc: Json, old: Twin | None) -> Interface:
    """The interface that the document names, which a new twin must still be allowed to have."""
    metadata = doc.get("$metadata")
    model_id = metadata.get("$model") if isinstance(metadata, dict) else None
    if not isinstance(model_id, str):
        raise TwinInvalid(
            f"Invalid twin specified: twin '{twin_id}' does not say its model",
            hint='add "$metadata": {"$model": "dtmi:...;1"}',
            details=[{"code": "ValidationFailed", "message": "$metadata.$model is missing"}],
        )
    interface = _model_of(graph, twin_id, model_id)
    record = graph.find_record(model_id)
    is_new = old is None or old.model != model_id
    if is_new and record is not None and record.is_decommissioned:
        raise TwinInvalid(
            f"Invalid twin specified: the model '{model_id}' of twin '{twin_id}' is decommissioned",
            hint="use a newer version of it",
            code="ModelDecommissioned",
        )
    return interface


def _model_of(graph: Graph, twin_id: str, model_id: str) -> Interface:
    interface = graph.find_model(model_id)
    if interface is None:
        raise TwinInvalid(
            f"Invalid twin specified: there is no model '{model_id[:200]}' for twin '{twin_id}'",
            hint="POST it to /models, or give the twin another one at $metadata.$model",
            details=[{"code": "ValidationFailed", "message": f"model {model_id[:200]} is unknown"}],
        )
    return interface


def _refuse_foreign_fields(doc: Json, twin_id: str) -> None:
    for name in doc:
        if name.startswith("$") and name != "$metadata":
            raise TwinInvalid(
                f"Invalid twin specified: twin '{twin_id}': '{name}' is not a field of a twin",
                hint="only $dtId, $etag and $metadata begin with $",
            )


def _apply(doc: Json, operation: Operation) -> None:
    """Does one operation; of what begins with `$` only the model and source times can change."""
    path = operation.path
    if "$metadata" not in path:
        if path[0].startswith("$"):
            raise patch_invalid(f"'{operation.pointer}' is computed and cannot be changed")
        apply_operation(doc, operation)
        return
    at = path.index("$metadata")
    rest = path[at + 1 :]
    if path == MODEL_PATH and operation.op != "remove":
        apply_operation(doc, operation)
    elif len(rest) == 2 and rest[1] == "sourceTime":
        if operation.op != "remove" and not is_time(operation.value):
            raise patch_invalid(f"'{operation.pointer}' must be an ISO 8601 time of 1970 to 2262")
        if operation.op == "add":  # the property may be new in this very patch
            container: Any = doc
            for part in path[: at + 1]:
                container = container.get(part) if isinstance(container, dict) else None
            if isinstance(container, dict):
                container.setdefault(rest[0], {})
        apply_operation(doc, operation)
    else:
        raise patch_invalid(
            f"'{operation.pointer}' cannot be changed",
            "of $metadata only $model and {property}/sourceTime can",
        )


def _stamp(
    graph: Graph,
    interface: Interface,
    container: Json,
    now: str,
    touched: set[tuple[str, ...]] | None,
    path: tuple[str, ...] = (),
) -> None:
    """Rewrites `$metadata` of a twin or component: what was touched was updated now.

    Args:
        touched: the paths of a patch; None if everything here is new.
    """
    if touched is not None and path and path in touched:
        touched = None  # the whole component was set
    given = container.get("$metadata", {})
    if touched is None and not path and len(given) == 1 and not plan_of(interface).components:
        one = {"lastUpdateTime": now}
        entries = dict.fromkeys([n for n in container if n != "$metadata"], one)
        container["$metadata"] = {"$model": given["$model"], "$lastUpdateTime": now, **entries}
        return
    entries = {}
    for name, value in container.items():
        content = interface.contents.get(name)
        inner = (*path, name)
        if isinstance(content, Component):
            model = graph.find_model(content.schema)
            assert model is not None, "validation has seen to it"
            _stamp(graph, model, value, now, touched, inner)
        elif isinstance(content, Property):
            is_timed = touched is None or (*path, "$metadata", name, "sourceTime") in touched
            is_new = is_timed or any(t[: len(inner)] == inner for t in touched or ())
            entries[name] = _entry(given.get(name), now, is_new, is_timed)
    is_old = touched is not None and not any(t[: len(path)] == path for t in touched)
    metadata: Json = {} if path else {"$model": given["$model"]}
    metadata["$lastUpdateTime"] = given.get("$lastUpdateTime", now) if is_old else now
    container["$metadata"] = metadata | entries


def _entry(given: object, now: str, is_new: bool, is_timed: bool) -> Json:
    """The metadata of one property; a source time goes when only the value was changed."""
    old = given if isinstance(given, dict) else {}
    if not is_new and "lastUpdateTime" in old:
        return old
    entry: Json = {"lastUpdateTime": now}
    if is_timed and old.get("sourceTime"):
        entry["sourceTime"] = old["sourceTime"]
    return entry


def _keep_desired(graph: Graph, interface: Interface, desired: Json, doc: Json) -> None:
    """Carries over what was asked of the device as far as the model still has it."""
    kept = {
        path: value
        for path, value in desired.items()
        if not desired_problems(graph, interface, path, value)
    }
    if kept:
        doc["$desired"] = kept


def _check_links(graph: Graph, old: Twin, interface: Interface) -> None:
    """A twin that changes its model must still fit the relationships it has."""
    if old.model == interface.id:
        return
    problems = []
    for link in graph.outgoing(old.id):
        if link.name not in interface.relationships():
            problems.append(f"relationship '{link.id}': '{interface.id}' has no '{link.name}'")
    for link in graph.incoming(old.id):
        source = graph.find_twin(link.source)
        model = graph.find_model(source.model) if source is not None else None
        relationship = None if model is None else model.relationships().get(link.name)
        if relationship and relationship.target and relationship.target not in interface.bases:
            problems.append(
                f"relationship '{link.id}' of twin '{link.source}': '{link.name}' "
                f"must point at a '{relationship.target}'"
            )
    refuse(problems, f"twin '{old.id}'", "Its relationships do not fit the new model")


def _planned(context: EditContext, twin_id: str, doc: Json) -> tuple[list[Edit], Twin]:
    etag = context.new_etag()
    encoded = orjson.dumps(doc)
    twin = make_twin(twin_id, doc, etag, encoded)
    return [context.edit("twin", twin_id, doc, etag, encoded, twin)], twin


def move_twin(
    graph: Graph, context: EditContext, twin: Twin, interface: Interface, doc: Json
) -> tuple[list[Edit], Twin]:
    """Gives a twin another model with a document that was made for it; times of values stay.

    Raises:
        TwinInvalid: the document or the twin's relationships do not fit the model.
    """
    what = f"twin '{twin.id}'"
    refuse(twin_problems(interface, doc, graph.find_model), what, "Invalid twin specified")
    desired = doc.pop("$desired", {})
    _stamp(graph, interface, doc, _text_of(context.now), {MODEL_PATH})
    _keep_desired(graph, interface, desired, doc)
    _check_links(graph, twin, interface)
    return _planned(context, twin.id, doc)


def move_back(
    graph: Graph, context: EditContext, twin: Twin, interface: Interface, before: Json, etag: str
) -> tuple[list[Edit], Twin]:
    """Gives a twin its old model and document back, if it was not changed since.

    Args:
        before: the document of then.
        etag: what the twin had when it was moved.

    Raises:
        Conflict: it was changed since.
        TwinInvalid: its relationships do not fit the old model.
    """
    if twin.etag != etag:
        raise Conflict("it was changed after it was moved", hint="change its model by hand")
    _check_links(graph, twin, interface)
    return _planned(context, twin.id, before)
