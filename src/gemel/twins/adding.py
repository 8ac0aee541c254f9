"""New relationships in a row, as imports have them: the plain ones in few steps.

`relationship_edits.put_relationship` decides about one relationship and says what is wrong with it.
Most that are imported are new, have no properties and fit; what these need of their models is found
out once for all of a kind. What is done here is what it would do; all else is left to it.
"""

from __future__ import annotations

from gemel.core.document import Edit, Json
from gemel.twins.draft import Draft
from gemel.twins.dtdl.interface import Relationship
from gemel.twins.graph import EditContext
from gemel.twins.records import LINK_FIELDS, Link, Twin
from gemel.twins.validate import is_id


class NewLinks:
    """Plans plain new relationships against a draft, and gives them to it."""

    __slots__ = ("_context", "_draft", "_kinds")

    def __init__(self, draft: Draft, context: EditContext) -> None:
        self._draft = draft
        self._context = context
        self._kinds: dict[tuple[str, object, str], str | None] = {}
        """By source's model, name and target's model: the model's own string of the name."""

    def take(self, source: str, body: Json) -> bool:
        """Plans a relationship of a twin from what a client sent; False leaves it alone.

        Cost: 4 us, a third of what `put_relationship` takes.
        """
        relationship, target = body.get("$relationshipId"), body.get("$targetId")
        if (
            len(body) != len(LINK_FIELDS)
            or type(relationship) is not str
            or type(target) is not str
        ):
            return False
        draft = self._draft
        start, end = draft.find_twin(source), draft.find_twin(target)
        if start is None or end is None or not is_id(relationship):
            return False
        name = self._kind(start, body.get("$relationshipName"), end)
        if name is None or draft.find_relationship(source, relationship) is not None:
            return False
        context, etag = self._context, self._context.new_etag()
        doc = {
            "$relationshipId": relationship,
            "$sourceId": start.id,
            "$relationshipName": name,
            "$targetId": end.id,
        }
        link = Link(start.id, relationship, name, end.id, etag, None)
        key = f"{source}\n{relationship}"
        edit = Edit(
            "relationship", key, doc, context.now, context.who, context.why, etag, None, link
        )
        draft.add_link(edit, link)
        return True

    def _kind(self, start: Twin, name: object, end: Twin) -> str | None:
        """The name of a relationship that may stand between two twins, however many there are."""
        if type(name) is not str:
            return None
        place = (start.model, name, end.model)
        if place not in self._kinds:
            self._kinds[place] = self._found(start, name, end)
        return self._kinds[place]

    def _found(self, start: Twin, name: str, end: Twin) -> str | None:
        interface = self._draft.find_model(start.model)
        kind = None if interface is None else interface.contents.get(name)
        if not isinstance(kind, Relationship) or kind.maximum is not None:
            return None
        fits = kind.target is None or self._draft.is_of_model(end, kind.target)
        return kind.name if fits else None
