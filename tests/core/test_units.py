from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.core.errors import InvalidInput
from gemel.core.units import all_units, conversion, find, symbol, units_of

UNITS = sorted(all_units())


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        (0, "degreeCelsius", "kelvin", 273.15),
        (100, "C", "F", 212),
        (-40, "°F", "degC", -40),
        (300, "K", "°F", 80.33),
        (1, "bar", "kPa", 100),
        (1, "psi", "bar", 0.0689475729),
        (760, "mmHg", "hPa", 1013.25),
        (29.92, "inHg", "mbar", 1013.2075),
        (36, "m3/h", "l/s", 10),
        (1, "gpm", "l/min", 3.785411784),
        (1, "cfm", "m³/h", 1.69901082),
        (3000, "rpm", "rad/s", 314.159265),
        (1, "kWh", "MJ", 3.6),
        (1, "BTU", "J", 1055.05585),
        (1, "hp", "W", 745.699872),
        (1, "TR", "kW", 3.51685284),
        (1, "mi", "km", 1.609344),
        (1, "kn", "km/h", 1.852),
        (90, "km/h", "m/s", 25),
        (25.4, "mm", "in", 1),
        (1, "lb", "g", 453.59237),
        (1, "lbf", "N", 4.44822162),
        (1, "gal", "l", 3.785411784),
        (1, "ac", "m²", 4046.8564224),
        (180, "°", "rad", math.pi),
        (1, "KiB", "bit", 8192),
        (1, "Mx", "Wb", 1e-8),
        (50, "%", "ppm", 500_000),
        (10, "dB", "bel", 1),
        (1, "cP", "mPa·s", 1),
        (1, "h", "min", 60),
        (2, "Ah", "coulomb", 7200),
        (1, "gForce", "m/s²", 9.80665),
        (1, "fc", "lx", 10.7639104),
        (1, "eV", "J", 1.602176634e-19),
    ],
)
def test_hand_known_values(value: float, source: str, target: str, expected: float) -> None:
    scale, offset = conversion(source, target)
    assert value * scale + offset == pytest.approx(expected, rel=1e-6)


def test_usual_conversions_are_exact() -> None:
    assert conversion("C", "F") == (1.8, 32.0)
    assert conversion("C", "K") == (1.0, 273.15)
    assert conversion("bar", "Pa") == (1e5, 0.0)
    assert conversion("kW", "kW") == (1.0, 0.0)
    assert conversion("%", "unity") == (0.01, 0.0)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("degC", "degreeCelsius"),
        ("C", "degreeCelsius"),
        ("℃", "degreeCelsius"),
        ("º C", "degreeCelsius"),
        ("F", "degreeFahrenheit"),
        ("farad", "farad"),
        ("K", "kelvin"),
        ("bar", "bar"),
        ("m3/h", "cubicMetrePerHour"),
        ("m^3/h", "cubicMetrePerHour"),
        ("L/s", "litrePerSecond"),
        ("kPa", "kilopascal"),
        ("kw", "kilowatt"),
        ("KWH", "kilowattHour"),
        ("RPM", "revolutionPerMinute"),
        ("hz", "hertz"),
        ("A", "ampere"),
        ("V", "volt"),
        ("N·m", "newtonMetre"),
        ("N*m", "newtonMetre"),
        ("Nm", "newtonMetre"),
        ("mW", "milliwatt"),
        ("MW", "megawatt"),
        ("um", "micrometre"),
        ("μm", "micrometre"),
        ("m", "metre"),
        ("g", "gram"),
        ("s", "second"),
        ("%RH", "percent"),
        ("1/s", "reciprocalSecond"),
        ("Ω", "ohm"),
    ],
)
def test_what_people_write_is_understood(text: str, name: str) -> None:
    assert find(text).name == name


@pytest.mark.parametrize("name", UNITS)
def test_every_unit_is_found_by_its_name_and_converts_to_itself(name: str) -> None:
    assert find(name).name == name
    assert conversion(name, name) == (1.0, 0.0)
    assert all_units()[name].factor > 0


def test_symbols_find_their_unit_but_where_another_meaning_is_usual() -> None:
    usual = {"g": "gram", "C": "degreeCelsius", "F": "degreeFahrenheit"}
    for unit in all_units().values():
        if unit.symbol:
            assert find(unit.symbol).name == usual.get(unit.symbol, unit.name)


@given(st.sampled_from(UNITS), st.data(), st.floats(-1e6, 1e6))
def test_there_and_back_gives_the_same(name: str, data: st.DataObject, value: float) -> None:
    others = [unit.name for unit in units_of(all_units()[name].dimension)]
    other = data.draw(st.sampled_from(others))
    scale, offset = conversion(name, other)
    back, back_offset = conversion(other, name)
    result = (value * scale + offset) * back + back_offset
    assert result == pytest.approx(value, rel=1e-9, abs=1e-9)


def test_units_of_different_dimensions_do_not_convert() -> None:
    with pytest.raises(InvalidInput, match="bar measures pressure and kelvin measures") as caught:
        conversion("bar", "K")
    assert "kelvin" in caught.value.hint


def test_unknown_unit_names_near_ones() -> None:
    with pytest.raises(InvalidInput, match="'degreCelsius' is not a unit") as caught:
        find("degreCelsius")
    assert "degreeCelsius" in caught.value.hint


@pytest.mark.parametrize("text", ["", " ", "x" * 100_000, "\0"])
def test_nonsense_is_refused_shortly(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        find(text)
    assert len(str(caught.value)) < 300


def test_ambiguous_capitals_are_not_guessed() -> None:
    with pytest.raises(InvalidInput, match="several units") as caught:
        find("PA")
    assert "Pa (pascal)" in caught.value.hint


def test_symbols_are_for_people() -> None:
    assert symbol("cubicMetrePerHour") == "m³/h"
    assert symbol("millimetrePerSecond") == "mm/s"
    assert symbol("revolutionPerMinute") == "rpm"
    assert symbol("percent") == "%"
    assert symbol("unity") == ""
    assert symbol("somethingElse") == "somethingElse"


def test_table_has_every_unit_of_the_language() -> None:
    table = Path(__file__).parents[2] / "src/gemel/twins/dtdl/metamodel.json"
    quantities = json.loads(table.read_text(encoding="utf-8"))["quantities"]
    named = {u for one in quantities.values() for us in one["units"].values() for u in us.split()}
    assert named == set(all_units())
