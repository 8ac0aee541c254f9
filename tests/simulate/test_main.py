import argparse
import asyncio

import pytest

from gemel.core.errors import ConfigInvalid, InvalidInput
from gemel.simulate.fault import FAULTS
from gemel.simulate.floor import AREAS
from gemel.simulate.main import add_arguments, plan_from, run
from gemel.simulate.mqtt import Outage, find_token, parse_address
from gemel.simulate.process import plan_from_json, plan_to_json


def parsed(*words):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args([str(word) for word in words])


def test_without_arguments_the_whole_demo_plant_runs_live():
    plan = plan_from(parsed())
    assert (plan.areas, plan.seed, plan.speed, plan.start) == (AREAS, 1, 1.0, None)
    assert len(plan.faults) > 8


def test_arguments_reach_the_plan():
    words = ["--mqtt", "mqtt://broker.example:8883", "--faults", "none", "--seed", 9, "--speed", 60]
    words += ["--start", "2026-01-01T00:00:00Z", "--duration", 3600, "--areas", "line, turbine"]
    plan = plan_from(parsed(*words, "--fault", "line-1:jam@1m", "--token", "gml_x"))
    assert (plan.host, plan.port, plan.token) == ("broker.example", 8883, "gml_x")
    assert (plan.areas, plan.seed, plan.speed) == (("line", "turbine"), 9, 60.0)
    assert plan.start == 1_767_225_600_000_000_000
    assert [fault.device for fault in plan.faults] == ["line-1"]


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--speed", "0"], "--speed"),
        (["--duration", "-1"], "--duration"),
        (["--areas", "roof"], "there is no area 'roof'"),
        (["--areas", ","], "names none"),
        (["--faults", "many"], "no fault plan"),
        (["--fault", "motor-3"], "is not a fault"),
        (["--fault", "motor-33:bearing-wear"], "there is no 'motor-33'"),
        (["--start", "noon"], "not an ISO 8601"),
        (["--mqtt", "host:port"], "is not an address"),
        (["--token-file", "/nowhere/token"], "cannot be read"),
    ],
)
def test_wrong_arguments_are_refused_with_the_reason(words, match):
    with pytest.raises((InvalidInput, ConfigInvalid), match=match):
        plan_from(parsed(*words))


def test_faults_are_listed_with_the_time_line(capsys):
    assert run(parsed("--list-faults")) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in FAULTS)
    assert "motor-3:bearing-wear@60s" in said


def test_plan_travels_to_a_process_unchanged():
    plan = plan_from(parsed("--fault", "tank-1:leak*0.5@1s", "--token", "secret"))
    assert plan_from_json(plan_to_json(plan)) == plan
    assert "secret" not in repr(plan)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("localhost", ("localhost", 1883)),
        ("10.0.0.1:1884", ("10.0.0.1", 1884)),
        ("mqtt://h:99/", ("h", 99)),
        ("[::1]:1883", ("::1", 1883)),
        ("[::1]", ("::1", 1883)),
    ],
)
def test_addresses(text, found):
    assert parse_address(text) == found


def test_token_comes_from_the_argument_the_file_or_the_environment(tmp_path, monkeypatch):
    (tmp_path / "token").write_text("gml_file\n")
    monkeypatch.setenv("GEMEL_TOKEN", "gml_env")
    assert find_token("gml_arg", str(tmp_path / "token")) == "gml_arg"
    assert find_token(None, str(tmp_path / "token")) == "gml_file"
    assert find_token(None, None) == "gml_env"
    monkeypatch.delenv("GEMEL_TOKEN")
    assert find_token(None, None) == ""


def test_outage_is_said_once_and_its_end_once(caplog):
    async def run():
        outage = Outage("server:1883", patience=0.0)
        for _ in range(3):
            outage.state("disconnected", "gone")
            outage.state("connecting", "")
            await asyncio.sleep(0.001)
        outage.state("connected", "")
        outage.state("connected", "")
        short = Outage("other:1883", patience=60.0)
        short.state("disconnected", "gone")
        short.state("connected", "")

    asyncio.run(run())
    assert [record.message for record in caplog.records] == [
        "no connection to server:1883: gone; trying again",
        "connected to server:1883 again",
    ]
