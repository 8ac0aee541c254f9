"""`gemel simulate`: a plant without a plant."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys

import orjson

from gemel.core.clock import from_iso
from gemel.core.errors import ConfigInvalid
from gemel.simulate.fault import DEMO, FAULTS, FORM, parse_faults
from gemel.simulate.floor import AREAS, Floor
from gemel.simulate.mqtt import find_token, parse_address
from gemel.simulate.plant import BUILDERS, check_faults
from gemel.simulate.process import run_here
from gemel.simulate.runner import Plan
from gemel.simulate.supervisor import Supervisor

MOST_PAST = 7 * 86_400
MOST_LIVED = 3_650


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mqtt", default="127.0.0.1:1883", metavar="HOST:PORT", help="the server (%(default)s)"
    )
    parser.add_argument("--token", help="one token for all devices (else GEMEL_TOKEN)")
    parser.add_argument("--token-file", metavar="FILE", help="a file that holds the token")
    parser.add_argument("--plant", default="demo", choices=["demo"], help="which plant")
    parser.add_argument(
        "--areas", default=",".join(AREAS), metavar="NAMES", help="only these areas (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="same seed, same values (%(default)s)")
    parser.add_argument(
        "--speed", type=float, default=1.0, help="plant seconds in a second (%(default)s)"
    )
    parser.add_argument(
        "--start", metavar="TIME", help="when the plant's time begins, ISO 8601 (now)"
    )
    parser.add_argument("--duration", type=float, metavar="SECONDS", help="plant seconds, then end")
    parser.add_argument(
        "--past",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="plant seconds before the beginning, sent first (%(default)s)",
    )
    parser.add_argument(
        "--lived",
        type=int,
        default=0,
        metavar="DAYS",
        help="days of wear before that: bearings wore out and were renewed (%(default)s)",
    )
    parser.add_argument(
        "--faults", default="demo", metavar="PLAN", help="time line of faults: demo or none"
    )
    parser.add_argument(
        "--fault", action="append", default=[], metavar="FAULT", help=f"one more fault: {FORM}"
    )
    parser.add_argument(
        "--processes", action="store_true", help="one process for each area, under a supervisor"
    )
    parser.add_argument(
        "--leashed", action="store_true", help="ends when standard input, a pipe, ends"
    )
    parser.add_argument("--list-faults", action="store_true", help="say which faults there are")
    parser.add_argument("--json", action="store_true", help="the summary at the end as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Runs the plant until its duration is over or it is told to stop.

    Raises:
        GemelError: an argument is wrong, or the server refuses the devices.
    """
    if arguments.list_faults:
        sys.stdout.write(fault_list())
        return 0
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    plan = plan_from(arguments)
    leash = sys.stdin.fileno() if arguments.leashed else None
    if arguments.processes:
        tally = asyncio.run(Supervisor(plan).run(leash))
    else:
        tally = asyncio.run(run_here(plan, leash=leash))
    if arguments.json:
        body = {
            "seconds": round(tally.seconds, 3), "acknowledged": tally.messages,
            "unconfirmed": tally.waiting, "dropped": tally.dropped,
        }  # fmt: skip
        sys.stdout.write(orjson.dumps(body).decode() + "\n")
    return 0


def plan_from(arguments: argparse.Namespace) -> Plan:
    """The plan that the arguments ask for.

    Raises:
        ConfigInvalid: an argument is out of range.
        InvalidInput: a fault or the start is written wrongly.
    """
    host, port = parse_address(arguments.mqtt)
    if not 0.01 <= arguments.speed <= 10_000:
        raise ConfigInvalid(f"--speed {arguments.speed:g} is not within 0.01 to 10,000")
    if arguments.duration is not None and not arguments.duration > 0:
        raise ConfigInvalid(f"--duration {arguments.duration:g} is not above 0")
    if not 0 <= arguments.past <= MOST_PAST:
        raise ConfigInvalid(f"--past {arguments.past:g} is not within 0 to {MOST_PAST:,}")
    if not 0 <= arguments.lived <= MOST_LIVED:
        raise ConfigInvalid(f"--lived {arguments.lived} is not within 0 to {MOST_LIVED:,}")
    areas = tuple(name.strip() for name in arguments.areas.split(",") if name.strip())
    for name in areas:
        if name not in AREAS:
            raise ConfigInvalid(f"there is no area '{name}'", hint=f"there are {', '.join(AREAS)}")
    if not areas:
        raise ConfigInvalid("--areas names none", hint=f"there are {', '.join(AREAS)}")
    faults = tuple(parse_faults(arguments.faults, arguments.fault))
    floor = Floor()
    check_faults(faults, [d for build in BUILDERS.values() for d in build(arguments.seed, floor)])
    return Plan(
        areas=areas,
        seed=arguments.seed,
        speed=arguments.speed,
        start=None if arguments.start is None else from_iso(arguments.start),
        duration=arguments.duration,
        past=arguments.past,
        lived=arguments.lived,
        faults=faults,
        host=host,
        port=port,
        token=find_token(arguments.token, arguments.token_file),
    )


def fault_list() -> str:
    """All faults, where they can be, and the demo's time line."""
    width = max(map(len, FAULTS))
    lines = [f"{name.ljust(width)}  {text}" for name, text in FAULTS.items()]
    lines += ["", f"--fault {FORM}", "", "--faults demo:", *(f"  {text}" for text in DEMO)]
    return "\n".join(lines) + "\n"
