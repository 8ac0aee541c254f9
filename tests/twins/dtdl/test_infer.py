from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.twins.dtdl.infer import dtmi_for, infer
from gemel.twins.dtdl.interface import Object, Primitive, Telemetry
from gemel.twins.dtdl.parser import parse


def schema_of(*values: Any) -> Any:
    made = parse([infer("dtmi:discovered:X;1", "X", {"v": values})])["dtmi:discovered:X;1"]
    content = made.contents["v"]
    assert isinstance(content, Telemetry)
    return content.schema


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([20.5], "double"),
        ([20, 20.5], "double"),
        ([1, 2, None], "integer"),
        ([2**40], "long"),
        ([2**80], "double"),
        ([True, False], "boolean"),
        (["a"], "string"),
        (["2026-11-22T10:00:00Z"], "dateTime"),
        (["2026-99-22T10:00:00Z"], "string"),
        ([1, "a"], "string"),
        ([True, 1], "string"),
    ],
)
def test_kinds_are_told_from_values(values: list[Any], kind: str) -> None:
    assert schema_of(*values) == Primitive(kind)


def test_objects_become_objects_with_all_fields_seen() -> None:
    assert schema_of({"x": 1.5}, {"y": {"on": True}}) == Object(
        {"x": Primitive("double"), "y": Object({"on": Primitive("boolean")})}
    )


def test_names_are_made_fit_and_kept_for_people() -> None:
    samples = {"flow rate": [1.0], "flow-rate": [1.0], "1st": [1.0], "!": [1.0], "none": [None]}
    made = parse([infer("dtmi:discovered:X;1", "X", samples)])["dtmi:discovered:X;1"]
    assert list(made.contents) == ["flow_rate", "flow_rate_2", "value_1st", "value"]
    assert made.telemetries()["flow_rate_2"].display_name == {"en": "flow-rate"}


def test_ids_are_made_from_names() -> None:
    assert dtmi_for("Pump 1") == "dtmi:discovered:Pump_1;1"
    assert dtmi_for("  7__up_ ") == "dtmi:discovered:device_7_up;1"
    assert dtmi_for("ж") == "dtmi:discovered:device;1"
    assert len(dtmi_for("x" * 1000)) == 128


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3)
    ),
    max_leaves=10,
)


@settings(max_examples=100, deadline=None)
@given(
    st.text(max_size=200),
    st.dictionaries(st.text(max_size=80), st.lists(VALUES, max_size=3), max_size=5),
)
def test_what_is_inferred_is_always_a_valid_model(
    name: str, samples: dict[str, list[object]]
) -> None:
    identifier = dtmi_for(name)
    assert set(parse([infer(identifier, name, samples)])) == {identifier}
