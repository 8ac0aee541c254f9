"""Settings from file, environment and flags: who wins, and what is said of a mistake."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from gemel.app.addresses import address
from gemel.app.config import TABLES, Config, load
from gemel.app.connection_settings import ModbusConnection, MqttConnection
from gemel.core.errors import ConfigInvalid

OTHER: dict[str, Any] = {
    "data": "/srv/a",
    "http": "0.0.0.0:81",
    "mqtt": "[::1]:1884",
    "mqtt_tls": "127.0.0.1:8883",
    "coap": "0.0.0.0:5683",
    "tls": True,
    "certificate": "a.pem",
    "key": "b.pem",
    "stale_after": 12.5,
    "future_tolerance": 3.0,
    "ingest_processes": 3,
    "max_connections": 7,
    "max_packet": 1000,
    "max_body": 2000,
    "max_behind": 1.5,
    "ballast": 4_000_000,
    "retention_days": 0.25,
    "seal_rows": 5,
    "seal_seconds": 1.5,
    "promql_samples": 1_000,
    "promql_timeout": 5.5,
    "webhook_private": True,
    "workers": 1,
    "smtp": "mail.plant:25",
    "smtp_ca": "authority.pem",
    "sparkplug_host": "scada",
    "smtp_from": "gemel@plant",
    "smtp_password": "secret",
    "smtp_security": "tls",
    "smtp_user": "gemel",
}
SCALARS = sorted({f.name for f in dataclasses.fields(Config)} - TABLES)


def toml(value: Any) -> str:
    return repr(value).lower() if isinstance(value, bool) else repr(value)


def write(folder: Path, text: str) -> Path:
    file = folder / "gemel.toml"
    file.write_text(text, "utf-8")
    return file


def test_every_setting_is_tried_here() -> None:
    assert sorted(OTHER) == SCALARS
    assert all(value != getattr(Config(), name) for name, value in OTHER.items())


@pytest.mark.parametrize("name", SCALARS)
def test_each_setting_comes_from_file_then_environment_then_flag(name: str, tmp_path: Path) -> None:
    other = OTHER[name]
    file = write(tmp_path, f"{name} = {toml(other)}\n")
    empty = tmp_path / "empty.toml"
    empty.write_text("")
    variable = {"GEMEL_" + name.upper(): str(other)}
    assert getattr(load(file, {}, {}), name) == other
    assert getattr(load(empty, variable, {}), name) == other
    assert getattr(load(empty, {}, {name: other}), name) == other
    default = getattr(Config(), name)
    if not default:
        default = {"mqtt_tls": "127.0.0.1:1", "coap": "127.0.0.1:1"}.get(
            name, "c" if default == "" else default
        )
    shown = {"GEMEL_" + name.upper(): str(default)}
    assert getattr(load(file, shown, {}), name) == default  # the environment beats the file
    assert getattr(load(empty, shown, {name: other}), name) == other  # a flag beats both
    assert getattr(load(file, {}, {name: None}), name) == other  # a flag that is not given


def test_a_file_that_is_not_named_may_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None, {}, {}) == Config()
    write(tmp_path, "stale_after = 5\n")
    assert load(None, {}, {}).stale_after == 5.0
    with pytest.raises(ConfigInvalid, match="cannot be read"):
        load(tmp_path / "other.toml", {}, {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "\nstale_afer = 5",
            "line 2: there is no setting 'stale_afer'.*did you mean 'stale_after'",
        ),
        ("x = 1", "line 1: there is no setting 'x'.*known: .*seal_rows"),
        ("\n\nmax_body = 'big'", "line 3: max_body = 'big' is not a number"),
        ("max_body = 1.5", "line 1: max_body must be a whole number"),
        ("max_body = true", "line 1: max_body must be a whole number"),
        ("tls = 'perhaps'", "line 1: tls must be true or false"),
        ("tls = 1", "line 1: tls must be true or false"),
        ("data = 5", "line 1: data must be a text"),
        ("data = 2026-11-22", "line 1: data must be a text"),
        ("seal_rows = -1", "line 1: seal_rows must not be negative"),
        ("seal_seconds = nan", "line 1: seal_seconds must not be negative or without end"),
        ("stale_after = inf", "line 1: stale_after must not be negative or without end"),
        ("stale_after = 1e300", "line 1: stale_after must be at most 1,000,000,000"),
        ("http = 'localhost'", "http: 'localhost' is not HOST:PORT"),
        ("http = '127.0.0.1:70000'", "http: '127.0.0.1:70000' is not HOST:PORT"),
        ("a = = 1", "not valid TOML.*line 1"),
        ("connections = 3", "line 1: connections must be tables"),
        ("connections.a = 3", "connections.a must be a table"),
        ("[connections.a]\nbroker = 'b'", "connections.a: broker: 'b' is not HOST:PORT"),
        ("[connections.a]\ntopic = ['x']", "line 2: there is no setting 'topic'.*'topics'"),
        (
            "tls = true\n[connections.a]\nbroker = 'b:1'\n[connections.b]\ntls = 7",
            "line 5: tls must be true or false",
        ),
        ("[connections.a]\nbroker = 'b:1'\ntopics = 'x'", "line 3: topics must be a list of texts"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        load(write(tmp_path, text), {}, {})
    assert re.search(said, str(caught.value), re.DOTALL), str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("TLS", "maybe"), ("MAX_BODY", "1e3"), ("STALE_AFTER", "soon"), ("SEAL_ROWS", "-5")],
)
def test_a_mistake_in_the_environment_names_the_variable(name: str, value: str) -> None:
    with pytest.raises(ConfigInvalid, match="environment variable GEMEL_" + name):
        load(None, {"GEMEL_" + name: value}, {})


def test_numbers_and_words_of_the_environment_are_read() -> None:
    found = load(
        None, {"GEMEL_TLS": "Yes", "GEMEL_MAX_BODY": "1_000", "GEMEL_STALE_AFTER": "3"}, {}
    )
    assert (found.tls, found.max_body, found.stale_after) == (True, 1000, 3.0)
    assert load(None, {"GEMEL_TLS": "off"}, {}).tls is False


def test_connections_are_read_whole(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        '[connections.plant]\nbroker = "10.0.0.1:1883"\ntopics = ["a/#", "b/+"]\n'
        'username = "u"\npassword = "p"\ntls = true\nclient_id = "c"\n'
        '[connections.other]\nbroker = "[::1]:1"\n',
    )
    assert load(file, {}, {}).connections == {
        "plant": MqttConnection("10.0.0.1:1883", ("a/#", "b/+"), "u", "p", True, "c"),
        "other": MqttConnection("[::1]:1"),
    }


def test_a_map_of_registers_may_stand_in_a_file_beside_the_settings(tmp_path: Path) -> None:
    text = '[connections.meter]\nmodbus = "10.0.0.7"\nregisters = "maps/meter.csv"\n'
    file = write(tmp_path, text)
    with pytest.raises(ConfigInvalid, match=r"line 3: registers: .*meter\.csv cannot be read"):
        load(file, {}, {})
    (tmp_path / "maps").mkdir()
    map_ = tmp_path / "maps" / "meter.csv"
    map_.write_text("name,address\nflow,40001\n")
    found = load(file, {}, {}).connections["meter"]
    assert isinstance(found, ModbusConnection)
    assert found.registers == ("name,address", "flow,40001")
    assert found.host_port() == ("10.0.0.7", 502)
    map_.write_text("name,address\nflow,1\n")
    with pytest.raises(ConfigInvalid, match=r"connections\.meter: .*line 2"):
        load(file, {}, {})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        ("[::1]:0", ("::1", 0)),
        (":8080", ("127.0.0.1", 8080)),
        (" localhost:1 ", ("localhost", 1)),
    ],
)
def test_addresses(text: str, found: tuple[str, int]) -> None:
    assert address(text, "http") == found


@pytest.mark.parametrize(
    "text", ["", "a", "a:", "a:-1", "a:b", "::1:80", "a b:1", "a:123456", "[x]:1"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ConfigInvalid, match="HOST:PORT"):
        address(text, "http")
