"""Places of a drawn graph: what stands stays, what is new has room, no chance."""

from __future__ import annotations

import itertools
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.twins.placing import place


def star(count: int) -> tuple[list[str], list[tuple[str, str]], dict[str, str]]:
    leaves = [f"t{n}" for n in range(count)]
    return (
        ["hub", *leaves],
        [("hub", leaf) for leaf in leaves],
        {"hub": "hub"} | dict.fromkeys(leaves, "hub"),
    )


def test_expanding_never_moves_what_stands() -> None:
    twins, links, through = star(12)
    first = place(twins, links, through, {})
    more = [f"u{n}" for n in range(30)]
    through |= {twin: "t3" for twin in more}
    second = place([*twins, *more], [*links, *(("t3", m) for m in more)], through, first)
    assert {twin: second[twin] for twin in twins} == first
    centre = second["t3"]
    assert all(math.dist(second[m], centre) < 8 for m in more)


def test_twins_have_room_and_neighbours_are_near() -> None:
    twins, links, through = star(80)
    found = place(twins, links, through, {})
    gaps = [math.dist(found[a], found[b]) for a, b in itertools.combinations(twins, 2)]
    assert min(gaps) > 0.3
    assert max(math.dist(found["hub"], found[t]) for t in twins) < 12


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_any_graph_has_the_same_finite_places_twice(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 25))
    twins = [f"t{n}" for n in range(count)]
    pick = st.sampled_from(twins)
    links = data.draw(st.lists(st.tuples(pick, pick), max_size=40))
    through = {t: data.draw(st.sampled_from(twins[: n + 1])) for n, t in enumerate(twins)}
    place_of = st.tuples(st.floats(-50, 50), st.floats(-50, 50))
    standing = data.draw(st.dictionaries(pick, place_of, max_size=10))
    found = place(twins, links, through, standing)
    assert found == place(twins, links, through, standing)
    assert list(found) == twins
    assert all(math.isfinite(x) and math.isfinite(y) for x, y in found.values())
    assert {t: found[t] for t in standing} == standing
