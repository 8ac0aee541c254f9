"""Lines against exact results: Little, utilisation, Erlang C, the two-machine line, simpy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gemel.core.errors import InvalidInput
from gemel.services.contract import Column, Instance, Job, Signal
from gemel.services.lines import Draws, Line, Station, changes, draw, simulate, tried
from gemel.services.lines.floor import run
from gemel.services.lines.serial import Variant
from gemel.services.lines.study import bottleneck

UNEVEN = Line(
    tuple(Station(f"s{i}", cycle, 0.3, 60, 9) for i, cycle in enumerate((1.0, 1.1, 0.9, 1.3, 1.0))),
    (2, 0, 3, 1),
)


def base(line: Line) -> Variant:
    return Variant(line.buffers, (1.0,) * len(line.stations))


def test_recursion_is_simpy_on_the_same_draws() -> None:
    draws = draw(UNEVEN, 400, 1, np.random.default_rng(3))
    times = (draws.work + draws.stops)[:, :, 0]
    log = run(lambda n, j: times[n, j], 400, (1,) * 5, UNEVEN.buffers)
    found = simulate(draws, [base(UNEVEN)])
    assert 400 / log.left[-1] == pytest.approx(float(found.throughput[0, 0]), rel=1e-12)
    assert np.allclose(log.busy, times.sum(axis=0))
    stay = np.mean(np.array(log.left) - np.array(log.entered))
    assert stay == pytest.approx(float(found.stay[0, 0]), rel=1e-12)


def test_littles_law_holds_by_counting() -> None:
    draws = draw(UNEVEN, 400, 1, np.random.default_rng(4))
    times = (draws.work + draws.stops)[:, :, 0]
    log = run(lambda n, j: times[n, j], 400, (1,) * 5, UNEVEN.buffers)
    found = simulate(draws, [base(UNEVEN)])
    assert log.area / log.left[-1] == pytest.approx(float(found.inside[0, 0]), rel=1e-9)


def test_utilisation_is_throughput_times_service() -> None:
    draws = draw(UNEVEN, 2000, 4, np.random.default_rng(5))
    found = simulate(draws, [base(UNEVEN)])
    mean = draws.work.mean(axis=0)
    assert np.allclose(found.busy[0][-1], found.throughput[0] * mean[-1], rtol=1e-9)
    total = found.busy + found.down + found.blocked + found.starved
    assert np.allclose(total, 1)
    assert (found.throughput < UNEVEN.bound * 1.03).all()


@pytest.mark.parametrize(("rates", "places"), [((1.0, 1.0), 0), ((1.0, 0.8), 3), ((0.7, 1.0), 2)])
def test_two_machine_line_is_its_closed_form(rates: tuple[float, float], places: int) -> None:
    """Exponential machines: job count behind machine 1 is a birth-death chain on 0..b+2."""
    ratio = (rates[0] / rates[1]) ** np.arange(places + 3)
    exact = rates[1] * (1 - ratio[0] / ratio.sum())
    line = Line((Station("a", 1 / rates[0], 1.0), Station("b", 1 / rates[1], 1.0)), (places,))
    found = simulate(draw(line, 4000, 60, np.random.default_rng(6)), [base(line)], 200)
    error = found.throughput.std() / math.sqrt(60)
    assert abs(found.throughput.mean() - exact) < 4 * error
    assert error < 0.003


def test_waiting_of_two_servers_is_erlangs() -> None:
    """M/M/2 at 75 %: the chance to wait is Erlang's C, the mean wait C / (2 mu - lambda)."""
    arrivals, service, servers = 1.5, 1.0, 2
    load = arrivals / service
    top = load**servers / math.factorial(servers) * servers / (servers - load)
    waits = top / (sum(load**k / math.factorial(k) for k in range(servers)) + top)
    random = np.random.default_rng(8)
    means, shares = [], []
    for _ in range(10):
        gaps, times = random.exponential(1 / arrivals, 3000), random.exponential(1, 3000)
        log = run(lambda n, j, times=times: times[n], 3000, (2,), (), lambda n, gaps=gaps: gaps[n])
        waited = np.array(log.waited[300:])
        means.append(waited.mean())
        shares.append((waited > 0).mean())
    for found, exact in ((means, waits / (servers * service - arrivals)), (shares, waits)):
        assert abs(np.mean(found) - exact) < 4 * np.std(found, ddof=1) / math.sqrt(10)


def test_without_chance_the_slowest_sets_the_pace() -> None:
    line = Line(tuple(Station(f"s{i}", c) for i, c in enumerate((1.0, 2.0, 1.0))), (0, 0))
    found = simulate(draw(line, 100, 1, np.random.default_rng(0)), [base(line)], 10)
    assert found.throughput[0, 0] == pytest.approx(0.5)
    assert found.starved[0, 2, 0] == pytest.approx(0.5)
    assert found.blocked[0, 0, 0] == pytest.approx(0.5)


def test_more_places_never_lower_throughput_on_the_same_draws() -> None:
    draws = draw(UNEVEN, 300, 5, np.random.default_rng(9))
    _, rows = tried(UNEVEN, draws, changes(UNEVEN, "buffer", 5), 0)
    assert all(row.gain >= -1e-12 for row in rows)


def test_draws_have_the_means_that_the_stations_say() -> None:
    one = Station("x", 3.0, 0.4, 50, 10)
    draws = draw(Line((one, one), (0,)), 20_000, 10, np.random.default_rng(1))
    assert draws.work.mean() == pytest.approx(3, rel=0.005)
    assert draws.work.std() == pytest.approx(1.2, rel=0.01)
    assert (draws.work + draws.stops).mean() == pytest.approx(one.effective, rel=0.01)


def job(**parameters: object) -> Job:
    given = {"stations": [], "buffers": [], "places": 3, "signal": "cycleTime"}
    twins = ("a", "b", "c")
    instance = Instance("line", "line", twins, given | parameters)
    random = np.random.default_rng(2)
    columns = [Column(np.arange(200), random.normal(mean, 0.2, 200)) for mean in (4.0, 6.0, 5.0)]
    signals = tuple(Signal(t, "cycleTime") for t in twins)
    run_parameters = {"faster": 0.1, "more": 2, "jobs": 500, "repetitions": 8, "seed": 1}
    return Job(instance, run_parameters, signals, columns)


def test_the_run_learns_cycles_from_history_and_names_the_bottleneck() -> None:
    found = bottleneck(job(), lambda *_: None).document
    assert found["best"] == "b 10% faster"
    assert [s["readings"] for s in found["sources"]] == [200] * 3
    assert found["stations"][1]["cycle"] == pytest.approx(6, rel=0.01)
    assert found["throughputAnHour"] < found["boundAnHour"] * 1.01


def test_what_no_line_can_be_made_of_is_said() -> None:
    with pytest.raises(InvalidInput, match="has no cycle"):
        bottleneck(job(stations=[{"twin": "a"}, {"twin": "nobody"}]), lambda *_: None)
    with pytest.raises(InvalidInput, match="3 buffers for 3 stations"):
        bottleneck(job(buffers=[1, 2, 3]), lambda *_: None)
    with pytest.raises(InvalidInput, match="1 stations"):
        Line((Station("a", 1),), ())
    with pytest.raises(InvalidInput, match="cycle"):
        Line((Station("a", 0), Station("b", 1)), (0,))


def test_recursion_takes_shapes_as_they_are() -> None:
    draws = Draws(np.ones((5, 2, 3)), np.zeros((5, 2, 3)))
    found = simulate(draws, [Variant((1,), (1.0, 1.0)), Variant((4,), (0.5, 1.0))])
    assert found.throughput.shape == (2, 3)
    assert found.busy.shape == (2, 2, 3)
