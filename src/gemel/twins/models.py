"""Plans edits of models, and shows models in the Azure Digital Twins form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gemel.core.clock import to_iso
from gemel.core.document import Edit, Json
from gemel.core.errors import Conflict, InvalidInput, ModelInvalid
from gemel.twins.dtdl.interface import (
    Component,
    Content,
    Interface,
    Property,
    Relationship,
    Telemetry,
)
from gemel.twins.dtdl.parser import parse
from gemel.twins.graph import EditContext, Graph
from gemel.twins.patch import patch_invalid, read_patch
from gemel.twins.records import ModelRecord

MOST_NAMES = 10


def add_models(
    graph: Graph, context: EditContext, documents: object
) -> tuple[list[Edit], list[Json]]:
    """Adds models, all or none.

    Returns:
        The edits, and the models as they are shown, in the order given.

    Raises:
        InvalidInput: not a list, or an empty one.
        ModelInvalid: the models break DTDL, or refer to models that are not there.
        Conflict: one has the id of a model that is there.
    """
    if not isinstance(documents, list) or not documents:
        raise InvalidInput("no models were given", hint="send a JSON array of DTDL interfaces")
    for document in documents:
        _refuse_existing(graph, document)
    known = {key: graph.model(key) for key in graph.model_ids()}
    parsed = parse(documents, known)
    _refuse_inline(parsed, documents)
    graph.stage(parsed)
    record_of = {
        document["@id"]: ModelRecord(document, False, to_iso(context.now)) for document in documents
    }
    edits = [context.edit("model", key, record.doc()) for key, record in record_of.items()]
    shown = [
        model_view(parsed[document["@id"]], record_of[document["@id"]]) for document in documents
    ]
    return edits, shown


def _refuse_existing(graph: Graph, document: object) -> None:
    if not isinstance(document, dict):
        raise ModelInvalid(
            f"a model must be a JSON object, not {type(document).__name__}",
            hint='like {"@id": "dtmi:...;1", "@type": "Interface", "@context": ...}',
        )
    model_id = document.get("@id")
    if isinstance(model_id, str) and graph.find_model(model_id) is not None:
        raise Conflict(
            f"the model '{model_id}' is there already",
            hint="give the changed model the next version number, or delete the old one first",
            code="ModelIdAlreadyExists",
        )


def _refuse_inline(parsed: dict[str, Interface], documents: list[Json]) -> None:
    """Every model is one document, so that it can be read, replaced and deleted by its id."""
    inline = sorted(parsed.keys() - {document["@id"] for document in documents})
    if inline:
        raise ModelInvalid(
            f"the model '{inline[0]}' is written inside another one",
            hint="send it as a model of its own in the same array, and name its id there",
        )


def patch_model(
    graph: Graph, context: EditContext, model_id: str, body: Sequence[Any]
) -> tuple[list[Edit], None]:
    """Takes a JSON Patch that sets `/decommissioned`.

    Raises:
        NotFound: there is no such model.
        InvalidInput: the patch changes anything else.
    """
    graph.model(model_id)
    wanted: bool | None = None
    for operation in read_patch(body):
        if operation.path != ("decommissioned",) or operation.op == "remove":
            raise patch_invalid(
                f"'{operation.op}' of '{operation.pointer}' is not possible for a model",
                "only /decommissioned can be replaced; changed models are new versions",
            )
        if not isinstance(operation.value, bool):
            raise patch_invalid("'/decommissioned' must be true or false")
        wanted = operation.value
    return decommission(graph, context, model_id, wanted) if wanted is not None else ([], None)


def decommission(
    graph: Graph, context: EditContext, model_id: str, is_decommissioned: bool = True
) -> tuple[list[Edit], None]:
    """Forbids (or allows again) new twins of a model; those that are there live on."""
    graph.model(model_id)
    record = graph.find_record(model_id)
    assert record is not None, "every model has a record"
    if record.is_decommissioned == is_decommissioned:
        return [], None
    changed = ModelRecord(record.definition, is_decommissioned, record.upload_time)
    return [context.edit("model", model_id, changed.doc())], None


def delete_model(graph: Graph, context: EditContext, model_id: str) -> tuple[list[Edit], None]:
    """Deletes a model; its twins stay, and can be given another one.

    Raises:
        NotFound: there is no such model.
        Conflict: other models extend it or have it as a component.
    """
    graph.model(model_id)
    referrers = sorted(
        key
        for key in graph.model_ids()
        if key != model_id and model_id in graph.model(key).dependencies()
    )
    if referrers:
        names = ", ".join(f"'{name}'" for name in referrers[:MOST_NAMES])
        more = f" and {len(referrers) - MOST_NAMES} more" if referrers[MOST_NAMES:] else ""
        raise Conflict(
            f"the model '{model_id}' cannot be deleted: {names}{more} refer to it",
            hint="delete those first",
            code="ModelReferencesNotDeleted",
        )
    return [context.edit("model", model_id, None)], None


def with_dependencies(graph: Graph, model_ids: Iterable[str]) -> set[str]:
    """These models and all they need, at any distance.

    Raises:
        NotFound: one of them is not there.
    """
    found: set[str] = set()
    waiting = list(model_ids)
    for model_id in waiting:
        if model_id not in found:
            found.add(model_id)
            waiting.extend(graph.model(model_id).dependencies())
    return found


def model_view(interface: Interface, record: ModelRecord, with_definition: bool = False) -> Json:
    """The Azure Digital Twins form of a model."""
    shown: Json = {
        "id": interface.id,
        "displayName": interface.display_name,
        "description": interface.description,
        "uploadTime": record.upload_time,
        "decommissioned": record.is_decommissioned,
    }
    if with_definition:
        shown["model"] = record.definition
    return shown


def contents_view(interface: Interface) -> Json:
    """All contents of a model, inherited ones too (`includeBaseModelContents`)."""

    def of(kind: type[Content]) -> dict[str, Json]:
        return {
            name: {"displayName": content.display_name, "description": content.description}
            for name, content in interface.contents.items()
            if isinstance(content, kind)
        }

    return {
        "bases": sorted(interface.bases - {interface.id}),
        "properties": of(Property),
        "telemetries": of(Telemetry),
        "relationships": of(Relationship),
        "components": of(Component),
    }
