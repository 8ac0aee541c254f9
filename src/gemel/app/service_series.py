"""Which series a service writes: two may not write the same one of the same twin."""

from __future__ import annotations

from collections.abc import Mapping

from gemel.app.rule_means import NUMBERS
from gemel.app.service_documents import outputs_of
from gemel.app.signals import Signals
from gemel.core.document import Json
from gemel.core.errors import Conflict
from gemel.services.contract import Instance, Signal
from gemel.services.registry import kind_of, kinds
from gemel.twins.graph import Graph


def check_series(
    key: str, document: Json, others: Mapping[str, Json], graph: Graph, signals: Signals
) -> None:
    """Holds an instance against the others, on the models and twins of a draft.

    Raises:
        Conflict: another service writes the same series of the same twins; names it.
    """
    for other, theirs in others.items():
        if other == key or theirs["kind"] not in kinds():
            continue
        for model in _shared_models(document, theirs, graph):
            same = _written(document, model, signals) & _written(theirs, model, signals)
            if same:
                is_own = kind_of(document["kind"]).own_outputs is not None
                raise Conflict(
                    f"service '{key}' would write {min(same)} of the same twins as '{other}'",
                    hint=f"give it other 'signals' or other twins, or change '{other}'"
                    if is_own
                    else "give it a name of its own with 'as', such as: as: second",
                )


def _shared_models(one: Json, other: Json, graph: Graph) -> set[str]:
    """The models of twins that both are of."""
    found = list(graph.all_twins().values())
    for document in (one, other):
        model, named = document.get("model"), frozenset(document.get("twins") or ())
        found = [t for t in found if (graph.is_of_model(t, model) if model else t.id in named)]
    models = {model for t in found if (model := graph.model_of(t.id))}
    is_same = one.get("model") and one.get("model") == other.get("model")
    return models | {str(one["model"])} if is_same else models


def _written(document: Json, model: str, signals: Signals) -> set[str]:
    """The series that an instance writes of a twin of a model."""
    kind, parameters = kind_of(document["kind"]), document["parameters"]
    if kind.own_outputs is None:
        return {one.name for one in outputs_of(document)}
    read = tuple(
        signal
        for path, known in signals.of(model).items()
        if known.schema.kind in NUMBERS and kind.reads(signal := Signal("", path), parameters)
    )
    own = kind.own_outputs(Instance("", kind.name, ("",), parameters, read))
    return {one.name for one in own} & {one.path for one in read}
