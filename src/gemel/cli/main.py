"""`gemel`: one command with a sub-command for each job.

Exit codes: 0 done; 1 it cannot be done (the message says why and what to do); 2 the command line
is not understood; 3 a command that was waited for did not succeed; 130 interrupted.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from dataclasses import dataclass
from importlib import import_module

from gemel import __version__
from gemel.cli.output import plain
from gemel.core.errors import GemelError

ABOUT = """Gemel is a digital twin platform: telemetry in, living twins, alarms and commands back.

  gemel demo                       the living plant, with a simulated plant beside it
  gemel serve --data DIR           a server on your own data
  gemel import plant.yaml          models, twins, rules, bindings and scene from readable files
  gemel twin list                  what there is, and how fresh
  gemel alarm list                 what is wrong
  gemel command send pump-1 setSpeed 70 --wait

Commands that talk to a server find it by --data (default ./gemel-data), or by GEMEL_URL and
GEMEL_TOKEN. Settings: gemel.toml, then GEMEL_... variables, then flags; see docs/reference.
"""


@dataclass(frozen=True, slots=True)
class Command:
    """A command by name; its module is imported only when it is used, so that help is quick."""

    about: str
    module: str
    add: str = "add"
    """The function of the module that adds the arguments."""
    run: str = "run"
    """The function that runs it, unless `add` sets one for each action."""


COMMANDS = {
    "demo": Command(
        "the living plant: a server and a simulated plant, opened in the browser",
        "gemel.cli.serve",
        "add_demo",
        "demo",
    ),
    "serve": Command(
        "a server: MQTT in, twins, page and API", "gemel.cli.serve", "add_serve", "serve"
    ),
    "link": Command("a fresh link that logs a person in", "gemel.cli.serve", "add_link", "link"),
    "simulate": Command(
        "a simulated plant: separate processes that speak MQTT",
        "gemel.simulate.main",
        "add_arguments",
    ),
    "replay": Command(
        "recorded data from files, through a real MQTT client",
        "gemel.simulate.replay",
        "add_arguments",
    ),
    "bench": Command("a load for an MQTT server, and its proof", "gemel.cli.bench", "add", ""),
    "import": Command(
        "a plant from files: models, twins, rules, scene",
        "gemel.cli.plant",
        "add_import",
        "import_",
    ),
    "export": Command("the plant as files", "gemel.cli.plant", "add_export", "export"),
    "scene": Command(
        "check the scene, export it as glTF, place twins in it", "gemel.cli.scene", "add", ""
    ),
    "geometry": Command("users' own shapes (GLB files) in 3D", "gemel.cli.geometries", "add", ""),
    "retention": Command("how long readings are kept, by model", "gemel.cli.retention"),
    "status": Command("the installation at a glance", "gemel.cli.operate", "add_status", ""),
    "twin": Command("list twins, show one", "gemel.cli.operate", "add_twin", ""),
    "query": Command("ask the graph of twins: SELECT ...", "gemel.cli.query", "add_query", ""),
    "diff": Command("what is different between two moments", "gemel.cli.past", "add_diff", "diff"),
    "model": Command(
        "read, write and compare models, move twins to another", "gemel.cli.models", "add", ""
    ),
    "dtdl": Command("are models valid, do values conform: JSON lines", "gemel.cli.dtdl", "add", ""),
    "history": Command(
        "readings of one property over time", "gemel.cli.operate", "add_history", ""
    ),
    "gaps": Command("messages lost by overload, by device", "gemel.cli.gaps", "add", ""),
    "alarm": Command("alarms: list, acknowledge, shelve, history", "gemel.cli.alarms", "add", ""),
    "work": Command("work orders: list, create, plan, finish", "gemel.cli.work", "add", ""),
    "attachment": Command(
        "photos and notes of twins and work orders: list, add, get, delete",
        "gemel.cli.attachments",
        "add",
        "",
    ),
    "notify": Command("who is told of alarms: list, set, test", "gemel.cli.notify", "add", ""),
    "rule": Command("list, check, back-test, put, delete rules", "gemel.cli.rules", "add", ""),
    "derived": Command(
        "properties computed by formulas: list, check, put, delete", "gemel.cli.derived", "add", ""
    ),
    "connector": Command(
        "MQTT brokers, OPC UA servers, Modbus devices that are read: list, put, delete",
        "gemel.cli.connectors",
        "add",
        "",
    ),
    "endpoint": Command(
        "where events of twins go: webhooks, Kafka, MQTT brokers",
        "gemel.cli.events",
        "add_endpoint",
        "",
    ),
    "route": Command(
        "which events of twins go to which endpoint", "gemel.cli.events", "add_route", ""
    ),
    "exports": Command(
        "readings copied to InfluxDB, PostgreSQL and others: list, put, restart, delete",
        "gemel.cli.exports",
        "add",
        "",
    ),
    "sparkplug": Command(
        "edge nodes that speak Sparkplug: list, rebirth", "gemel.cli.sparkplug", "add", ""
    ),
    "policy": Command(
        "who may read, write and command what: list, check, put, delete, explain",
        "gemel.cli.policies",
        "add",
        "",
    ),
    "service": Command(
        "list, put and delete services; how they fare", "gemel.cli.services", "add_service", ""
    ),
    "behaviour": Command(
        "behaviour models: list, show, import FMU and ONNX files",
        "gemel.cli.behaviours",
        "add",
        "",
    ),
    "run": Command(
        "start, list, show and cancel runs of services", "gemel.cli.services", "add_run", ""
    ),
    "whatif": Command(
        "what if: scenarios of a forked plant, compared, promoted",
        "gemel.cli.whatif",
        "add",
        "",
    ),
    "roi": Command(
        "what the twin is worth: calculated, and measured from its record",
        "gemel.cli.value",
        "add",
        "",
    ),
    "command": Command(
        "send, approve, take back commands to devices; stop all automatic ones",
        "gemel.cli.commands",
        "add",
        "",
    ),
    "audit": Command(
        "the chain of all edits: verify, list, export, sign", "gemel.cli.audit", "add", ""
    ),
    "device": Command(
        "list discovered devices, adopt them as twins", "gemel.cli.operate", "add_device", ""
    ),
    "backup": Command(
        "a backup of the data folder, running or not", "gemel.cli.backups", "add_backup", "backup"
    ),
    "restore": Command(
        "a new data folder from a backup", "gemel.cli.backups", "add_restore", "restore"
    ),
    "check": Command("look for damage in every file", "gemel.cli.keep", "add_check", "check"),
    "compact": Command(
        "merge files, drop copies, free room", "gemel.cli.keep", "add_compact", "compact"
    ),
    "parquet": Command("readings as a Parquet file", "gemel.cli.parquet", "add", ""),
    "token": Command("make, list and end tokens", "gemel.cli.tokens"),
}


def parser(only: str | None = None) -> argparse.ArgumentParser:
    """All commands, with the arguments of `only` that one (None: of all)."""
    top = argparse.ArgumentParser(
        prog="gemel", description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("--version", action="version", version=f"gemel {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        one = commands.add_parser(name, help=command.about, description=command.about)
        if only not in (None, name):
            continue
        module = import_module(command.module)
        getattr(module, command.add)(one)
        if command.run:
            one.set_defaults(run=getattr(module, command.run))
    return top


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; the result is the exit code."""
    words = _joined(sys.argv[1:] if arguments is None else arguments)
    found = parser(words[0] if words else "").parse_args(words)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what a terminal cannot show
    try:
        code = int(found.run(found))
        sys.stdout.flush()
        return code
    except GemelError as error:
        return _fail(error)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # who read has gone; nothing may be written at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


SIGNED = ("--for", "--from", "--to", "--as-of", "--recorded-as-of", "--at")
"""Their values may begin with a minus."""


def _joined(words: list[str]) -> list[str]:
    """`--from -1h` as `--from=-1h`: argparse would take -1h for an option."""
    found: list[str] = []
    for word in words:
        if found and found[-1] in SIGNED and word.startswith("-"):
            found[-1] += "=" + word
        else:
            found.append(word)
    return found


WITH_CARET = ("RuleInvalid", "SqlQueryError")
"""The lines of their messages show the text and a caret under the mistake."""


def _fail(error: GemelError) -> int:
    lines = [f"gemel: {error.message}"]
    if error.code in WITH_CARET:
        lines = lines[0].split("\n")
    else:
        details = [str(detail.get("message", detail)) for detail in error.details[:20]]
        lines += [f"  - {detail}" for detail in details if detail != error.message]
    if len(error.details) > 20:
        lines.append(f"  ... and {len(error.details) - 20} more")
    if error.hint:
        lines.append(f"  {error.hint}")
    sys.stderr.write("".join(plain(line) + "\n" for line in lines))
    return 1
