import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.core.errors import InvalidInput
from gemel.simulate.fault import DEMO, FAULTS, Fault, parse_fault, parse_faults


def test_fault_is_read_as_written():
    assert parse_fault("motor-3:bearing-wear@60s/120s") == Fault(
        "motor-3", "bearing-wear", 60.0, 120.0
    )
    full = parse_fault("zone-4:sensor-drift.temperature*0.6@22m/4m/6m~40m")
    assert full == Fault("zone-4", "sensor-drift", 1320.0, 240.0, 360.0, 2400.0, 0.6, "temperature")


def test_bare_fault_is_there_from_the_start_for_ever():
    fault = parse_fault("tank-1:leak")
    assert fault.level(0.0) == fault.level(1e9) == 1.0


@pytest.mark.parametrize("text", ["", "motor-3", "motor-3:", "motor-3:bearing-wear@soon", ":x@1"])
def test_nonsense_is_refused_with_the_form(text):
    with pytest.raises(InvalidInput, match="write it like"):
        parse_fault(text)


def test_unknown_fault_names_those_there_are():
    with pytest.raises(InvalidInput, match="bearing-wear"):
        parse_fault("motor-3:rust@1s")


def test_repeat_that_overlaps_itself_is_refused():
    with pytest.raises(InvalidInput, match="repeats"):
        parse_fault("motor-3:bearing-wear@0s/60s/60s~100s")


def test_level_ramps_holds_ends_and_repeats():
    fault = Fault("m", "bearing-wear", 60.0, 40.0, 100.0, 600.0)
    assert [fault.level(t) for t in (0, 59.9, 60, 80, 100, 199, 200.1, 659)] == [
        0, 0, 0, 0.5, 1, 1, 0, 0,
    ]  # fmt: skip
    assert fault.level(680) == pytest.approx(0.5)


@given(st.floats(0, 1e6), st.floats(0, 1))
def test_level_is_never_above_its_severity(elapsed, severity):
    fault = Fault("m", "jam", 5.0, 10.0, 20.0, 50.0, severity)
    assert 0.0 <= fault.level(elapsed) <= severity


def test_plans_are_demo_or_none_and_more_can_be_added():
    assert len(parse_faults("demo")) == len(DEMO)
    assert parse_faults("none", ["tank-1:leak@5s"]) == [Fault("tank-1", "leak", 5.0)]
    with pytest.raises(InvalidInput, match="demo or none"):
        parse_faults("chaos")


def test_demo_alarms_early_and_leaves_quiet_between():
    faults = parse_faults("demo")
    first = min(faults, key=lambda fault: fault.start)
    assert first.device == "motor-3"
    assert first.start + first.ramp <= 110
    assert all(fault.every for fault in faults)


def test_every_fault_says_what_it_does():
    assert all(text and "(" in text for text in FAULTS.values())
