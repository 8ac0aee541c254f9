"""docs/reference/settings.md holds every setting, its default and its names, and no other."""

from __future__ import annotations

import argparse
import dataclasses
import re
from pathlib import Path

import pytest
from pages import ROOT, code, read, section, table

from gemel.app.config import TABLES, Config, load
from gemel.app.connection_settings import (
    KINDS,
    ModbusConnection,
    MqttConnection,
    OpcUaConnection,
)
from gemel.app.oidc_settings import Oidc
from gemel.cli.main import parser
from gemel.core.errors import ConfigInvalid
from gemel.exports.settings import KINDS as EXPORT_KINDS
from gemel.exports.settings import HttpExport, InfluxExport, PostgresExport, Selection

PAGE = read("docs/reference/settings.md")
SETTINGS = {code(row[0]): row for row in table(section(PAGE, "## All settings"), "setting")}
CONNECTIONS = {
    kind: {code(row[0]): row for row in table(section(PAGE, heading), "setting")}
    for kind, heading in (
        (MqttConnection, "### An MQTT broker"),
        (OpcUaConnection, "### An OPC UA server"),
        (ModbusConnection, "### Modbus devices"),
    )
}
OIDC = {code(row[0]): row for row in table(section(PAGE, "## `[oidc]`"), "setting")}
SELECTED = {code(row[0]): row for row in table(section(PAGE, "### Which readings"), "setting")}
EXPORTS = {
    kind: {code(row[0]): row for row in table(section(PAGE, heading), "setting")}
    for kind, heading in (
        (InfluxExport, "### To InfluxDB"),
        (PostgresExport, "### To PostgreSQL"),
        (HttpExport, "### To anything that takes HTTP"),
    )
}


def shown(value: object) -> str:
    """A default as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return "[" + ", ".join(shown(v) for v in value) + "]"
    return f"{value:_}" if isinstance(value, int) else str(value)


def flags() -> dict[str, str]:
    """By setting: the flag of `gemel serve`."""
    top = parser()
    commands = next(a for a in top._actions if isinstance(a, argparse._SubParsersAction))
    known = {f.name for f in dataclasses.fields(Config)}
    return {
        action.dest: action.option_strings[-1]
        for action in commands.choices["serve"]._actions
        if action.dest in known
    }


def test_every_setting_is_documented_and_no_other() -> None:
    assert set(SETTINGS) == {f.name for f in dataclasses.fields(Config)}
    assert set(OIDC) == {f.name for f in dataclasses.fields(Oidc)}
    for kind, rows in CONNECTIONS.items():
        assert set(rows) == {f.name for f in dataclasses.fields(kind)}
    assert set(KINDS.values()) == set(CONNECTIONS)
    for kind, rows in EXPORTS.items():
        assert {*rows, *SELECTED} == {f.name for f in dataclasses.fields(kind)}
    assert set(EXPORT_KINDS.values()) == set(EXPORTS)


def test_defaults_are_those_of_the_code() -> None:
    default = Config()
    documented = {name: row[1].strip("`") for name, row in SETTINGS.items()}
    assert {documented.pop(name) for name in TABLES} == {"none"}
    assert documented == {name: shown(getattr(default, name)) for name in documented}
    own = {name: row[1].strip("`") for name, row in OIDC.items()}
    assert own.pop("roles") == "none"
    assert own == {name: shown(getattr(Oidc(), name)) for name in own}
    for kind, rows in CONNECTIONS.items():
        documented = {name: row[1].strip("`") for name, row in rows.items()}
        [required] = [name for name in KINDS if name in documented]
        assert documented.pop(required) == "required"
        assert documented == {name: shown(getattr(kind(), name)) for name in documented}
    of_exports = [(EXPORT_KINDS, EXPORTS), ({}, {Selection: SELECTED})]
    for kinds, tables in of_exports:
        for made, rows in tables.items():
            documented = {name: row[1].strip("`") for name, row in rows.items()}
            for required in kinds:
                assert documented.pop(required, "required") == "required"
            assert documented == {name: shown(getattr(made(), name)) for name in documented}


def test_flags_are_those_of_serve() -> None:
    documented = {n: code(row[3]) for n, row in SETTINGS.items() if row[3] != "-"}
    assert documented == flags()


@pytest.mark.parametrize("name", sorted(set(SETTINGS) - TABLES))
def test_environment_variable_sets_it(name: str) -> None:
    variable = code(SETTINGS[name][2])
    value = {"bool": "true", "int": "7", "float": "7"}.get(
        type(getattr(Config(), name)).__name__, "127.0.0.1:7"
    )
    found = load(Path("/dev/null"), {variable: value}, {})
    assert getattr(found, name) != getattr(Config(), name)


def test_variables_of_the_program_are_documented() -> None:
    used = {
        name
        for file in (ROOT / "src").rglob("*.py")
        for name in re.findall(r"GEMEL_[A-Z][A-Z_]*\b", file.read_text("utf-8"))
        if name not in ("GEMEL_TEST", "GEMEL_PAGE_OUT") and not name.endswith("_")
    }
    assert used - set(re.findall(r"GEMEL_[A-Z_]+", PAGE)) == set()


def test_the_example_is_taken(tmp_path: Path) -> None:
    example = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert example
    file = tmp_path / "gemel.toml"
    file.write_text(example[1])
    found = load(file, {}, {})
    assert found.http == "0.0.0.0:8443"
    assert found.connections["site"].topics == ("plant/#",)
    file.write_text(example[1].replace("stale_after", "stale_aftr"))
    with pytest.raises(ConfigInvalid, match="stale_aftr"):
        load(file, {}, {})
