"""Parses DTDL documents into interfaces, or says everything that is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gemel.core.document import Json
from gemel.core.errors import ModelInvalid
from gemel.twins.dtdl.build import Builder
from gemel.twins.dtdl.elements import Element, Problems
from gemel.twins.dtdl.interface import Interface
from gemel.twins.dtdl.reader import Reader
from gemel.twins.dtdl.references import References
from gemel.twins.dtdl.standards import standard_element
from gemel.twins.dtdl.structure import Structure
from gemel.twins.dtdl.supplements import SupplementRules

MOST_DETAILS = 1000
NOTHING: Mapping[str, Interface] = {}


def parse(
    documents: Sequence[Json],
    known: Mapping[str, Interface] = NOTHING,
    *,
    undefined_extensions: bool | None = None,
    tolerant: bool = False,
) -> dict[str, Interface]:
    """Reads models of DTDL 2, 3 and 4, all or none.

    Args:
        documents: interfaces as decoded JSON; an array of them may stand for one.
        known: interfaces that the documents may refer to.
        undefined_extensions: whether contexts that nothing is known about are accepted; None
            leaves it to the language (DTDL 2 accepts them, 3 and 4 do not).
        tolerant: accepts three faults of models of DTDL 2: ids with reserved prefixes, references
            written as {"@id": ...}, and contents of the same name (the first counts).

    Returns:
        Every interface in the documents by id, also those written inside others.

    Raises:
        ModelInvalid: its details name each problem with its place and the way out.
    """
    if not documents:
        raise ModelInvalid(
            "there is no model", hint="give at least one DTDL interface", code="InvalidArgument"
        )
    checked = check(documents, known, undefined_extensions=undefined_extensions, tolerant=tolerant)
    if checked.problems.found:
        raise _refusal(checked.problems)
    builder = Builder(checked.structure, known)
    return {
        element.id: builder.interface(element)
        for element in checked.structure.elements
        if element.kind.name == "Interface"
    }


@dataclass(frozen=True, slots=True)
class Checked:
    """Documents as elements, and everything that is wrong with them."""

    structure: Structure
    problems: Problems
    unresolved: tuple[str, ...]
    """Ids that are referred to and not known."""

    def find(self, identifier: str) -> Element | None:
        """The element with this id: its own, or the one the language gives to one without."""
        for element in self.structure.elements:
            if element.id == identifier or (not element.id and element.path == identifier):
                return element
        return standard_element(identifier)


def check(
    documents: Sequence[Json],
    known: Mapping[str, Interface] = NOTHING,
    *,
    undefined_extensions: bool | None = None,
    tolerant: bool = False,
) -> Checked:
    """As `parse`, but says what is wrong instead of raising it, and makes no interfaces."""
    problems = Problems()
    reader = Reader(problems, undefined_extensions, tolerant)
    for number, document in enumerate(documents):
        reader.read(document, number)
    references = References(reader, known, _attempted(documents))
    references.resolve()
    structure = Structure(reader.elements, problems, tolerant)
    structure.check()
    SupplementRules(structure, problems).check()
    return Checked(structure, problems, tuple(references.unresolved))


def _attempted(documents: Sequence[Any]) -> frozenset[str]:
    found = set()
    for document in documents:
        for one in document if isinstance(document, list) else [document]:
            identifier = one.get("@id") if isinstance(one, dict) else None
            if isinstance(identifier, str):
                found.add(identifier)
    return frozenset(found)


def _refusal(problems: Problems) -> ModelInvalid:
    first = problems.found[0]["message"]
    more = len(problems.found) - 1
    message = f"{first} (and {more} more)" if more else first
    return ModelInvalid(
        message,
        hint="details name each problem and the way out",
        details=problems.found[:MOST_DETAILS],
    )
