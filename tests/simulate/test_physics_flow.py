import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.simulate.noise import Wander, stream
from gemel.simulate.physics.line import BLOCKED, JAMMED, RUNNING, STARVED, Line, MachinePlan, Oee
from gemel.simulate.physics.pump import Pipe, PumpCurve, Tank, duty, pump_vibration
from gemel.simulate.physics.turbine import (
    BEST_COEFFICIENT,
    EFFICIENCY,
    RATED_POWER,
    RATED_SPEED,
    Turbine,
    TurbineHeat,
    air_density,
    power_coefficient,
)
from gemel.simulate.physics.weather import DAY, Weather, occupancy

CURVE, PIPE = PumpCurve(), Pipe()


def at(share, **more):
    return duty(CURVE, PIPE, share, PIPE.static, 3.0, **more)


@given(st.floats(0.6, 1.0))
def test_duty_lies_on_the_curve_of_the_pump_and_of_the_pipe(share):
    point = at(share)
    assert point.head == pytest.approx(CURVE.head(point.flow, share))
    assert point.head == pytest.approx(PIPE.static + PIPE.resistance * point.flow**2)


@given(st.floats(0.3, 1.0))
def test_affinity_laws_hold_without_static_head(share):
    full = duty(CURVE, PIPE, 1.0, 0.0, 3.0)
    part = duty(CURVE, PIPE, share, 0.0, 3.0)
    assert part.flow == pytest.approx(full.flow * share)
    assert part.head == pytest.approx(full.head * share**2)
    assert part.power == pytest.approx(full.power * share**3, rel=1e-6)


def test_too_slow_a_pump_delivers_nothing_and_does_not_run_backwards():
    point = at(0.3)
    assert point.flow == 0.0
    assert point.power < 0.2


def test_hydraulic_power_over_shaft_power_is_the_efficiency():
    point = at(0.9)
    hydraulic = 998 * 9.81 * point.flow / 3600 * point.head / 1000
    assert hydraulic / point.efficiency == pytest.approx(point.power, rel=0.15)


def test_efficiency_is_best_at_the_best_point():
    assert CURVE.efficiency(80.0, 1.0) == pytest.approx(0.78)
    assert CURVE.efficiency(40.0, 1.0) < 0.7
    assert CURVE.efficiency(40.0, 0.5) == pytest.approx(0.78)


def test_cavitation_takes_flow_and_margin_and_rattles():
    fine, bad = at(0.85), at(0.85, cavitation=1.0)
    assert bad.flow < 0.8 * fine.flow
    assert bad.suction < fine.suction
    assert bad.margin < fine.margin - 5
    assert pump_vibration(CURVE, bad, 0.85, 1.0) > 4.5 > 2 * pump_vibration(CURVE, fine, 0.85, 0.0)


def test_worn_impeller_loses_head_and_efficiency():
    fine, worn = at(0.9), at(0.9, wear=1.0)
    assert worn.head < fine.head
    assert worn.efficiency < fine.efficiency


@given(
    st.lists(
        st.tuples(st.floats(0.1, 60), st.floats(0, 300), st.floats(0, 300)), min_size=1, max_size=60
    )
)
def test_tank_balances_to_the_last_litre(flows):
    tank = Tank(12.0, 6.0, 3.0, 18.0)
    start, moved = tank.volume, 0.0
    for dt, inflow, outflow in flows:
        out = tank.flow(dt, inflow, 15.0, outflow, 10.0)
        moved += (inflow - out) * dt / 3600
        assert 0.0 <= tank.volume <= 72.0 + 1e-9
    assert tank.volume - start == pytest.approx(moved - tank.overflow, abs=1e-9)


def test_empty_tank_gives_only_what_comes_in():
    tank = Tank(1.0, 1.0, 0.0, 18.0)
    assert tank.flow(10.0, 36.0, 15.0, 100.0, 10.0) == pytest.approx(36.0)
    assert tank.volume == pytest.approx(0.0, abs=1e-12)


def test_tank_mixes_temperatures():
    tank = Tank(1.0, 10.0, 1.0, 10.0)
    tank.flow(3600.0, 1.0, 30.0, 0.0, 20.0)
    assert tank.temperature == pytest.approx(20.0)


# ---- turbine ----------------------------------------------------------------------------------


@given(st.floats(0.6, 20), st.floats(0, 30))
def test_no_rotor_beats_betz(ratio, pitch):
    assert 0.0 <= power_coefficient(ratio, pitch) < 16 / 27


def test_best_coefficient_is_that_of_a_good_rotor():
    assert 0.42 < BEST_COEFFICIENT < 0.5


def _settled(wind, density=1.225):
    turbine = Turbine(wind)
    for _ in range(600):
        turbine.step(1.0, wind, density)
    return turbine


def test_power_curve_rises_to_rated_and_stays():
    powers = {wind: _settled(wind).power for wind in (5.0, 7.0, 9.0, 11.0, 13.0, 16.0, 20.0)}
    values = list(powers.values())
    assert all(a < b + 25 for a, b in pairwise(values))
    assert 100 < powers[5.0] < 250
    assert powers[13.0] == pytest.approx(RATED_POWER, rel=0.02)
    assert powers[20.0] == pytest.approx(RATED_POWER, rel=0.02)
    assert _settled(20.0).pitch > 10 > 1 > _settled(8.0).pitch


def test_rotor_never_turns_much_faster_than_rated():
    turbine = Turbine(9.0)
    generator = stream(3, "gusts")
    wind = Wander(generator, 13.0, 2.5, 15.0)
    for _ in range(2000):
        turbine.step(1.0, max(4.0, wind.step(1.0)), 1.225)
        assert turbine.rotor_speed < 1.25 * RATED_SPEED


def test_partial_load_follows_the_cube_of_the_wind():
    assert _settled(8.0).power / _settled(6.4).power == pytest.approx((8.0 / 6.4) ** 3, rel=0.06)


def test_stopped_turbine_feathers_and_comes_to_rest():
    turbine = _settled(9.0)
    turbine.running = False
    for _ in range(600):
        turbine.step(1.0, 9.0, 1.225)
    assert turbine.pitch > 80
    assert turbine.power <= 0
    assert turbine.rotor_speed < 3


def test_turbine_waits_for_wind_and_stops_in_a_storm():
    assert _settled(2.0).state == "waiting"
    assert _settled(27.0).state == "storm"
    assert _settled(27.0).power <= 0


def test_power_limit_holds():
    turbine = Turbine(14.0)
    turbine.limit = 0.5
    for _ in range(600):
        turbine.step(1.0, 14.0, 1.225)
    assert turbine.power == pytest.approx(0.5 * RATED_POWER, rel=0.03)


def test_energy_of_the_rotor_balances():
    turbine = _settled(9.0)
    assert turbine.power / EFFICIENCY == pytest.approx(turbine.aero, rel=0.02)


def test_power_does_not_depend_on_the_step():
    coarse, fine = Turbine(8.0), Turbine(8.0)
    for _ in range(100):
        coarse.step(2.0, 9.0, 1.225)
    for _ in range(400):
        fine.step(0.5, 9.0, 1.225)
    assert coarse.power == pytest.approx(fine.power, rel=0.005)


def test_cold_air_is_denser():
    assert air_density(15.0, 1013.25) == pytest.approx(1.225, abs=0.001)
    assert air_density(-10.0, 1013.25) > 1.3


def test_overheating_gearbox_is_seen_in_the_gearbox_alone():
    heat = TurbineHeat(0.7, 0.95, 14.0)
    before = dict(heat.values)
    for _ in range(900):
        heat.step(1.0, 0.7, 0.95, 14.0, 1.0)
    assert heat.values["gearboxOilTemperature"] > 70 > 65 > before["gearboxOilTemperature"]
    assert heat.values["converterTemperature"] == pytest.approx(before["converterTemperature"])


# ---- weather ----------------------------------------------------------------------------------


def test_weather_is_a_function_of_time_alone():
    one, other = Weather(5), Weather(5)
    other.at(12.0)
    assert one.at(1e9) == other.at(1e9)
    assert Weather(6).at(1e9) != one.at(1e9)


def test_weather_is_a_plausible_spring():
    weather = Weather(1)
    skies = [weather.at(1.7e9 + hour * 3600) for hour in range(24 * 60)]
    assert all(-5 < sky.temperature < 35 for sky in skies)
    assert all(20 <= sky.humidity <= 100 for sky in skies)
    assert all(0 <= sky.irradiance < 1000 for sky in skies)
    assert weather.at(DAY * 19_000 + 2 * 3600).irradiance == 0.0


def test_people_come_in_the_morning_and_leave_in_the_evening():
    assert occupancy(3 * 3600) < 0.3 < 0.9 < occupancy(12 * 3600)


def test_wander_is_stationary_for_every_step():
    for dt in (0.5, 30.0, 300.0):
        wander = Wander(random.Random(1), 10.0, 2.0, 60.0)
        values = [wander.step(dt) for _ in range(20_000)]
        mean = sum(values) / len(values)
        spread = (sum((v - mean) ** 2 for v in values) / len(values)) ** 0.5
        assert mean == pytest.approx(10.0, abs=0.6)
        assert spread == pytest.approx(2.0, abs=0.35)


# ---- line -------------------------------------------------------------------------------------

PLANS = [
    MachinePlan("a", 8.0, 400.0, 20.0, 0.02),
    MachinePlan("b", 7.0, 400.0, 20.0, 0.01),
    MachinePlan("c", 7.5, 400.0, 20.0, 0.0),
]
QUIET = [MachinePlan(p.name, p.cycle, 1e12, 1.0, 0.0) for p in PLANS]


def balance(line):
    return line.fed - sum(line.buffers) - line.in_hand() - line.rejected - line.made


@given(st.integers(0, 1000), st.lists(st.floats(0.05, 300), min_size=1, max_size=30))
def test_line_never_makes_or_loses_a_unit(seed, steps):
    line = Line(PLANS, 10, random.Random(seed))
    for dt in steps:
        line.step(dt)
        assert balance(line) == 0
        assert all(0 <= b <= 10 for b in line.buffers)


def test_line_is_the_same_to_a_unit_for_every_step_size():
    coarse, fine = Line(PLANS, 10, random.Random(4)), Line(PLANS, 10, random.Random(4))
    for _ in range(60):
        coarse.step(60.0)
    for _ in range(3600):
        fine.step(1.0)
    assert abs(coarse.made - fine.made) <= 1
    assert coarse.rejected == fine.rejected


def test_the_slowest_machine_sets_the_pace():
    line = Line(QUIET, 10, random.Random(1))
    line.step(7200.0)
    assert line.made == pytest.approx(7200 / 8.0, abs=15)


def test_jam_blocks_upstream_and_starves_downstream():
    line = Line(QUIET, 5, random.Random(1))
    line.step(600.0)
    line.machines[1].jammed = True
    line.step(600.0)
    assert [m.state for m in line.machines] == [BLOCKED, JAMMED, STARVED]
    assert line.buffers == [5, 0]
    line.machines[1].jammed = False
    line.step(120.0)
    assert line.machines[0].units > 0
    assert balance(line) == 0


def test_half_speed_makes_half():
    line = Line(QUIET, 10, random.Random(1))
    line.speed = 0.5
    line.step(7200.0)
    assert line.made == pytest.approx(7200 / 16.0, abs=15)


def test_stopped_line_makes_nothing():
    line = Line(QUIET, 10, random.Random(1))
    line.speed = 0.0
    line.step(3600.0)
    assert line.made == 0


def test_wear_costs_stops_and_rejects():
    fresh, worn = Line(PLANS, 10, random.Random(2)), Line(PLANS, 10, random.Random(2))
    for machine in worn.machines:
        machine.wear = 1.0
    fresh.step(20_000.0)
    worn.step(20_000.0)
    assert worn.made < fresh.made
    assert worn.rejected > 2 * fresh.rejected


def test_time_in_states_adds_up():
    line = Line(PLANS, 10, random.Random(2))
    line.step(5000.0)
    for machine in line.machines:
        assert sum(machine.time.values()) == pytest.approx(5000.0)
        assert machine.time[RUNNING] > 0


def test_oee_is_the_product_and_tracks_what_happens():
    oee = Oee(8.0, 0.9, 0.9, 0.99)
    assert oee.value == pytest.approx(0.9 * 0.9 * 0.99)
    for _ in range(8000):
        oee.add(1.0, 0.5, 0, 0)
    assert oee.availability == pytest.approx(0.5, abs=0.01)
    assert oee.throughput == pytest.approx(0.0, abs=1.0)
    assert oee.value == oee.availability * oee.performance * oee.quality
