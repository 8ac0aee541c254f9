"""The quick yes about a twin, held against the walk through its model that says what is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twin_plant import PUMP, STATION, built

from gemel.twins.dtdl.interface import Relationship
from gemel.twins.fitting import fits, fits_of, values_fit
from gemel.twins.validate import _container_problems, property_problems

PLANT = built().graph
TIME = "2026-11-22T10:00:00Z"

numbers = st.one_of(
    st.integers(-(2**70), 2**70), st.floats(), st.booleans(), st.sampled_from([2**31, -(2**63)])
)
texts = st.sampled_from(
    ["", "AUTO", "hand", "2026-11-22", "2026-13-01", "1.5", "P1D", "Feed pump", TIME, "$x"]
)
scalars = st.one_of(st.none(), numbers, texts)
names = st.sampled_from(
    ["$metadata", "$x", "", "low", "high", "since", *PLANT.model(PUMP).contents]
)
entries = st.one_of(
    scalars,
    st.fixed_dictionaries({}, optional={"sourceTime": scalars, "lastUpdateTime": texts}),
)
metadata = st.dictionaries(names.filter(lambda name: name != "$metadata"), entries, max_size=2)
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(names, inner, max_size=3),
        st.builds(
            lambda about, rest: {"$metadata": about, **rest},
            metadata,
            st.dictionaries(names.filter(lambda name: name != "$metadata"), inner, max_size=3),
        ),
    ),
    max_leaves=8,
)
RIGHT: dict[str, st.SearchStrategy[Any]] = {
    "name": st.just("Feed pump"),
    "built": st.just("2026-11-22"),
    "speed": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**60), 2**60),
    "mode": st.sampled_from(["AUTO", "HAND"]),
    "isOn": st.booleans(),
    "stages": st.lists(st.integers(-(2**31), 2**31 - 1), max_size=3),
    "tags": st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
    "limits": st.fixed_dictionaries({}, optional={"low": st.just(1.0), "isOn": st.booleans()}),
}
MOTOR = st.fixed_dictionaries(
    {"$metadata": st.just({})}, optional={"power": st.just(11.0), "poles": st.integers(0, 8)}
)
right_twins = st.fixed_dictionaries({"motor": MOTOR}, optional=RIGHT)


def interpreted(doc: dict[str, Any]) -> list[str]:
    return _container_problems(PLANT.model(PUMP), doc, PLANT.find_model, "")


@given(st.builds(lambda a, b: {**a, **b}, right_twins, st.dictionaries(names, values)), metadata)
def test_a_yes_is_never_wrong(doc: dict[str, Any], about: dict[str, Any]) -> None:
    doc = {**doc, "$metadata": {**about, "$model": PUMP}}
    if fits(PLANT.model(PUMP), doc, PLANT.find_model):
        assert interpreted(doc) == []


@given(right_twins)
def test_twins_that_fit_get_a_yes(doc: dict[str, Any]) -> None:
    doc["$metadata"] = {"$model": PUMP, "$lastUpdateTime": TIME, "speed": {"lastUpdateTime": TIME}}
    assert interpreted(doc) == []
    assert fits(PLANT.model(PUMP), doc, PLANT.find_model)


@given(values, st.sampled_from(sorted(PLANT.model(PUMP).properties())))
def test_a_schema_is_decided_as_by_its_own_check(value: Any, name: str) -> None:
    schema = PLANT.model(PUMP).properties()[name].schema
    is_near_the_end = isinstance(value, int) and abs(value) >= 10**300
    assert fits_of(schema)(value) == (not schema.check(value)) or is_near_the_end


@given(st.dictionaries(st.sampled_from(["since", "weight", "x"]), scalars))
def test_values_of_relationships_are_decided_alike(given_values: dict[str, Any]) -> None:
    kind = PLANT.model(STATION).contents["contains"]
    assert isinstance(kind, Relationship)
    problems = [
        one
        for name, value in given_values.items()
        for one in (
            kind.properties[name].schema.check(value, name) if name in kind.properties else [name]
        )
    ]
    assert values_fit(kind, given_values) == (not problems)
    assert bool(property_problems(kind, given_values)) == bool(problems)


@pytest.mark.parametrize(
    "motor",
    [None, 1, {}, {"$metadata": 1}, {"$metadata": {}, "$x": 1}, {"$metadata": {"power": 5}}],
)
def test_a_component_that_is_none_gets_a_no(motor: Any) -> None:
    doc = {"$metadata": {"$model": PUMP}, "motor": motor}
    assert not fits(PLANT.model(PUMP), doc, PLANT.find_model)
    assert interpreted(doc)
