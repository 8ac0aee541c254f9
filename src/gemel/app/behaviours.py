"""How the twins of models behave in a what-if: documents of kind `behaviour`, held to the graph."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from gemel.app.rule_means import NUMBERS, candidates
from gemel.app.signals import Signals
from gemel.core.document import Edit, Json
from gemel.core.errors import InvalidInput, NotFound
from gemel.services.behaviour import Behaviour, behaviours
from gemel.services.behaviour.model import Quantity
from gemel.services.rules.compiler import PropertyShape
from gemel.services.rules.expression import Relation
from gemel.services.rules.measures import compile_formula
from gemel.services.rules.parser import parse_formula
from gemel.services.whatif.attachment import Attachment, read_attachment
from gemel.services.whatif.program import check_moment
from gemel.twins.graph import EditContext, Graph

if TYPE_CHECKING:
    from gemel.app.platform import Platform

KIND = "behaviour"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
NUMBER = PropertyShape("number")


class Names(Mapping[str, PropertyShape]):
    """Names that a formula may use, all plain numbers."""

    def __init__(self, names: set[str]) -> None:
        self._names = names

    def __getitem__(self, name: str) -> PropertyShape:
        if name not in self._names:
            raise KeyError(name)
        return NUMBER

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._names))

    def __len__(self) -> int:
        return len(self._names)


class Behaviours:
    """All attachments, in the order in which they step."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    @property
    def _stored(self) -> dict[str, Json]:
        return self._platform.catalogue.plain[KIND]

    def documents(self) -> list[Json]:
        """In the order in which they step."""
        found = sorted(self._stored.items(), key=lambda one: (one[1].get("order", 0), one[0]))
        return [{"id": key, **{n: v for n, v in doc.items() if n != "order"}} for key, doc in found]

    def document(self, key: str) -> Json:
        """One of them.

        Raises:
            NotFound: there is none.
        """
        for doc in self.documents():
            if doc["id"] == key:
                return doc
        raise NotFound(f"there is no behaviour '{key}'", hint="GET /behaviours lists them")

    def view(self, doc: Json) -> Json:
        """With every parameter in full: value, spread, bounds, unit; and the twins it is of."""
        one = read_attachment(doc["id"], doc, self._platform.foreign.entries())
        twins = self._platform.services.runs.plant.twins_of(one.model)
        return {
            **doc,
            "title": one.title,
            "twins": doc.get("twins", {}),
            "of": twins,
            "parameters": {
                name: {
                    "value": amount.value,
                    "spread": amount.spread,
                    "low": _finite(amount.low),
                    "high": _finite(amount.high),
                    "unit": amount.unit,
                    "about": amount.about,
                }
                for name, amount in one.parameters.items()
            },
        }

    async def put(self, key: str, body: Json, who: str) -> Json:
        """Makes or changes one.

        Raises:
            InvalidInput: names the place, the rule and the way out.
            NotFound: there is no such model or behaviour.
        """
        await self._platform.edit(
            lambda graph, context: (self.plan(graph, context, {key: body}), None), who, "behaviour"
        )
        return self.view(self.document(key))

    async def delete(self, key: str, who: str) -> None:
        """Forgets one.

        Raises:
            NotFound: there is none.
        """
        self.document(key)
        await self._platform.put(KIND, key, None, who, "behaviour deleted")

    def plan(
        self, graph: Graph, context: EditContext, given: Mapping[str, Json],
        settings: Mapping[str, Json] | None = None,
    ) -> list[Edit]:  # fmt: skip
        """The edits that make or change them; one that has not changed is left alone."""
        foreign = self._platform.foreign.entries()
        read = {key: _read(key, doc, foreign) for key, doc in given.items()}
        every = {
            key: _read(key, doc, foreign) for key, doc in self._stored.items() if key not in given
        }
        signals = self._platform.catalogue.signals_with(graph, {"settings": settings or {}})
        check = _Check(graph, signals, [*every.values(), *read.values()])
        stored = self._stored
        following = 1 + max((int(d.get("order", 0)) for d in stored.values()), default=-1)
        edits = []
        for key, body in given.items():
            check.one(read[key])
            doc = {name: value for name, value in body.items() if name not in ("id", "of")}
            doc["order"] = stored[key].get("order", 0) if key in stored else following
            following += key not in stored
            if stored.get(key) != doc:
                edits.append(context.edit(KIND, key, doc))
        return edits


def _read(key: str, doc: Json, foreign: Mapping[str, Json]) -> Attachment:
    if not NAME.fullmatch(key):
        raise InvalidInput(f"behaviour '{key}': is no id", hint="letters, digits, '.', '_', '-'")
    plain = {n: v for n, v in doc.items() if n not in ("id", "of")}
    return read_attachment(key, plain, foreign)


class _Check:
    """Holds formulas to what models have, with what attachments add to it."""

    def __init__(self, graph: Graph, signals: Signals, attachments: list[Attachment]) -> None:
        self._graph, self._signals = graph, signals
        self._attachments = attachments

    def _names(self, model: str) -> set[str]:
        found = {
            path
            for path, signal in self._signals.of(model).items()
            if signal.schema.kind in NUMBERS
        }
        for one in self._attachments:
            if self._signals.is_a(model, one.model) or self._signals.is_a(one.model, model):
                found |= {*one.parameters, *one.outputs}
        return found

    def one(self, found: Attachment) -> None:
        place = f"behaviour '{found.id}'"
        if self._graph.find_model(found.model) is None:
            raise NotFound(
                f"{place}: there is no model '{found.model}'",
                hint="GET /models lists them",
                code="ModelNotFound",
            )
        own = self._names(found.model)
        made = {q.name for q in found.behaviour.outputs} if found.behaviour else set()
        for what, formulas, names in (
            ("inputs", found.inputs, own),
            ("start", found.start, own),
            ("outputs", found.outputs, own | made),
        ):
            for name, formula in formulas.items():
                if isinstance(formula, str):
                    self._formula(f"{place}: {what}.{name}", formula, names, found.model)

    def _formula(self, place: str, formula: str, names: set[str], model: str) -> None:
        def kin(relation: Relation) -> Names | None:
            models = candidates(self._graph, relation, model)
            if models is None:
                return None
            return Names({name for one in models for name in self._names(one)})

        try:
            inner, _ = compile_formula(parse_formula(formula, place), Names(names), kin)
        except InvalidInput as error:
            raise InvalidInput(f"{place}: {error.message}", hint=error.hint) from error
        check_moment(place, inner)


# ---- the models there are ------------------------------------------------------------------------


def known_behaviours() -> list[Json]:
    """Every model of behaviour that can be attached, with units and bounds."""
    return [_kind(one) for one in behaviours().values()]


def _kind(one: Behaviour) -> Json:
    return {
        "behaviour": one.name,
        "title": one.title,
        "about": one.about,
        "fidelity": one.fidelity,
        "source": one.source,
        "parameters": [_quantity(q) for q in one.parameters],
        "inputs": [_quantity(q) for q in one.inputs],
        "states": [_quantity(q) for q in one.states],
        "outputs": [_quantity(q) for q in one.outputs],
    }


def _quantity(one: Quantity) -> Json:
    return {
        "name": one.name,
        "unit": one.unit,
        "about": one.about,
        "value": one.value,
        "low": _finite(one.low),
        "high": _finite(one.high),
    }


def _finite(value: float) -> float | None:
    return value if abs(value) != float("inf") else None
