"""Relationships by twin: tuples and dicts alike, whatever comes and goes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gemel.twins.adjacency import MOST_IN_TUPLE, Adjacency
from gemel.twins.records import Link

steps = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 40), st.booleans()), max_size=200)


def link(number: int) -> Link:
    return Link("s", str(number), "r", "t", "", None)


@given(steps)
def test_it_holds_what_was_added_and_not_dropped_in_that_order(
    steps: list[tuple[str, int, bool]],
) -> None:
    found = Adjacency(lambda one: one.id)
    model: dict[str, dict[str, Link]] = {}
    for twin, number, is_added in steps:
        there = model.setdefault(twin, {})
        known = there.get(str(number))
        if is_added and known is None:
            one = there[str(number)] = link(number)
            found.add(twin, one)
        elif not is_added and known is not None:
            found.drop(twin, there.pop(str(number)))
        for place in (str(number), "other"):
            assert found.find(twin, place) is there.get(place)
    model = {twin: there for twin, there in model.items() if there}
    assert set(found) == set(model)
    assert found.count() == sum(map(len, model.values()))
    for twin in "abc":
        assert list(found.of(twin)) == list(model.get(twin, {}).values())
        assert (twin in found) == (twin in model)


def test_many_relationships_of_one_twin_are_found_without_looking_through_them() -> None:
    found = Adjacency(lambda one: one.id)
    for number in range(MOST_IN_TUPLE + 1):
        found.add("hub", link(number))
    asked: list[Link] = []
    found._place = lambda one: asked.append(one) or one.id
    found.add("hub", link(100))
    assert found.find("hub", "100") is not None
    assert len(asked) == 1
