import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.simulate.physics.building import AIR_HEAT, AirHandler, Zone, ZonePlan
from gemel.simulate.physics.compressor import Compressor, polytropic_temperature
from gemel.simulate.physics.motor import Motor, MotorPlate, bearing_acceleration, bearing_vibration
from gemel.simulate.physics.thermal import HeatNode, lag, ramp


def test_heat_node_reaches_its_equilibrium():
    node = HeatNode(1000.0, 20.0)
    node.step(1e6, 100.0, (5.0, 20.0), (5.0, 30.0))
    assert node.temperature == pytest.approx(25.0 + 10.0)


@given(st.floats(0.1, 500), st.integers(1, 20), st.floats(-50, 200))
def test_heat_node_does_not_depend_on_the_step(seconds, pieces, heat):
    whole, parts = HeatNode(500.0, 40.0), HeatNode(500.0, 40.0)
    whole.step(seconds, heat, (3.0, 10.0))
    for _ in range(pieces):
        parts.step(seconds / pieces, heat, (3.0, 10.0))
    assert whole.temperature == pytest.approx(parts.temperature, abs=1e-9)


@given(st.floats(0.1, 2000), st.floats(0, 500), st.floats(-20, 60))
def test_heat_node_keeps_the_energy_balance(seconds, heat, outside):
    node = HeatNode(800.0, 35.0)
    mean = node.step(seconds, heat, (4.0, outside))
    stored = 800.0 * (node.temperature - 35.0)
    assert stored == pytest.approx((heat - 4.0 * (mean - outside)) * seconds, abs=1e-6 * seconds)


def test_heat_node_alone_only_warms():
    node = HeatNode(100.0, 0.0)
    assert node.step(10.0, 50.0) == pytest.approx(2.5)
    assert node.temperature == pytest.approx(5.0)


@given(st.floats(-100, 100), st.floats(-100, 100), st.floats(0, 100))
def test_lag_lies_between_where_it_is_and_where_it_goes(value, target, dt):
    reached = lag(value, target, dt, 10.0)
    assert min(value, target) - 1e-9 <= reached <= max(value, target) + 1e-9


def test_ramp_is_limited_and_arrives():
    assert ramp(0.0, 1.0, 0.25) == 0.25
    assert ramp(0.9, 1.0, 0.25) == 1.0
    assert ramp(1.0, 0.0, 0.25) == 0.75


def _motor(load=40.0, seconds=0.0, **more):
    motor = Motor(MotorPlate())
    motor.settle(0.9, load, 22.0)
    for _ in range(int(seconds)):
        motor.step(1.0, 0.9, load, 22.0, **more)
    return motor


def test_motor_power_is_shaft_power_and_losses():
    motor = _motor(seconds=10)
    losses = motor.windings_loss + motor.iron_loss + motor.friction_loss
    assert motor.electrical == pytest.approx(motor.shaft + losses / 1000)
    assert 0.85 < motor.shaft / motor.electrical < 0.97


def test_motor_heat_balance_holds():
    motor = Motor(MotorPlate())
    stored, put_in, given_off = motor.stored_heat(), 0.0, 0.0
    for _ in range(3000):
        motor.step(1.0, 0.9, 45.0, 22.0)
        put_in += motor.windings_loss + motor.iron_loss + motor.friction_loss
        given_off += motor.heat_out
    # The nodes are stepped one after the other, so a little of the heat is late.
    assert motor.stored_heat() - stored == pytest.approx(put_in - given_off, rel=0.02)


def test_settled_motor_stays_where_it_is():
    motor = _motor()
    before = motor.winding.temperature
    for _ in range(600):
        motor.step(1.0, 0.9, 40.0, 22.0)
    assert motor.winding.temperature == pytest.approx(before, abs=0.5)


def test_motor_at_rated_load_gets_as_warm_as_its_class_allows_and_no_warmer():
    motor = Motor(MotorPlate())
    motor.settle(1.0, 55.0, 40.0)
    assert 85 < motor.winding.temperature < 125


def test_more_load_means_more_current_and_more_heat():
    light, heavy = _motor(15.0), _motor(50.0)
    light.step(1, 0.9, 15.0, 22.0)
    heavy.step(1, 0.9, 50.0, 22.0)
    assert heavy.current > 1.5 * light.current
    assert heavy.winding.temperature > light.winding.temperature + 10


def test_rated_load_draws_the_rated_current():
    motor = Motor(MotorPlate())
    motor.settle(1.0, 55.0, 22.0)
    motor.step(1.0, 1.0, 55.0, 22.0)
    assert motor.current == pytest.approx(motor.plate.current, rel=0.02)


def test_stopped_motor_draws_nothing_and_cools():
    motor = _motor()
    hot = motor.winding.temperature
    for _ in range(900):
        motor.step(1.0, 0.0, 0.0, 22.0)
    assert motor.speed == 0.0
    assert motor.current == 0.0
    assert motor.electrical == 0.0
    assert motor.winding.temperature < hot - 5


def test_speed_follows_its_ramp():
    motor = Motor(MotorPlate())
    motor.step(1.0, 1.0, 0.0, 22.0)
    assert motor.share == pytest.approx(Motor.RAMP)
    for _ in range(20):
        motor.step(1.0, 1.0, 0.0, 22.0)
    assert motor.speed == pytest.approx(1480.0)


def test_worn_bearing_heats_over_minutes_not_seconds():
    new = _motor(seconds=1)
    first = new.bearing.temperature
    worn = _motor(seconds=10, wear=1.0)
    later = _motor(seconds=600, wear=1.0)
    assert worn.bearing.temperature < first + 6
    assert later.bearing.temperature > first + 20


def test_overload_raises_current_at_once_and_temperature_slowly():
    fine, weak = _motor(seconds=5), _motor(seconds=5, overload=1.0)
    later = _motor(seconds=900, overload=1.0)
    assert weak.current == pytest.approx(1.5 * fine.current, rel=0.01)
    assert weak.winding.temperature < 80
    assert later.winding.temperature > 85


@given(st.floats(0.01, 1.0), st.floats(0, 1), st.floats(0, 1))
def test_vibration_only_grows_with_wear(share, wear, more):
    worse = min(1.0, wear + more)
    assert bearing_vibration(share, worse) >= bearing_vibration(share, wear) - 1e-12
    assert bearing_acceleration(share, worse) >= bearing_acceleration(share, wear) - 1e-12


def test_vibration_limits_are_those_of_the_alarm_zones():
    assert bearing_vibration(1.0, 0.0) < 2.3
    assert bearing_vibration(0.85, 1.0) > 7.1
    assert bearing_vibration(0.0, 1.0) == 0.0


def test_acceleration_tells_of_wear_before_velocity_does():
    velocity = bearing_vibration(0.85, 0.15) / bearing_vibration(0.85, 0.0)
    acceleration = bearing_acceleration(0.85, 0.15) / bearing_acceleration(0.85, 0.0)
    assert acceleration > 2 * velocity


# ---- compressor -------------------------------------------------------------------------------


def test_polytropic_temperature_of_adiabatic_air():
    # Textbook: 20 °C through a ratio of 8 with n = 1.4 leaves at 258 °C.
    assert polytropic_temperature(20.0, 8.0, 1.4) == pytest.approx(257.9, abs=0.3)


@given(st.floats(1.0, 12.0), st.floats(1.01, 1.4))
def test_discharge_is_never_colder_than_the_inlet(ratio, exponent):
    assert polytropic_temperature(25.0, ratio, exponent) >= 25.0 - 1e-9


def test_receiver_keeps_the_mass_of_air():
    unit = Compressor()
    mass, added = unit.air_mass(20.0), 0.0
    for _ in range(600):
        before = unit.pressure + 1.013
        unit.step(1.0, 0.85, 0.09, 20.0)
        mean = (before + unit.pressure + 1.013) / 2
        added += unit.delivered - 0.09 * mean / 8.013
    assert unit.air_mass(20.0) - mass == pytest.approx(added, abs=0.02)


def test_compressor_loads_and_unloads_about_its_set_point():
    unit, seen = Compressor(), set()
    for _ in range(1200):
        unit.step(1.0, 0.85, 0.085, 20.0)
        seen.add(unit.loaded)
        assert 6.3 < unit.pressure < 7.7
    assert seen == {True, False}


def test_fouled_cooler_runs_hot():
    clean, fouled = Compressor(), Compressor()
    for _ in range(600):
        clean.step(1.0, 0.85, 0.095, 24.0)
        fouled.step(1.0, 0.85, 0.095, 24.0, fouling=0.8)
    assert clean.discharge_temperature < 105
    assert fouled.discharge_temperature > 118


def test_leaking_valve_delivers_less():
    fine, leaky = Compressor(), Compressor()
    fine.step(1.0, 0.85, 0.09, 24.0)
    leaky.step(1.0, 0.85, 0.09, 24.0, valve_leak=1.0)
    assert leaky.delivered == pytest.approx(0.65 * fine.delivered)


def test_stopped_compressor_loses_its_pressure():
    unit = Compressor()
    for _ in range(1200):
        unit.step(1.0, 0.0, 0.09, 24.0)
    assert unit.pressure < 1.0
    assert unit.shaft == 0.0
    assert unit.discharge_temperature < 30


# ---- building ---------------------------------------------------------------------------------


def _zone(hours, **more):
    given = dict(outside=5.0, sun=0.0, present=0.8, supply=18.0, flow=0.8, supply_co2=450.0)
    zone = Zone(ZonePlan())
    for _ in range(int(hours * 1800)):
        zone.step(2.0, **{**given, **more})
    return zone


def test_zone_holds_its_temperature_in_the_cold():
    assert _zone(6).air.temperature == pytest.approx(22.0, abs=0.7)


def test_zone_drifts_to_the_outside_without_air_and_people():
    zone = _zone(0)
    zone.setpoint = -30.0  # the radiator stays off
    for _ in range(900):
        zone.step(600.0, 5.0, 0.0, 0.0, 18.0, 0.0, 450.0)
    assert zone.air.temperature < 15.0


def test_co2_settles_where_source_and_air_balance():
    zone = _zone(4, flow=0.4)
    people = ZonePlan().people * 0.8
    expected = (0.4 * 450 + 0.02 * 420) / 0.42 + people * 5.2e-6 * 1e6 / 0.42
    assert zone.co2 == pytest.approx(expected, rel=0.01)


def test_zone_does_not_depend_on_the_step():
    coarse, fine = Zone(ZonePlan()), Zone(ZonePlan())
    for _ in range(360):
        coarse.step(10.0, 0.0, 200.0, 0.5, 17.0, 0.5, 450.0)
    for _ in range(3600):
        fine.step(1.0, 0.0, 200.0, 0.5, 17.0, 0.5, 450.0)
    assert coarse.air.temperature == pytest.approx(fine.air.temperature, abs=0.05)
    assert coarse.co2 == pytest.approx(fine.co2, abs=1.0)


def test_fan_laws_flow_with_speed_and_power_with_its_cube():
    unit = AirHandler()
    unit.air(1.0, 0.0, 0.65)
    flow, rise, power = unit.flow, unit.fan_rise, unit.fan_power
    unit.air(0.5, 0.0, 0.65)
    assert unit.flow == pytest.approx(flow / 2)
    assert unit.fan_rise == pytest.approx(rise / 4)
    assert unit.fan_power == pytest.approx(power / 8)


def test_blocked_filter_takes_pressure_and_air():
    unit = AirHandler()
    unit.air(0.85, 0.0, 0.5)
    clean_drop, clean_flow = unit.filter_drop, unit.flow
    unit.air(0.85, 1.0, 0.5)
    assert clean_drop < 200 < 300 < unit.filter_drop
    assert unit.flow < 0.85 * clean_flow


def test_pressures_of_filter_duct_and_fan_add_up():
    unit = AirHandler()
    unit.air(0.9, 0.4, 0.6)
    assert unit.fan_rise == pytest.approx(unit.filter_drop + unit.duct_pressure / 0.7)


def test_stuck_damper_stays():
    unit = AirHandler()
    unit.damper_setpoint = 1.0
    unit.coils(600.0, 5.0, 22.0, stuck=True)
    assert unit.damper == 0.4
    unit.coils(600.0, 5.0, 22.0, stuck=False)
    assert unit.damper == pytest.approx(1.0)


def test_coil_heat_is_what_warms_the_air():
    unit = AirHandler()
    for _ in range(300):
        unit.air(0.85, 0.0, 0.6)
        unit.coils(1.0, -5.0, 22.0, stuck=False)
    carried = unit.flow * AIR_HEAT / 1000 * (unit.supply - unit.mixed - 0.8)
    assert unit.supply == pytest.approx(unit.setpoint, abs=0.01)
    assert unit.heating - unit.cooling == pytest.approx(carried, rel=0.01)


def test_fan_at_rest_moves_no_air():
    unit = AirHandler()
    unit.air(0.0, 0.0, 0.6)
    unit.coils(1.0, -5.0, 22.0, stuck=False)
    assert unit.flow == 0.0
    assert math.isfinite(unit.supply)
