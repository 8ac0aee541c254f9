"""What is asked of an OPC UA server: values in the types of their places, and what it answers."""

from __future__ import annotations

import math
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary
from hypothesis import given
from hypothesis import strategies as st

from gemel.connect.opcua.encode import LARGEST_FLOAT, WHOLE, Form, encoded
from gemel.connect.opcua.forms import Method
from gemel.connect.opcua.values import plain
from gemel.connect.opcua.writing import Writing, called_with, outcome_of
from gemel.core.errors import InvalidInput
from gemel.core.message import DONE, REFUSED, TAKEN, UNSURE

T = ua.VariantType


def form(kind: Any, **more: Any) -> Form:
    return Form(kind, kind.name, **more)


def back(found: ua.Variant) -> Any:
    """What the server reads, and would tell again."""
    sent = struct_to_binary(ua.DataValue(found, StatusCode=None))
    value = struct_from_binary(ua.DataValue, Buffer(sent)).Value
    assert value is not None
    assert value.VariantType == found.VariantType
    return plain(value)


@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_whole_numbers_arrive_in_their_type_or_are_refused(kind: Any, data: Any) -> None:
    low, high = WHOLE[kind]
    value = data.draw(st.one_of(st.integers(low, high), st.integers(-(2**70), 2**70)))
    if low <= value <= high:
        assert back(encoded(form(kind), value)) == value
    else:
        with pytest.raises(InvalidInput, match="beyond"):
            encoded(form(kind), value)


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_fractions_arrive_or_are_refused(value: float) -> None:
    if not math.isfinite(value):
        with pytest.raises(InvalidInput):
            encoded(form(T.Double), value)
        return
    assert back(encoded(form(T.Double), value)) == value
    if abs(value) <= LARGEST_FLOAT:
        assert back(encoded(form(T.Float), value)) == pytest.approx(value, rel=1e-6, abs=1e-44)
    else:
        with pytest.raises(InvalidInput, match="beyond Float"):
            encoded(form(T.Float), value)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=20))
def test_arrays_arrive_whole(values: list[float]) -> None:
    assert back(encoded(form(T.Double, rank=1), values)) == values


@pytest.mark.parametrize(
    ("kind", "value", "arrives"),
    [
        (T.Boolean, True, True),
        (T.String, "Größe", "Größe"),
        (T.LocalizedText, "an", "an"),
        (T.DateTime, "2026-11-22T10:00:00+02:00", "2026-11-22T08:00:00Z"),
        (T.ByteString, "AAEC", "AAEC"),
        (
            T.Guid,
            "5c3e0c5e-6d5b-4e55-9d4f-2f1f3c1c7f10",
            "5c3e0c5e-6d5b-4e55-9d4f-2f1f3c1c7f10",
        ),
        (T.Int16, 7.0, 7),
        (T.Int64, "9223372036854775807", 2**63 - 1),
    ],
)
def test_values_of_every_kind_arrive(kind: Any, value: Any, arrives: Any) -> None:
    assert back(encoded(form(kind), value)) == arrives


@pytest.mark.parametrize(
    ("of", "value", "says"),
    [
        (form(T.Boolean), 1, "Boolean"),
        (form(T.Int32), 1.5, "whole number"),
        (form(T.Int32), True, "whole number"),
        (form(T.Double), "12", "a number"),
        (form(T.Double), [1.0], "not an array"),
        (form(T.Double, rank=1), 1.0, "an array of Double"),
        (form(T.Double, rank=2), [[1.0]], "several dimensions"),
        (form(T.String), 5, "a text"),
        (form(T.DateTime), "yesterday", "ISO 8601"),
        (form(T.ByteString), "%%", "base64"),
        (form(T.Guid), "x", "such as"),
        (form(T.ExtensionObject), {}, "not written"),
        (Form(None, "unknown"), 1, "not written"),
        (form(T.Double, ranges={"EURange": (0.0, 10.0)}), 11, "EURange"),
        (form(T.Int32, names={"Off": 0, "On": 1}), 2, "0 \\(Off\\), 1 \\(On\\)"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(of: Form, value: Any, says: str) -> None:
    with pytest.raises(InvalidInput) as error:
        encoded(of, value)
    error.match(says)


def test_an_enumeration_is_named_or_numbered() -> None:
    of = form(T.Int32, names={"Off": 0, "Automatic": 2})
    assert back(encoded(of, "Automatic")) == back(encoded(of, 2)) == 2


def method(**inputs: Any) -> Method:
    node = ua.NodeId("m", 2)
    return Method(node, node, True, {name: form(kind) for name, kind in inputs.items()})


def test_arguments_are_none_the_one_or_an_object() -> None:
    assert called_with(method(), None) == []
    assert called_with(method(), {}) == []
    assert [plain(v) for v in called_with(method(Speed=T.Double), 3)] == [3.0]
    assert [plain(v) for v in called_with(method(Speed=T.Double), {"Speed": 3})] == [3.0]
    both = method(Speed=T.Double, Name=T.String)
    assert [plain(v) for v in called_with(both, {"Name": "a", "Speed": 1})] == [1.0, "a"]
    for of, value in ((method(), 1), (both, 1), (both, {"Speed": 1}), (both, None)):
        with pytest.raises(InvalidInput, match="the method takes"):
            called_with(of, value)
    with pytest.raises(InvalidInput, match="argument 'Speed'"):
        called_with(both, {"Name": "a", "Speed": "fast"})


@pytest.mark.parametrize(
    ("name", "state", "says"),
    [
        ("Good", DONE, ""),
        ("GoodClamped", DONE, "GoodClamped: the value written was accepted but was clamped"),
        ("GoodCompletesAsynchronously", TAKEN, "GoodCompletesAsynchronously"),
        ("BadUserAccessDenied", REFUSED, "BadUserAccessDenied: the user"),
        ("BadTypeMismatch", REFUSED, "BadTypeMismatch: the server wants another type"),
        ("BadOutOfRange", REFUSED, "BadOutOfRange: the server does not take"),
        ("BadEncodingError", REFUSED, "BadEncodingError: encoding halted"),
        ("BadTimeout", UNSURE, "not known"),
        ("BadSessionClosed", UNSURE, "not known"),
        ("UncertainLastUsableValue", UNSURE, "not known"),
    ],
)
def test_a_status_code_is_an_outcome_with_its_name(name: str, state: str, says: str) -> None:
    found = outcome_of(getattr(ua.StatusCodes, name))
    assert found.state == state
    assert says in found.said


def test_an_unknown_place_is_refused_with_what_there_is() -> None:
    writing = Writing("press")
    node = ua.NodeId("Start", 2)
    writing.take({("press/Plant", "Start"): Method(node, node, True)})
    writing.check("press/Plant", "Start", None)
    with pytest.raises(InvalidInput) as error:
        writing.check("press/Plant", "Stop", None)
    assert "it has: Start" in str(error.value)


def test_the_names_are_another_object_only_when_they_changed() -> None:
    writing = Writing("press")
    node = ua.NodeId("Start", 2)
    writing.take({("press/Plant", "Start"): Method(node, node, True)})
    before = writing.names
    writing.take({("press/Plant", "Start"): Method(node, node, False)})
    assert writing.names is before
    with pytest.raises(InvalidInput, match="UserExecutable"):
        writing.check("press/Plant", "Start", None)
    writing.take({})
    assert writing.names is not before
