"""Settings: `gemel.toml`, then environment (`GEMEL_...`), then flags; each later one wins."""

from __future__ import annotations

import dataclasses
import math
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_type_hints

from gemel.app.addresses import address
from gemel.app.connection_settings import KINDS, Connection, kind_in
from gemel.app.export_settings import kind_in as export_kind_in
from gemel.app.oidc_settings import Oidc, read_roles
from gemel.core.errors import ConfigInvalid, InvalidInput
from gemel.exports.settings import KINDS as EXPORT_KINDS
from gemel.exports.settings import Export

MEBIBYTE = 1 << 20
MOST_PROCESSES = 64
TABLES = frozenset({"connections", "exports", "oidc"})
"""Settings that are tables, and no values."""


@dataclass(frozen=True)
class Config:
    """Every setting, with its default; `docs/reference/settings.md` explains each."""

    data: str = "./gemel-data"
    """Folder that holds all state."""
    http: str = "127.0.0.1:8080"
    """HOST:PORT of the page and the API; port 0 picks a free one."""
    mqtt: str = "127.0.0.1:1883"
    """HOST:PORT of the MQTT server; port 0 picks a free one."""
    mqtt_tls: str = ""
    """HOST:PORT of a second MQTT listener with TLS ('' for none)."""
    coap: str = ""
    """HOST:PORT of the CoAP server, over UDP ('' for none); port 0 picks a free one."""
    tls: bool = False
    """Whether HTTP is served as HTTPS, with `certificate` or an own one made on first start."""
    certificate: str = ""
    """PEM file with the certificate chain ('' for an own one, made in the data folder)."""
    key: str = ""
    """PEM file with the private key."""
    stale_after: float = 60.0
    """Seconds without a reading until a twin is stale, where its model does not say."""
    future_tolerance: float = 60.0
    """Seconds that a reading's time may lie ahead of ours."""
    ingest_processes: int = 0
    """Processes that hold the MQTT clients' sockets; 0 leaves them to the server itself."""
    max_connections: int = 20_000
    """MQTT connections at once."""
    max_packet: int = MEBIBYTE
    """Bytes of the largest MQTT packet."""
    max_body: int = 64 * MEBIBYTE
    """Bytes of the largest HTTP body for ingest (other bodies: 1 MiB)."""
    max_behind: float = 5.0
    """Seconds that telemetry may wait: beyond, QoS 0 is shed and HTTP answered with 429."""
    seal_rows: int = 2_000_000
    """Readings in memory until they are sealed into a segment."""
    seal_seconds: float = 900.0
    """Seconds until readings are sealed even when they are few."""
    ballast: int = 64 * MEBIBYTE
    """Bytes of the disk set aside, to be given up for sealing when it is full; 0 for none."""
    retention_days: float = 0.0
    """Days that readings are kept, by their own time; 0 for ever."""
    workers: int = 2
    """Processes that train, calibrate, simulate and study at once, beside the server."""
    sparkplug_host: str = "gemel"
    """Under which name we are a Sparkplug host ('' only listens to edge nodes)."""
    promql_samples: int = 10_000_000
    """Readings and values that one PromQL query may hold."""
    promql_timeout: float = 30.0
    """Seconds that one PromQL query may take, waiting included."""
    webhook_private: bool = False
    """Whether events may be sent to webhooks at private, loopback and link-local addresses."""
    smtp: str = ""
    """HOST:PORT of the mail server that sends notices ('' for none)."""
    smtp_security: str = "starttls"
    """`starttls`, `tls` or `none`; with `none` there is no login."""
    smtp_user: str = ""
    """Who logs in ('' for no login)."""
    smtp_password: str = ""
    """The password; better as GEMEL_SMTP_PASSWORD than in a file."""
    smtp_from: str = ""
    """The sender's address."""
    smtp_ca: str = ""
    """PEM file with the authorities for its certificate ('' for those of the system)."""
    connections: Mapping[str, Connection] = field(default_factory=dict)
    oidc: Oidc = field(default_factory=Oidc)
    """Single sign-on."""
    exports: Mapping[str, Export] = field(default_factory=dict)


def load(path: Path | None, environment: Mapping[str, str], flags: Mapping[str, Any]) -> Config:
    """Reads the settings.

    Args:
        path: the file; None looks for ./gemel.toml and does without if it is not there.
        environment: `GEMEL_HTTP` sets `http`, and so on.
        flags: from the command line; None values are not set.

    Raises:
        ConfigInvalid: names file, line, setting, rule and the way out.
    """
    values: dict[str, Any] = {}
    file = path or Path("gemel.toml")
    if path is not None or file.exists():
        values.update(_from_file(file))
    names = {f.name for f in dataclasses.fields(Config)}
    for name in sorted(names - TABLES):
        text = environment.get("GEMEL_" + name.upper())
        if text is not None:
            values[name] = _convert(name, text, f"environment variable GEMEL_{name.upper()}")
    values["oidc"] = _with_environment(values.get("oidc", Oidc()), environment, file)
    values.update({k: v for k, v in flags.items() if v is not None and k in names})
    config = Config(**values)
    for name in ("http", "mqtt", "mqtt_tls", "coap"):
        if getattr(config, name) or name in ("http", "mqtt"):
            address(getattr(config, name), name)
    if config.ingest_processes > MOST_PROCESSES:
        raise ConfigInvalid(
            f"ingest_processes = {config.ingest_processes}: the most is {MOST_PROCESSES}",
            hint="as many as there are processors, less one for the server, are enough",
        )
    if not _is_level(config.sparkplug_host):
        raise ConfigInvalid(
            f"sparkplug_host = {config.sparkplug_host!r} cannot stand in a topic",
            hint="at most 100 printable characters, without / + and #; '' only listens",
        )
    return config


def _is_level(text: str) -> bool:
    return len(text) <= 100 and text.isprintable() and not set("/+#") & set(text)


def _from_file(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigInvalid(f"{file}: cannot be read: {error}", hint="name another file") from error
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigInvalid(f"{file}: not valid TOML: {error}", hint="see toml.io") from error
    known = {f.name for f in dataclasses.fields(Config)}
    values: dict[str, Any] = {}
    for name, value in found.items():
        place = f"{file}, line {_line_of(text, name)}"
        if name not in known:
            raise _unknown(name, known, place)
        if name in GROUPS:
            values[name] = _tables(name, value, text, file)
        elif name == "oidc":
            values[name] = _oidc(value, text, file)
        else:
            values[name] = _convert(name, value, place)
    return values


GROUPS: dict[str, tuple[Mapping[str, Any], Callable[[Any, str], Any]]] = {
    "connections": (KINDS, lambda found, place: kind_in(found, place)[1]),
    "exports": (EXPORT_KINDS, export_kind_in),
}
"""Settings that are tables of tables: the kinds of these, and what tells of which one is."""


def _tables(group: str, found: Any, text: str, file: Path) -> dict[str, Any]:
    place = f"{file}, line {_line_of(text, group)}"
    if not isinstance(found, dict):
        raise ConfigInvalid(f"{place}: {group} must be tables", hint=f"[{group}.NAME]")
    result = {}
    for name, table in found.items():
        place = f"{file}, line {_line_of(text, name, group)}"
        if not isinstance(table, dict):
            raise ConfigInvalid(f"{place}: {group}.{name} must be a table")
        result[name] = _table(group, name, table, text, file)
    return result


def _table(group: str, name: str, table: dict[str, Any], text: str, file: Path) -> Any:
    head = f"{group}.{name}"
    kinds, told = GROUPS[group]
    there = [kinds[key] for key in kinds if key in table]
    known = {f.name: kind for kind in there or kinds.values() for f in dataclasses.fields(kind)}
    values = {}
    for key, value in table.items():
        place = f"{file}, line {_line_of(text, key, head)}"
        if key not in known:
            raise _unknown(key, set(known), place)
        if key == "registers" and isinstance(value, str):
            value = _lines_of(file.parent / value, place)
        values[key] = _convert(key, value, place, known[key])
    kind = told(table, f"{file}, line {_line_of(text, head, head)}: {head}")
    made = kind(**values)
    try:
        made.check()
    except InvalidInput as error:
        raise ConfigInvalid(f"{file}: {head}: {error.message}", hint=error.hint) from error
    return made


def _lines_of(file: Path, place: str) -> list[str]:
    """The map of a device, which may stand in a file of its own beside the settings."""
    try:
        return file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigInvalid(
            f"{place}: registers: {file} cannot be read: {error}",
            hint="a CSV file, named from where the settings are",
        ) from error


def _oidc(found: Any, text: str, file: Path) -> Oidc:
    known = {f.name for f in dataclasses.fields(Oidc)}
    values: dict[str, Any] = {}
    if not isinstance(found, dict):
        place = f"{file}, line {_line_of(text, 'oidc')}"
        raise ConfigInvalid(f"{place}: oidc must be a table", hint="[oidc]")
    for name, value in found.items():
        place = f"{file}, line {_line_of(text, name, 'oidc')}"
        if name not in known:
            raise _unknown(name, known, place)
        if name != "roles":
            values[name] = _convert(name, value, place, Oidc)
            continue
        try:
            values[name] = read_roles(value)
        except InvalidInput as error:
            place = f"{file}, line {_line_of(text, 'oidc.roles', 'oidc.roles')}"
            raise ConfigInvalid(f"{place}: {error.message}", hint=error.hint) from error
    return Oidc(**values)


def _with_environment(oidc: Oidc, environment: Mapping[str, str], file: Path) -> Oidc:
    """With what GEMEL_OIDC_... say; lists are parted by blanks."""
    values: dict[str, Any] = {}
    for one in dataclasses.fields(Oidc):
        variable = "GEMEL_OIDC_" + one.name.upper()
        text = environment.get(variable)
        if text is not None and one.name != "roles":
            is_list = isinstance(getattr(oidc, one.name), tuple)
            values[one.name] = tuple(text.split()) if is_list else text
    if values:
        oidc = dataclasses.replace(oidc, **values)
    if oidc != Oidc():
        try:
            oidc.check()
        except InvalidInput as error:
            raise ConfigInvalid(f"{file}: [oidc]: {error.message}", hint=error.hint) from error
    return oidc


def _unknown(name: str, known: set[str], place: str) -> ConfigInvalid:
    near = get_close_matches(name, known, 1)
    hint = f"did you mean '{near[0]}'?" if near else "known: " + ", ".join(sorted(known))
    return ConfigInvalid(f"{place}: there is no setting '{name}'", hint=hint)


def _line_of(text: str, name: str, table: str = "") -> int:
    """Where a name stands: in a table, or before the first one; else where a table begins."""
    pattern = re.compile(rf"\s*[\"']?{re.escape(name)}\b")
    head = re.compile(r"\s*\[+\s*([^\]]*?)\s*\]")
    here, begins = "", 1
    for number, line in enumerate(text.splitlines(), 1):
        if found := head.match(line):
            here = found[1].replace('"', "").replace("'", "")
            if begins == 1 and (here == table if table else here.split(".")[0] == name):
                begins = number
        elif here == table and pattern.match(line):
            return number
    return begins


MOST = 1_000_000_000
"""Of seconds and days: beyond, they cannot be told in 64 bits of ns."""
_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}


def _convert(name: str, value: Any, place: str, owner: type = Config) -> Any:
    kind = get_type_hints(owner)[name]
    if kind is bool and isinstance(value, str) and value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    if kind in (int, float) and isinstance(value, str):
        try:
            value = kind(value.replace("_", ""))
        except ValueError:
            raise ConfigInvalid(f"{place}: {name} = '{value}' is not a number") from None
    if kind is float and type(value) is int:
        value = float(value)
    if kind is not float and kind is not int and kind is not bool and kind is not str:
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise ConfigInvalid(f"{place}: {name} must be a list of texts")
    if type(value) is not kind:
        words = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
        raise ConfigInvalid(f"{place}: {name} must be {words[kind]}, not {value!r}")
    if isinstance(value, int | float) and not 0 <= value < math.inf:
        raise ConfigInvalid(f"{place}: {name} must not be negative or without end, not {value}")
    if isinstance(value, float) and value > MOST:
        raise ConfigInvalid(f"{place}: {name} must be at most {MOST:,}, not {value}")
    return value
