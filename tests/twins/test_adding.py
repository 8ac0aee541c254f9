"""Plain new relationships: what is taken is what `put_relationship` makes of it."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twin_plant import STATION, Plant, built

from gemel.core.document import Edit
from gemel.twins.adding import NewLinks
from gemel.twins.draft import Draft
from gemel.twins.graph import EditContext
from gemel.twins.relationship_edits import delete_relationship, put_relationship

BODY = {"$relationshipId": "r9", "$relationshipName": "contains", "$targetId": "pump-2"}
words = st.sampled_from(
    [
        "r1",
        "r2",
        ".",
        "ö",
        "",
        "contains",
        "lead",
        "near",
        "pump-1",
        "pump-2",
        "station-1",
        "nobody",
        1,
    ]
)
bodies = st.fixed_dictionaries(
    {},
    optional={name: words for name in ("$dtId", "$sourceId", *BODY, "weight", "$etag")},
)
sources = st.sampled_from(["station-1", "pump-1", "nobody"])


def context() -> EditContext:
    numbers = itertools.count(1)
    return EditContext(5, "ann", lambda: f'W/"{next(numbers)}"', "test")


def whole(edit: Edit) -> tuple[Any, ...]:
    made: Any = edit.made
    link = tuple(getattr(made, name) for name in made.__slots__)
    return edit.kind, edit.key, edit.doc, edit.time, edit.who, edit.why, edit.etag, link


@pytest.fixture(scope="module")
def plant() -> Plant:
    return built()


@given(st.lists(st.tuples(sources, bodies), max_size=6))
def test_what_is_taken_is_what_planning_each_gives(
    plant: Plant, rows: list[tuple[str, dict[str, Any]]]
) -> None:
    quick, slow = Draft(plant.graph), Draft(plant.graph)
    links, one, other = NewLinks(quick, context()), context(), context()
    for source, body in rows:
        before = len(quick.edits)
        if not links.take(source, dict(body)):
            assert len(quick.edits) == before
            continue
        values = {name: value for name, value in body.items() if name != "$dtId"}
        edits, _ = put_relationship(slow, other, source, body["$relationshipId"], values)
        slow.apply(edits)
    assert list(map(whole, quick.edits)) == list(map(whole, slow.edits))
    for twin in ("station-1", "pump-1", "pump-2"):
        assert quick.relationships_of(twin) == slow.relationships_of(twin)
        assert quick.incoming_of(twin) == slow.incoming_of(twin)
    assert one.now == 5


def test_a_plain_one_is_taken_once(plant: Plant) -> None:
    draft = Draft(plant.graph)
    links = NewLinks(draft, context())
    body = {"$dtId": "station-1", **BODY}
    assert links.take("station-1", body)
    assert not links.take("station-1", body), "it is there now"
    assert [edit.key for edit in draft.edits] == ["station-1\nr9"]


@pytest.mark.parametrize(
    ("source", "change"),
    [
        ("station-1", {"weight": 2.5}),
        ("station-1", {"$relationshipId": "r1"}),
        ("station-1", {"$relationshipId": ".."}),
        ("station-1", {"$relationshipId": "a b"}),
        ("station-1", {"$relationshipName": "never"}),
        ("station-1", {"$relationshipName": 1}),
        ("station-1", {"$targetId": "nobody"}),
        ("nobody", {}),
        ("pump-1", {}),
    ],
)
def test_what_is_not_plain_is_left(plant: Plant, source: str, change: dict[str, Any]) -> None:
    draft = Draft(plant.graph)
    assert not NewLinks(draft, context()).take(source, {"$dtId": source, **BODY, **change})
    assert draft.edits == []


def test_one_that_was_deleted_before_in_the_draft_can_be_made_again(plant: Plant) -> None:
    draft, when = Draft(plant.graph), context()
    draft.apply(delete_relationship(draft, when, "station-1", "r1")[0])
    assert NewLinks(draft, when).take("station-1", {"$dtId": "", **BODY, "$relationshipId": "r1"})
    assert [link.target for link in draft.outgoing("station-1")] == ["pump-2"]
    assert draft.find_relationship("station-1", "r1") is draft.edits[-1].made


def test_relationships_of_a_limited_number_are_left(plant: Plant) -> None:
    assert plant.graph.model(STATION).relationships()["lead"].maximum == 1
    draft = Draft(plant.graph)
    body = {"$dtId": "station-1", **BODY, "$relationshipName": "lead"}
    assert not NewLinks(draft, context()).take("station-1", body)
