"""Back-tests through the real server: the history is read, judged beside the live version."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from app.inside import PUMP, Inside, inside, until
from gemel.cli.main import main
from gemel.core.clock import SECOND, to_iso

BEGIN = 1_700_000_000
LINE = "dtmi:test:Line;1"


def at(second: float) -> str:
    return to_iso(round((BEGIN + second) * SECOND))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("backtest")) as found:
        found.pumps("p", "q", "r")
        found.ask("POST", "/plant", {"twins": {"line": {"model": LINE}}})
        for pump in ("p", "q"):
            body = {"$targetId": pump, "$relationshipName": "contains"}
            path = f"/digitaltwins/line/relationships/{pump}"
            found.ask("PUT", path, body, **{"api-version": "2023-10-31"})
        for pump, extra in (("p", 0.0), ("q", 5.0)):
            rows = [
                {"time": BEGIN + i, "temperature": 60 + extra + (30 if 100 <= i < 200 else 0)}
                for i in range(300)
            ]
            found.ask("POST", f"/ingest/{pump}", rows)
        yield found


def backtest(server: Inside, when: str, **more: Any) -> Any:
    rule = {"model": more.pop("model", PUMP), "when": when, **more.pop("rule", {})}
    body = {"rule": rule, "from": at(0), "to": at(300), **more}
    return server.ask("POST", "/rules/backtest", body)


def test_a_backtest_says_what_would_have_fired_when_and_how_long(server: Inside) -> None:
    found = backtest(server, "temperature > 80 °C for 10 s")
    assert found["twins"] == 3
    assert found["alarms"] == 2
    assert found["byTwin"] == {"p": 1, "q": 1}
    assert found["readings"] >= 600
    first = found["episodes"][0]
    assert (first["twin"], first["raised"], first["cleared"]) == ("p", at(110), at(200))
    assert first["value"] == 90.0
    assert found["activeSeconds"] == 180.0
    assert "live" not in found


def test_only_the_twins_that_are_named_are_judged(server: Inside) -> None:
    assert backtest(server, "temperature > 80", twins=["q"])["byTwin"] == {"q": 1}


def test_windows_and_relatives_are_judged_over_history(server: Inside) -> None:
    found = backtest(server, "mean of temperature over 60 s > 80 °C")
    assert found["alarms"] == 2
    found = backtest(server, "at least 2 of temperature of Pump in contains > 80", model=LINE)
    assert [e["raised"] for e in found["episodes"]] == [at(100)]
    assert found["episodes"][0]["cleared"] == at(200)


def test_labelled_events_give_precision_recall_and_delay(server: Inside) -> None:
    labels = [
        {"from": at(90), "to": at(190), "twin": "p"},
        {"from": at(250), "to": at(260), "twin": "q"},
    ]
    found = backtest(server, "temperature > 80", labels=labels)["labels"]
    assert found["events"] == 2
    assert found["caught"] == 1
    assert found["recall"] == 0.5
    assert found["precision"] == 0.5
    assert found["falseAlarms"] == 1
    assert found["medianDelaySeconds"] == 10.0
    assert found["falseShare"] == round(110 / (3 * 300 - 110), 6)


def test_the_live_version_is_judged_beside_it(server: Inside) -> None:
    server.ask("PUT", "/rules/hot", {"model": PUMP, "when": "temperature > 94"})
    found = backtest(server, "temperature > 80", rule={"id": "hot"})
    assert found["alarms"] == 2
    assert found["live"]["version"] == 1
    assert found["live"]["alarms"] == 1
    server.ask("DELETE", "/rules/hot")


def test_parameters_come_from_the_twin_and_else_from_the_rule(server: Inside) -> None:
    server.ask(
        "PATCH",
        "/digitaltwins/q",
        [{"op": "add", "path": "/target", "value": 99.0}],
        **{"api-version": "2023-10-31"},
    )
    found = backtest(server, "temperature > {target}", rule={"parameters": {"target": 80}})
    assert found["byTwin"] == {"p": 1}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"rule": {"model": PUMP, "when": "temperature >"}, "from": "-1h"}, "ends too early"),
        ({"rule": {"model": PUMP}, "from": "-1h"}, "must be a rule"),
        ({"rule": {"model": PUMP, "when": "flow > 1"}, "from": "now", "to": "-1h"}, "before"),
        (
            {"rule": {"model": PUMP, "when": "flow > 1"}, "from": "-1h", "twins": ["none"]},
            "no twin 'none'",
        ),
        (
            {"rule": {"model": PUMP, "when": "flow > 1"}, "from": "-1h", "labels": [{"x": 1}]},
            "labels[0]",
        ),
    ],
)
def test_what_cannot_be_backtested_is_refused_with_the_reason(
    server: Inside, body: dict[str, Any], says: str
) -> None:
    answer = server.http.request("POST", "/rules/backtest", json=body)
    assert answer.status_code in (400, 404)
    assert says in answer.json()["error"]["message"]


def test_too_many_readings_are_refused(server: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gemel.app.backtest.MOST_READINGS", 100)
    body = {"rule": {"model": PUMP, "when": "temperature > 1"}, "from": at(0), "to": at(300)}
    answer = server.http.request("POST", "/rules/backtest", json=body)
    assert answer.status_code == 400
    assert "shorter span" in answer.json()["error"]["hint"]
    assert server.ask("GET", "/rules/backtest") == {"value": []}


def test_relatives_that_measure_differently_need_the_name_of_a_model(server: Inside) -> None:
    body = {"model": LINE, "when": "any temperature in contains > 200"}
    answer = server.http.request("POST", "/rules/check", json=body)
    assert answer.status_code == 400
    assert "different units" in answer.json()["error"]["message"]
    assert "of Pump" in answer.json()["error"]["hint"]


def test_a_check_says_what_a_rule_reads_and_changes_nothing(server: Inside) -> None:
    when = "mean of temperature over 60 s > 80 °C"
    found = server.ask("POST", "/rules/check", {"model": PUMP, "when": when})
    assert found["reads"] == ["temperature"]
    assert found["twins"] == 3
    assert found["lateness"] == 2.0
    assert server.ask("GET", "/rules") == {"value": []}


def test_a_rule_about_relatives_raises_live_and_follows_the_relationships(server: Inside) -> None:
    when = "any temperature of Pump in contains > 200 °C"
    server.ask("PUT", "/rules/line-hot", {"model": LINE, "when": when})

    def alarms() -> list[str]:
        return [a["twin"] for a in server.ask("GET", "/alarms")["value"]]

    def advance() -> None:
        server.clock.advance(10)
        server.ingest("p", temperature=50)
        server.call(server.platform.tick, server.clock())
        server.ask("GET", "/status")

    server.ingest("r", temperature=250)
    advance()
    assert alarms() == []
    body = {"$targetId": "r", "$relationshipName": "contains"}
    path = "/digitaltwins/line/relationships/r"
    server.ask("PUT", path, body, **{"api-version": "2023-10-31"})

    def raised() -> list[str]:
        advance()
        return alarms()

    assert until(raised, "the alarm") == ["line"]
    server.ask("DELETE", "/rules/line-hot")


def test_the_command_line_checks_and_backtests_a_file(
    server: Inside, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, labels = tmp_path / "rules.yaml", tmp_path / "events.csv"
    rules = [{"id": "hot", "model": PUMP, "when": "temperature > {target}", "lateness": 3}]
    rules[0]["parameters"] = {"target": "80 °C"}
    file.write_text(yaml.safe_dump(rules, allow_unicode=True), encoding="utf-8")
    labels.write_text(f"from,to,twin\n{at(90)},{at(190)},p\n")
    folder = ["--data", server.platform.config.data]
    assert main(["rule", "check", str(file), *folder]) == 0
    assert "temperature" in capsys.readouterr().out
    words = ["rule", "backtest", str(file), "--from", at(0), "--to", at(300), "--twin", "p"]
    assert main([*words, "--labels", str(labels), "--json", *folder]) == 0
    (found,) = orjson.loads(capsys.readouterr().out)["value"]
    assert (found["alarms"], found["labels"]["recall"]) == (1, 1.0)
    assert main([*words, *folder]) == 0
    assert "tested" in capsys.readouterr().out
    labels.write_text("begin,end\n1,2\n")
    assert main([*words, "--labels", str(labels), *folder]) == 1
    assert "'from' and 'to'" in capsys.readouterr().err
    file.write_text("- {id: hot, model: 'dtmi:test:Pump;1', when: 'mean of flow over > 3'}")
    assert main(["rule", "check", str(file), *folder]) == 1
    assert "^" in capsys.readouterr().err


def test_parameters_lateness_and_zone_go_out_and_in_with_a_plant(server: Inside) -> None:
    body = {
        "model": PUMP,
        "when": "temperature > {most} and between 08:00 and 18:00",
        "parameters": {"most": 80},
        "lateness": 4,
        "timeZone": "Europe/Berlin",
    }
    server.ask("PUT", "/rules/hot", body)
    plant = server.ask("GET", "/plant")
    (rule,) = plant["rules"]
    assert {name: rule[name] for name in body} == body
    server.ask("POST", "/plant", {"rules": plant["rules"]})
    assert server.ask("GET", "/rules")["value"][0]["version"] == 1
    server.ask("DELETE", "/rules/hot")
