import json
import math
from dataclasses import replace

import pytest

from gemel.core.errors import InvalidInput
from gemel.simulate.beginning import begin, leave_floors
from gemel.simulate.device import Refusal
from gemel.simulate.fault import FAULTS, parse_fault, parse_faults
from gemel.simulate.floor import AREAS, MOTORS, Floor, map_slots
from gemel.simulate.plant import Area, check_faults
from gemel.simulate.runner import Plan

START = 1_763_800_000.0


def plant(*faults, seed=1, areas=AREAS):
    return Area(areas, seed, Floor(), START, [parse_fault(text) for text in faults])


def read(area):
    found = {}
    for device in area.devices:
        found.update(device.readings())
    return found


@pytest.fixture(scope="module")
def quiet():
    """A plant after ten quiet minutes."""
    area = plant()
    area.advance(600)
    return area


def test_same_seed_same_values_other_seed_other_values():
    one, same, other = plant(), plant(), plant(seed=2)
    for area in (one, same, other):
        area.advance(45)
    first = read(one)
    assert first == read(same)
    assert first != read(other)


def test_values_do_not_depend_on_how_time_is_handed_in():
    coarse, fine = plant(), plant()
    coarse.advance(300)
    for _ in range(300):
        fine.advance(1)
    assert read(coarse) == read(fine)


def test_every_value_is_finite_and_json(quiet):
    for twin, values in read(quiet).items():
        for name, value in values.items():
            assert isinstance(value, str) or math.isfinite(value), (twin, name)
    json.dumps(read(quiet), allow_nan=False)


def test_there_are_ten_motors_with_bearings_and_a_turbine_with_sixty_sensors(quiet):
    owner = quiet.owner
    assert all(owner[f"{motor}-bearing"].name == motor for motor in MOTORS)
    assert len(owner["turbine-1"].sensors["turbine-1"].specs) == 60


def test_quiet_plant_stays_away_from_its_alarms(quiet):
    now = read(quiet)
    for motor in MOTORS:
        assert now[motor]["temperature"] < 75
        assert now[f"{motor}-bearing"]["vibration"] < 2.8
        assert now[f"{motor}-bearing"]["temperature"] < 70
    assert now["filter-1"]["pressureDrop"] < 200
    assert now["compressor-1"]["dischargeTemperature"] < 108
    assert now["turbine-1"]["gearboxOilTemperature"] < 65
    assert all(40 < now[f"tank-{n}"]["fill"] < 60 for n in (1, 2, 3, 4))
    assert all(abs(now[f"zone-{n}"]["temperature"] - 22) < 1.5 for n in range(1, 6))
    assert 60 < now["line-1"]["oee"] <= 100
    assert now["line-1"]["throughput"] > 300


def test_water_in_the_tanks_balances(quiet):
    area = plant("capper-1:jam@120s")
    station = area.owner["pump-station"]
    begun = station.volume()
    area.advance(600)
    change = station.volume() - begun
    assert station.total_drawn > 0
    assert change == pytest.approx(station.total_fresh - station.total_drawn, abs=1e-9)


def test_leak_loses_water():
    area = plant("tank-2:leak@0s")
    station = area.owner["pump-station"]
    begun = station.volume()
    area.advance(600)
    gone = station.total_fresh - station.total_drawn - (station.volume() - begun)
    assert gone == pytest.approx(9.0 * 600 / 3600, rel=0.1)


def test_meter_adds_up_what_all_machines_take(quiet):
    now = read(quiet)
    motors = sum(now[motor]["power"] for motor in MOTORS)
    station = now["filler-1"]["power"] + now["capper-1"]["power"]
    assert now["meter-1"]["sitePower"] > motors + station
    grid = now["meter-1"]["sitePower"] - now["turbine-1"]["activePower"]
    assert now["meter-1"]["gridPower"] == pytest.approx(grid, abs=12)


def test_site_power_lies_within_a_band_over_hours():
    area = plant()
    for _ in range(6):
        area.advance(600)
        assert 60 < read(area)["meter-1"]["sitePower"] < 300


# ---- faults -----------------------------------------------------------------------------------


def test_demo_bearing_is_past_its_limit_within_two_minutes_and_stays():
    area = Area(["motors"], 1, Floor(), START, parse_faults("demo"))
    area.advance(59)
    assert read(area)["motor-3-bearing"]["vibration"] < 2.8
    area.advance(46)
    seen = []
    for _ in range(15):
        area.advance(1)
        seen.append(read(area)["motor-3-bearing"]["vibration"])
    assert min(seen) > 7.1


@pytest.mark.parametrize("seed", range(1, 8))
def test_demo_alarm_holds_ten_seconds_within_three_minutes_for_many_seeds(seed):
    area = Area(["motors", "utilities"], seed, Floor(), START, parse_faults("demo"))
    held = longest = 0
    for _ in range(180):
        area.advance(1)
        value = area.owner["motor-3"].readings()["motor-3-bearing"].get("vibration")
        if value is not None:
            held = held + 1 if value > 7.1 else 0
        longest = max(longest, held)
    assert longest >= 12


SIGNATURES = [
    ("motor-1:bearing-wear@0s", 300, "motor-1-bearing", "vibration", 7.1, 1),
    ("motor-1:bearing-wear@0s", 600, "motor-1-bearing", "temperature", 75, 1),
    ("motor-7:winding-overload@0s", 600, "motor-7", "temperature", 80, 1),
    ("motor-2:unbalance@0s", 30, "motor-2-bearing", "vibration", 4.0, 1),
    ("pump-2:cavitation*0.7@0s", 30, "pump-2", "vibration", 4.5, 1),
    ("pump-2:cavitation*0.7@0s", 30, "pump-2", "flow", 62, -1),
    ("pump-3:impeller-wear@0s", 30, "pump-3", "efficiency", 72, -1),
    ("compressor-1:cooler-fouling*0.8@0s", 400, "compressor-1", "dischargeTemperature", 115, 1),
    ("turbine-1:gearbox-overheating@0s", 600, "turbine-1", "gearboxOilTemperature", 65, 1),
    ("filter-1:blocked-filter@0s", 60, "filter-1", "pressureDrop", 300, 1),
    ("ahu-1:blocked-filter@0s", 60, "filter-1", "pressureDrop", 300, 1),
    ("capper-1:jam@0s", 300, "capper-1", "rate", 250, -1),
    ("zone-4:sensor-drift.temperature*0.6@0s", 5, "zone-4", "temperature", 26, 1),
]


@pytest.mark.parametrize(("fault", "seconds", "twin", "name", "limit", "side"), SIGNATURES)
def test_fault_shows_in_the_reading_that_tells_of_it(fault, seconds, twin, name, limit, side):
    area = plant(fault)
    area.advance(seconds)
    value = read(area)[twin][name]
    assert value > limit if side > 0 else value < limit
    healthy = plant()
    healthy.advance(seconds)
    value = read(healthy)[twin][name]
    assert value < limit if side > 0 else value > limit


def test_frozen_sensor_sticks_and_silent_sensor_is_missing():
    area = plant("motor-1:sensor-frozen.current@5s", "motor-2:sensor-silent.current@5s")
    area.advance(10)
    stuck = read(area)["motor-1"]["current"]
    values = set()
    for _ in range(20):
        area.advance(1)
        now = read(area)
        assert now["motor-1"]["current"] == stuck
        assert "current" not in now["motor-2"]
        values.add(now["motor-1"]["speed"])
    assert len(values) > 3


def test_fault_that_ends_leaves_no_trace_in_the_sensor():
    area = plant("zone-4:sensor-drift.temperature@0s/0s/30s")
    area.advance(20)
    assert read(area)["zone-4"]["temperature"] > 27
    area.advance(20)
    assert read(area)["zone-4"]["temperature"] == pytest.approx(22, abs=1)


def test_link_loss_takes_the_device_off_the_network():
    area = plant("zone-2:link-loss@5s/0s/10s")
    zone = area.owner["zone-2"]
    states = []
    for _ in range(20):
        area.advance(1)
        states.append(zone.linked)
    assert states == [True] * 4 + [False] * 10 + [True] * 6


def test_faults_are_checked_before_the_plant_starts():
    devices = plant().devices
    check_faults(parse_faults("demo"), devices)
    with pytest.raises(InvalidInput, match="there is no 'pump-9'"):
        check_faults([parse_fault("pump-9:cavitation")], devices)
    with pytest.raises(InvalidInput, match="cannot have 'cavitation'"):
        check_faults([parse_fault("motor-1:cavitation")], devices)
    with pytest.raises(InvalidInput, match="no sensor 'colour'"):
        check_faults([parse_fault("motor-1:sensor-drift.colour")], devices)
    assert not any(device.levels for device in devices)


def test_every_fault_fits_some_device():
    devices = plant().devices
    own = set().union(*(device.faults for device in devices))
    general = {name for name in FAULTS if name.startswith("sensor-")} | {"link-loss"}
    assert own | general == set(FAULTS)


# ---- commands ---------------------------------------------------------------------------------


def test_motor_obeys_speed_stop_and_start():
    area = plant()
    assert area.command("motor-8", "setSpeed", 50).succeeded
    area.advance(30)
    assert read(area)["motor-8"]["speed"] == pytest.approx(725, abs=5)
    assert area.command("motor-8", "stop", None).succeeded
    area.advance(30)
    now = read(area)["motor-8"]
    assert (now["speed"], now["state"]) == (pytest.approx(0, abs=2), "stopped")
    assert area.command("motor-8", "start", None).succeeded
    area.advance(30)
    assert read(area)["motor-8"]["state"] == "running"


def test_stopped_motor_stops_its_pump():
    area = plant()
    area.command("motor-2", "stop", None)
    area.advance(30)
    assert read(area)["pump-2"]["flow"] == pytest.approx(0, abs=0.6)
    assert read(area)["pump-2"]["state"] == "stopped"


def test_pump_speed_is_held_until_it_is_handed_back():
    area = plant()
    answer = area.command("pump-3", "setSpeed", 60)
    assert answer.result == {"speedSetpoint": 60.0, "mode": "manual"}
    area.advance(60)
    assert read(area)["pump-3"]["speed"] == pytest.approx(0.6 * 1470, abs=5)
    assert area.command("pump-3", "auto", None).succeeded
    area.advance(120)
    assert read(area)["pump-3"]["speed"] > 1100


def test_line_turbine_and_air_handler_obey():
    area = plant()
    assert area.command("line-1", "setSpeed", 50).succeeded
    assert area.command("turbine-1", "stop", None).succeeded
    assert area.command("ahu-1", "setSupplyTemperature", 20).succeeded
    assert area.command("ahu-1", "setDamper", {"damperSetpoint": 90}).succeeded
    area.advance(600)
    now = read(area)
    assert now["turbine-1"]["activePower"] < 1
    assert now["turbine-1"]["state"] == "stopped"
    assert now["ahu-1"]["supplyTemperature"] == pytest.approx(20, abs=0.5)
    assert now["damper-1"]["position"] == pytest.approx(90, abs=1)
    assert now["filler-1"]["rate"] < 300


@pytest.mark.parametrize(
    ("twin", "name", "argument", "why"),
    [
        ("motor-1", "setSpeed", 101, "not within 0 to 100"),
        ("motor-1", "setSpeed", "fast", "must be a number"),
        ("motor-1", "setSpeed", True, "must be a number"),
        ("motor-1", "setSpeed", None, "must be a number"),
        ("motor-1", "setSpeed", float("nan"), "must be a number"),
        ("motor-1", "fly", None, "knows no command 'fly'"),
        ("motor-1-bearing", "stop", None, "knows no command"),
        ("motor-99", "stop", None, "there is no 'motor-99'"),
        ("motor-1", "injectFault", {"fault": "jam"}, "cannot have 'jam'"),
        ("motor-1", "injectFault", {}, "say which"),
        ("motor-1", "injectFault", {"fault": "unbalance", "severity": 2}, "not within 0 to 1"),
        ("zone-1", "setTemperature", 40, "not within 16 to 28"),
    ],
)
def test_command_that_cannot_be_done_is_refused_and_changes_nothing(twin, name, argument, why):
    area, untouched = plant(), plant()
    answer = area.command(twin, name, argument)
    assert not answer.succeeded
    assert why in answer.message
    area.advance(5)
    untouched.advance(5)
    assert read(area) == read(untouched)


def test_injected_fault_ramps_and_repair_ends_it():
    area = plant()
    body = {"fault": "blocked-filter", "severity": 1, "ramp": 60}
    assert area.command("filter-1", "injectFault", body).succeeded
    area.advance(30)
    half = read(area)["filter-1"]["pressureDrop"]
    area.advance(40)
    full = read(area)["filter-1"]["pressureDrop"]
    assert 100 < half < full
    assert full > 300
    assert area.command("filter-1", "repair", None).result == {"repaired": ["blocked-filter"]}
    area.advance(20)
    assert read(area)["filter-1"]["pressureDrop"] < 150


def test_repair_of_the_motor_mends_its_bearing_too():
    area = plant()
    area.command("motor-4-bearing", "injectFault", {"fault": "bearing-wear"})
    area.advance(5)
    assert read(area)["motor-4-bearing"]["vibration"] > 7.1
    assert area.command("motor-4", "repair", None).result == {"repaired": ["bearing-wear"]}
    area.advance(5)
    assert read(area)["motor-4-bearing"]["vibration"] < 3


def test_desired_properties_are_applied_and_reported():
    area = plant()
    reported, refused = area.desire("tank-2", {"fillSetpoint": 60, "colour": 1})
    assert reported == {"tank-2": {"fillSetpoint": 60.0}}
    assert refused == ["colour: tank-2 has no property 'colour' that can be set"]
    area.advance(1800)
    assert read(area)["tank-2"]["fill"] > 54


def test_desired_nonsense_is_refused():
    area = plant()
    assert area.desire("tank-2", [1])[1]
    assert area.desire("nobody", {"a": 1})[1]
    assert area.desire("tank-2", {"fillSetpoint": "full"})[1]


def test_jam_is_cleared_by_command():
    area = plant()
    area.command("labeller-1", "injectFault", {"fault": "jam"})
    area.advance(60)
    assert read(area)["labeller-1"]["state"] == "jammed"
    assert area.command("labeller-1", "clearJam", None).succeeded
    area.advance(60)
    assert read(area)["labeller-1"]["state"] != "jammed"


def test_areas_in_shared_slots_feel_each_other(tmp_path):
    with (tmp_path / "floor").open("w+b") as file:
        slots = map_slots(file.fileno())
    Floor(slots).reset()
    motors = Area(["motors"], 1, Floor(slots), START)
    utilities = Area(["utilities"], 1, Floor(slots), START)
    for _ in range(20):
        motors.advance(1)
        utilities.advance(1)
    assert read(utilities)["pump-1"]["flow"] > 50
    motors.command("motor-1", "stop", None)
    for _ in range(30):
        motors.advance(1)
        utilities.advance(1)
    assert read(utilities)["pump-1"]["flow"] < 1


def test_what_is_lived_through_privately_shows_only_at_its_end(tmp_path):
    with (tmp_path / "floor").open("w+b") as file:
        slots = map_slots(file.fileno())
    other, own = Floor(slots), Floor(slots)
    other.reset()
    with own.privately():
        own["motor-1.speed"] = 1500.0
        assert (other["motor-1.speed"], own["motor-2.reference"]) == (0.0, 0.85)
    assert (other["motor-1.speed"], own["motor-1.speed"]) == (1500.0, 1500.0)


def test_an_area_lives_through_its_part_of_the_past_by_the_floor_of_all(tmp_path):
    plan = Plan(("motors", "utilities"), past=60.0, lived=3)
    leave_floors(plan, round(START) * 10**9, tmp_path / "floors")
    alone = replace(plan, areas=("utilities",), floors=str(tmp_path / "floors"))
    floor = Floor()
    whole, part = (
        begin(plan, Floor(), round(START) * 10**9),
        begin(alone, floor, round(START) * 10**9),
    )
    rows, expected = part.past["pump-1"], whole.past["pump-1"]
    assert [time for time, _ in rows] == [(START - ago) * 1000 for ago in range(50, -1, -10)]
    assert [time for time, _ in rows] == [time for time, _ in expected]
    flows = [readings["pump-1"]["flow"] for _, readings in rows]
    assert flows == pytest.approx([r["pump-1"]["flow"] for _, r in expected], rel=0.05)
    assert min(flows) > 50
    assert set(part.past) == {device.name for device in part.area.devices}
    assert floor["motor-1.speed"] > 1000


def test_unknown_fault_on_a_device_is_a_refusal():
    with pytest.raises(Refusal, match="it can have"):
        plant(areas=["line"]).owner["line-1"].set_fault("line-1", "rust", 1.0)
