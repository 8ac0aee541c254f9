"""The calculator against the sums of the field, closed forms and its own laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gemel.core.clock import SECOND, to_iso
from gemel.core.document import Version
from gemel.core.errors import InvalidInput, NotFound
from gemel.services.roi import CASES, calculate
from gemel.services.roi.course import payback_years
from gemel.services.roi.fidelity import Column, fidelity
from gemel.services.roi.formula import compute
from gemel.services.roi.measured import measured
from gemel.services.roi.prices import Prices, read_prices
from gemel.services.roi.record import DAY, Record, hours_a_day, stood


def figures(case: str, **inputs: float) -> dict[str, float]:
    return {f["name"]: f["value"] for f in calculate(case, inputs, 200)["figures"]}


def test_50_machines_save_600_thousand_and_pay_back_in_4_months() -> None:
    found = figures("maintenance")
    assert (found["saving"], found["payback"]) == (pytest.approx(600_000), pytest.approx(4))


def test_energy_saves_360_thousand_in_5_months_and_the_running_cost_makes_it_longer() -> None:
    found = calculate("energy", {}, 200)
    values = {f["name"]: f["value"] for f in found["figures"]}
    assert (values["saving"], values["payback"]) == (pytest.approx(360_000), pytest.approx(5))
    assert values["paybackNet"] == pytest.approx(150 / 310 * 12)
    assert "5.8 months, not 5.0" in found["notes"][0]


def test_2_prototypes_in_place_of_5_save_a_million_and_a_half() -> None:
    found = calculate("design", {}, 200)
    assert found["figures"][0]["value"] == 1_500_000
    assert "No investment" in found["notes"][0]


def test_a_motor_replaced_in_time_saves_45_thousand() -> None:
    found = figures("failure")
    assert (found["each"], found["ratio"], found["mostFalse"]) == (45_000, 10, 9)


def test_present_value_is_that_of_an_annuity() -> None:
    found = figures("maintenance", discount=0.1, running=0)
    assert found["presentValue"] == pytest.approx(600_000 * (1 - 1.1**-10) / 0.1 - 200_000)


def test_course_reaches_and_fades_as_its_formula_says() -> None:
    course = calculate("maintenance", {"firstYear": 0.5, "fade": 0.1}, 200)["course"]
    assert [round(y["saving"]) for y in course[:4]] == [0, 300_000, 600_000, 540_000]
    assert course[1]["sum"] == pytest.approx(100_000)


def test_what_never_pays_back_says_so() -> None:
    found = calculate("maintenance", {"running": 700_000}, 200)
    values = {f["name"]: f["value"] for f in found["figures"]}
    assert values["paybackNet"] is None
    assert values["paybackYears"] is None
    assert "never" in found["notes"][0]


def test_every_formula_is_of_names_that_the_figure_shows() -> None:
    for name, case in CASES.items():
        for figure in calculate(name, {}, 200)["figures"][: len(case.figures)]:
            shown = {k: np.array([v]) for k, v in figure["with"].items()}
            assert compute(figure["formula"], shown)[0] == pytest.approx(
                np.inf if figure["value"] is None else figure["value"]
            ), figure["name"]


def test_tornado_is_a_plain_recalculation_and_the_widest_is_first() -> None:
    found = calculate("energy", {}, 200)
    widths = [abs(row["atHigh"] - row["atLow"]) for row in found["tornado"]]
    assert widths == sorted(widths, reverse=True)
    row = next(r for r in found["tornado"] if r["name"] == "cut")
    assert row["atLow"] == pytest.approx(figures("energy", cut=row["low"])["presentValue"])


def test_the_same_seed_gives_the_same_band_and_a_band_of_nothing_is_the_figure() -> None:
    assert calculate("energy", {}, 500, 3)["band"] == calculate("energy", {}, 500, 3)["band"]
    assert calculate("energy", {}, 500, 3)["band"] != calculate("energy", {}, 500, 4)["band"]
    case = CASES["design"]
    fixed = {
        i["name"]: {"value": i["value"], "low": i["value"], "high": i["value"]}
        for i in case.to_json()["inputs"]
    }
    found = calculate("design", fixed, 500)
    assert found["band"]["presentValue"] == pytest.approx([found["figures"][-2]["value"]] * 3)


@example(cut=5e-324, lost=0.0, invested=0.0, years=1)
@given(
    cut=st.floats(0, 1),
    lost=st.floats(0, 1e9),
    invested=st.floats(0, 1e9),
    years=st.integers(1, 30),
)
@settings(max_examples=40, deadline=None)
def test_any_inputs_are_worked_out(cut: float, lost: float, invested: float, years: int) -> None:
    given = {"cut": cut, "lost": lost, "invested": invested, "horizon": years}
    found = calculate("maintenance", given, 100)
    assert len(found["course"]) == years + 1
    low, middle, high = found["band"]["presentValue"]
    assert low <= middle <= high


@pytest.mark.parametrize(
    ("case", "inputs", "words"),
    [
        ("energy", {"x": 1}, "no such input"),
        ("energy", {"cut": "much"}, "inputs.cut.value"),
        ("energy", {"cut": 2}, "inputs.cut.value"),
        ("energy", {"cut": {"value": 0.1, "low": 0.2}}, "does not hold"),
        ("energy", {"cut": {"valeu": 0.1}}, "valeu"),
        ("energy", {"horizon": 2.5}, "horizon"),
        ("energy", {"cut": float("nan")}, "inputs.cut"),
    ],
)
def test_wrong_inputs_are_named(case: str, inputs: dict, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        calculate(case, inputs)


def test_an_unknown_case_is_refused() -> None:
    with pytest.raises(NotFound):
        calculate("luck", {})


def test_formulas_are_arithmetic_alone() -> None:
    for text in ("__import__('os')", "a ** 2", "a.b", "f(a, a)", "a +"):
        with pytest.raises(ValueError, match="no "):
            compute(text, {"a": np.ones(1)})


def test_payback_within_a_year_is_in_proportion() -> None:
    flows = np.array([[-100.0, 50, 100], [0, 1, 1], [-100, 10, 10]])
    assert payback_years(flows).tolist() == [1.5, 0, np.inf]


# ---- measured ------------------------------------------------------------------------------------

T0 = 1_700_000_000 * SECOND // DAY * DAY
ENTERED = Prices(failed=50_000, planned=5_000, inspection=200, downtimeHour=1_000)


def alarm(key: str, rule: str, day: float, twin: str = "p", priority: int = 1) -> dict:
    return {
        "id": key,
        "rule": rule,
        "twin": twin,
        "priority": priority,
        "raised": to_iso(T0 + round(day * DAY)),
    }


def order(key: str, alarm_key: str, state: str, day: float) -> dict:
    return {
        "id": key,
        "alarms": [alarm_key],
        "state": state,
        "finished": to_iso(T0 + round(day * DAY)),
    }


def items(record: Record, prices: Prices = ENTERED) -> dict:
    return {i["name"]: i for i in measured(record, prices)["items"]}


def test_orders_of_a_services_alarms_are_counted_with_their_lead_and_range() -> None:
    alarms = [alarm(f"a{i}", "service:rul", 1) for i in range(20)] + [alarm("b", "hot", 1)]
    orders = [order(f"w{i}", f"a{i}", "done", 3) for i in range(20)] + [order("wb", "b", "done", 3)]
    found = items(Record(T0, T0 + 10 * DAY, T0 - 10 * DAY, alarms, orders))
    ahead = found["ahead"]
    assert (ahead["count"], ahead["medianLeadHours"]) == (20, 48)
    most = 20 * 45_000
    assert 0 < ahead["low"] < ahead["value"] < ahead["high"] < most
    assert ahead["value"] == pytest.approx(12 * 45_000 - 8 * 5_000, rel=0.05)


def test_what_was_called_off_costs_its_inspection() -> None:
    record = Record(
        T0, T0 + DAY, T0 - DAY, [alarm("a", "service:rul", 0)], [order("w", "a", "cancelled", 0.5)]
    )
    assert items(record)["false"]["value"] == -200


def test_without_prices_there_is_a_count_and_no_money() -> None:
    record = Record(
        T0, T0 + DAY, T0 - DAY, [alarm("a", "service:rul", 0)], [order("w", "a", "done", 0.5)]
    )
    found = measured(record, Prices())
    assert found["total"]["value"] is None
    assert found["items"][0]["count"] == 1
    assert found["items"][0]["needs"] == ["failed", "planned"]


def test_stops_that_were_announced_are_not_missed() -> None:
    alarms = [alarm("s", "service:rul", 1), alarm("x", "trip", 2), alarm("y", "trip", 2, "q")]
    found = items(Record(T0, T0 + 3 * DAY, T0 - 3 * DAY, alarms))["missed"]
    assert (found["count"], found["stops"], found["evidence"]) == (1, 2, ["y"])


def test_downtime_is_set_against_the_span_before() -> None:
    spans = [("p", 1, T0 + d * DAY, T0 + d * DAY + DAY // 4) for d in range(-10, 0)]
    spans += [("p", 1, T0 + d * DAY, T0 + d * DAY + DAY // 8) for d in range(10)]
    found = items(Record(T0, T0 + 10 * DAY, T0 - 10 * DAY, stood=spans))["downtime"]
    assert found["value"] == pytest.approx(30 * 1_000)
    short = items(Record(T0, T0 + 2 * DAY, T0 - 2 * DAY, stood=spans))["downtime"]
    assert short["value"] is None
    assert "3 whole days" in short["about"]


def test_alarms_of_one_twin_at_one_time_count_once() -> None:
    hour = 3600 * SECOND
    spans = [("p", 1, T0, T0 + 3 * hour), ("p", 1, T0 + hour, T0 + 2 * hour)]
    spans += [("p", 1, T0 + 2 * hour, T0 + 4 * hour), ("p", 2, T0, T0 + 9 * hour)]
    assert hours_a_day(spans, T0, 1, 1).tolist() == [4]


def test_spans_of_an_alarm_are_read_from_its_versions() -> None:
    def doc(is_standing: bool) -> dict:
        return {"twin": "p", "priority": 1, "stands": is_standing}

    changes = [
        ("a", Version(1, doc(False), 150, "", ""), doc(True)),
        ("a", Version(2, doc(True), 160, "", ""), doc(False)),
        ("b", Version(3, doc(True), 170, "", ""), None),
        ("a", Version(4, doc(True), 180, "", ""), doc(True)),
        ("b", Version(5, None, 190, "", ""), doc(True)),
    ]
    assert stood(changes, 100, 200) == [
        ("p", 1, 100, 150),
        ("p", 1, 170, 190),
        ("p", 1, 160, 200),
    ]


@pytest.mark.parametrize(
    "wrong", [{"x": 1}, {"failed": -1}, {"currency": 1}, {"stopPriority": 9}, {"avoided": 0.95}]
)
def test_wrong_prices_are_refused(wrong: dict) -> None:
    with pytest.raises(InvalidInput):
        read_prices(wrong)


# ---- fidelity ------------------------------------------------------------------------------------


def column(values: np.ndarray, step: int = SECOND) -> Column:
    return Column(T0 + step * np.arange(len(values), dtype=np.int64), values)


def test_fidelity_finds_error_bias_coverage_and_drift() -> None:
    random = np.random.default_rng(2)
    truth = np.sin(np.arange(3000) / 50)
    noise = random.normal(0, 0.1, 3000) * np.repeat([1, 1, 2], 1000)
    predicted = column(truth + noise + 0.05)
    found = fidelity(
        column(truth), predicted, column(predicted.value - 0.2), column(predicted.value + 0.2)
    )
    assert found["pairs"] == 3000
    assert found["bias"] == pytest.approx(0.05, abs=0.01)
    assert found["nrmse"] == pytest.approx(found["rmse"] / 1.97, rel=0.02)
    assert found["drift"] == pytest.approx(1.85, abs=0.15)
    assert found["coverage"] == pytest.approx(np.mean(np.abs(noise + 0.05) <= 0.2), abs=1e-9)


def test_predictions_without_a_reading_near_are_left_out() -> None:
    truth = column(np.arange(100.0))
    ahead = Column(truth.time + 60 * SECOND, truth.value)
    assert fidelity(truth, ahead)["pairs"] == 43
    assert fidelity(truth, column(np.arange(5.0)))["nrmse"] is None
    assert fidelity(column(np.empty(0)), ahead)["pairs"] == 0
