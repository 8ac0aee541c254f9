"""`gemel`: one command with a sub-command for each job.

Exit codes: 0 done; 1 it cannot be done (the message says why and what to do); 2 the command line
is not understood; 3 a command that was waited for did not succeed; 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from gemel import __version__
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


def parser() -> argparse.ArgumentParser:
    """All commands; each module adds its own."""
    from gemel.cli import operate, plant, serve, tokens
    from gemel.simulate import main as simulate
    from gemel.simulate import replay

    top = argparse.ArgumentParser(
        prog="gemel", description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("--version", action="version", version=f"gemel {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, about: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=about, description=about)

    one = add("demo", "the living plant: a server and a simulated plant, opened in the browser")
    serve.add_demo(one)
    one.set_defaults(run=serve.demo)
    one = add("serve", "a server: MQTT in, twins, page and API")
    serve.add_serve(one)
    one.set_defaults(run=serve.serve)
    one = add("link", "a fresh link that logs a person in")
    one.add_argument("--data", default="./gemel-data", help="the server's data folder")
    one.add_argument("--role", default="admin", choices=("admin", "engineer", "operator", "viewer"))
    one.add_argument("--name", help="who logs in")
    one.set_defaults(run=serve.link)
    one = add("simulate", "a simulated plant: separate processes that speak MQTT")
    simulate.add_arguments(one)
    one.set_defaults(run=simulate.run)
    one = add("replay", "recorded data from files, through a real MQTT client")
    replay.add_arguments(one)
    one.set_defaults(run=replay.run)
    plant.add(commands)
    operate.add_status(commands)
    operate.add_twin(commands)
    operate.add_history(commands)
    operate.add_alarm(commands)
    operate.add_rule(commands)
    operate.add_command(commands)
    operate.add_device(commands)
    one = add("token", "make, list and end tokens")
    tokens.add(one)
    one.set_defaults(run=tokens.run)
    return top


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; the result is the exit code."""
    found = parser().parse_args(arguments)
    try:
        return int(found.run(found))
    except GemelError as error:
        return _fail(error)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0


def _fail(error: GemelError) -> int:
    sys.stderr.write(f"gemel: {error.message}\n")
    for detail in error.details[:20]:
        sys.stderr.write(f"  - {detail.get('message', detail)}\n")
    if len(error.details) > 20:
        sys.stderr.write(f"  ... and {len(error.details) - 20} more\n")
    if error.hint:
        sys.stderr.write(f"  {error.hint}\n")
    return 1


def run() -> NoReturn:
    raise SystemExit(main())
