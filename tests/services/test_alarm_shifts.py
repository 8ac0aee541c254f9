"""Shifts by the clock of the plant's time zone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.core.clock import SECOND, from_iso, to_iso
from gemel.core.errors import InvalidInput
from gemel.services.alarms.philosophy import read_philosophy
from gemel.services.alarms.shifts import Shift, duty_at, read_shifts, zone_of

BERLIN = zone_of("Europe/Berlin")
TWO = (Shift("Early", 360), Shift("Late", 1080))
ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia")


def test_a_shift_lasts_until_the_next_over_midnight_too() -> None:
    night = duty_at(TWO, BERLIN, from_iso("2026-07-01T00:30:00Z"))
    assert night is not None
    told = (night.name, to_iso(night.begin), to_iso(night.end))
    assert told == ("Late", "2026-06-30T16:00:00Z", "2026-07-01T04:00:00Z")


def test_the_night_that_clocks_are_put_back_is_an_hour_longer() -> None:
    night = duty_at(TWO, BERLIN, from_iso("2026-10-25T00:30:00Z"))
    assert night is not None
    assert night.end - night.begin == 13 * 3_600 * SECOND


def test_a_plant_without_shifts_has_nobody_on() -> None:
    assert duty_at((), BERLIN, 0) is None


@given(
    moment=st.integers(0, 4_000_000_000).map(lambda seconds: seconds * SECOND),
    zone=st.sampled_from(ZONES).map(zone_of),
    starts=st.lists(st.integers(0, 1439), min_size=1, max_size=12, unique=True).map(sorted),
)
def test_each_moment_has_one_shift_and_the_next_begins_where_it_ends(
    moment: int, zone: object, starts: list[int]
) -> None:
    shifts = [Shift(str(i), start) for i, start in enumerate(starts)]
    now = duty_at(shifts, zone, moment)  # type: ignore[arg-type]
    assert now is not None
    assert now.holds(moment)
    after = duty_at(shifts, zone, now.end)  # type: ignore[arg-type]
    assert after is not None
    assert after.begin == now.end


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"shifts": "three"}, "list"),
        ({"shifts": [{"name": "A"}]}, "a name and a start"),
        ({"shifts": [{"name": " ", "start": "06:00"}]}, "name"),
        ({"shifts": [{"name": "A", "start": "24:00"}]}, "24:00"),
        ({"shifts": [{"name": "A", "start": "6:00"}]}, "6:00"),
        ({"shifts": [{"name": n, "start": "06:00"} for n in "AB"]}, "same time"),
        ({"timeZone": 1}, "timeZone"),
    ],
)
def test_shifts_that_are_none_are_refused(wrong: dict[str, object], word: str) -> None:
    with pytest.raises(InvalidInput, match=word):
        read_philosophy(wrong)


@pytest.mark.parametrize("name", ["Mars/Olympus", "../etc/passwd", "", "\0"])
def test_a_zone_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="no time zone"):
        zone_of(name)


def test_shifts_read_back_in_their_order() -> None:
    said = [{"name": "Late", "start": "18:00"}, {"name": "Early", "start": "06:00"}]
    read = read_shifts(said)
    assert [one.to_json() for one in read] == said[::-1]
    philosophy = read_philosophy({"shifts": said, "timeZone": "Europe/Berlin"})
    assert read_philosophy(philosophy.to_json()) == philosophy
