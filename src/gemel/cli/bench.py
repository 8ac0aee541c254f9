"""`gemel bench`: a load for any MQTT server, and the proof that nothing acknowledged was lost."""

from __future__ import annotations

import argparse
import signal
import ssl
from functools import partial
from pathlib import Path
from typing import Any

from gemel.cli.client import Client
from gemel.cli.output import as_json, say
from gemel.core.clock import system_clock
from gemel.core.errors import ConfigInvalid
from gemel.load.frames import DEVICE
from gemel.load.generator import Generator, Pace
from gemel.load.ledger import read_ledger
from gemel.load.link import Server
from gemel.load.plan import Plan
from gemel.load.prepare import plant
from gemel.load.spread import Spread, shares
from gemel.load.verify import Verifier
from gemel.simulate.mqtt import find_token, parse_address

SECOND = 1_000_000
"""Of the times in a plan."""
DAY = 86_400 * SECOND


def add(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    made = actions.add_parser("plant", help="print a plant for a load, for gemel import")
    made.set_defaults(run=print_plant)
    made.add_argument("--no-rules", action="store_true", help="without a rule for each signal")
    loaded = actions.add_parser("load", help="send readings to an MQTT server")
    loaded.set_defaults(run=load)
    for one in (made, loaded):
        option = one.add_argument
        option("--devices", type=int, default=100, metavar="N", help="(%(default)s)")
        option("--readings", type=int, default=1, metavar="N", help="in a message (%(default)s)")
        option("--prefix", default="load-", help="names are this and 5 digits (%(default)s)")
    _add_load(loaded)
    checked = actions.add_parser("verify", help="hold a ledger against history")
    checked.set_defaults(run=verify)
    option = checked.add_argument
    option("--ledger", required=True, metavar="FILE", help="that gemel bench load wrote")
    option("--url", help="the server's HTTP address (else GEMEL_URL, else --data)")
    option("--token", help="one that may read history (else GEMEL_TOKEN)")
    option("--data", default="./gemel-data", help="the data folder of the running server")
    option("--json", action="store_true", help="print JSON for programs")


def _add_load(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--mqtt", default="127.0.0.1:1883", metavar="HOST:PORT", help="(%(default)s)")
    add("--token", help="one that may write the devices (else GEMEL_TOKEN)")
    add("--token-file", metavar="FILE", help="a file that holds the token")
    add("--user", default="", help="the MQTT user; the token is its password")
    add("--tls", action="store_true", help="connect with TLS")
    add("--authority", metavar="FILE", help="the certificate authority of the server, with --tls")
    add("--topic", default=f"devices/{DEVICE}/telemetry", help="(%(default)s)")
    add("--connections", type=int, metavar="N", help="one for each device, but at most 1,000")
    add("--qos", type=int, default=1, choices=(0, 1), help="(%(default)s)")
    add("--window", type=int, default=400, metavar="N",
        help="QoS 1: messages of a connection on their way at one time (%(default)s)")  # fmt: skip
    add("--one-a-packet", action="store_true", help="each message in a TCP packet of its own")
    add("--processes", type=int, default=1, metavar="N",
        help="that share the devices out, where one is too slow (%(default)s)")  # fmt: skip
    add("--rate", type=float, default=0, metavar="N",
        help="readings a second over all; 0: as fast as possible (%(default)s)")  # fmt: skip
    add("--seconds", type=float, default=0, metavar="N", help="end after so long")
    add("--count", type=int, default=0, metavar="N", help="end after N messages of a connection")
    add("--step", type=float, default=1.0, metavar="MS",
        help="without --rate: between the times of two messages (%(default)s)")  # fmt: skip
    add("--seed", type=int, default=1, help="same seed, same values (%(default)s)")
    add("--reconnect", type=float, default=0, metavar="SECONDS",
        help="try a lost connection anew for so long (%(default)s)")  # fmt: skip
    add("--patience", type=float, default=30, metavar="SECONDS",
        help="give up when the server takes nothing for so long (%(default)s)")  # fmt: skip
    add("--ledger", metavar="FILE", help="write what was acknowledged to a new file, as it comes")
    add("--json", action="store_true", help="print JSON for programs")


def print_plant(arguments: argparse.Namespace) -> int:
    plan = Plan(arguments.devices, 1, arguments.readings, 10**15, 1, prefix=arguments.prefix)
    names = [plan.name(d) for d in range(plan.devices)]
    as_json(plant(names, plan.signals, not arguments.no_rules))
    return 0


def load(arguments: argparse.Namespace) -> int:
    """Sends; exit code 1 if the server did not take all.

    Raises:
        GemelError: an argument is wrong, or the server refuses the devices.
    """
    pace = _pace(arguments)
    generator = _generator(arguments, pace)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: generator.stop())
    tally, readings = generator.run(), arguments.readings
    counted = tally.acknowledged if pace.qos else tally.sent
    seconds = max(tally.seconds, 1e-9)
    found: dict[str, Any] = {
        "messages": tally.sent,
        "acknowledged": tally.acknowledged,
        "repeated": tally.repeated,
        "readings": counted * readings,
        "began": tally.began / 1e9,
        "seconds": round(tally.seconds, 4),
        "messages_per_s": round(counted / seconds, 1),
        "readings_per_s": round(counted * readings / seconds, 1),
        "p50_ms": _milliseconds(tally.percentile(50)),
        "p99_ms": _milliseconds(tally.percentile(99)),
        "cpu_s": round(tally.cpu_s, 3),
        "lost_connections": tally.lost_connections,
        "problem": tally.problem,
    }
    if arguments.json:
        as_json(found)
    else:
        _tell(found)
    return 1 if tally.problem else 0


def _generator(arguments: argparse.Namespace, pace: Pace) -> Generator | Spread:
    plan, server, topic = _plan(arguments, pace), _server(arguments), arguments.topic
    ledger = Path(arguments.ledger) if arguments.ledger else None
    if arguments.processes == 1:
        return Generator(plan, pace, server, topic, ledger)
    if ledger:
        raise ConfigInvalid("--ledger is written by one process: leave --processes out")
    parts = shares(plan, pace, arguments.processes)
    return Spread([partial(Generator, *part, server, topic) for part in parts])


def _pace(arguments: argparse.Namespace) -> Pace:
    for name in ("rate", "seconds", "count", "reconnect", "patience"):
        if getattr(arguments, name) < 0:
            raise ConfigInvalid(f"--{name} {getattr(arguments, name):g} is below 0")
    return Pace(
        arguments.qos,
        arguments.window,
        arguments.one_a_packet,
        arguments.rate / max(arguments.readings, 1),
        arguments.count,
        arguments.seconds,
        arguments.patience,
        arguments.reconnect,
    )


def _plan(arguments: argparse.Namespace, pace: Pace) -> Plan:
    """With times that are right now at a steady rate, and past where nothing sets the pace."""
    connections = arguments.connections or min(arguments.devices, 1_000)
    step, phase = round(arguments.step * 1_000), 0
    start = system_clock() // 1_000
    if pace.rate:
        step = max(1, round(connections * SECOND / pace.rate))
        phase = step // connections
    else:
        start -= step * pace.count if pace.count else DAY
    return Plan(
        arguments.devices,
        connections,
        arguments.readings,
        start,
        step,
        phase,
        arguments.seed,
        arguments.prefix,
    )


def _server(arguments: argparse.Namespace) -> Server:
    host, port = parse_address(arguments.mqtt)
    context = None
    if arguments.tls:
        try:
            context = ssl.create_default_context(cafile=arguments.authority)
        except (OSError, ssl.SSLError) as error:
            raise ConfigInvalid(f"--authority {arguments.authority}: {error}") from error
    elif arguments.authority:
        raise ConfigInvalid("--authority says nothing without --tls")
    token = find_token(arguments.token, arguments.token_file)
    return Server(host, port, arguments.user, token, context)


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1_000, 3)


def _tell(found: dict[str, Any]) -> None:
    say(
        f"{found['messages']:,} messages, {found['acknowledged']:,} acknowledged, "
        f"in {found['seconds']:.2f} s"
    )
    say(f"{found['messages_per_s']:,.0f} messages/s, {found['readings_per_s']:,.0f} readings/s")
    if found["p50_ms"] is not None:
        say(f"acknowledged after {found['p50_ms']:.2f} ms (p50), {found['p99_ms']:.2f} ms (p99)")
    say(f"the generator took {found['cpu_s']:.2f} s of processor time")
    if found["lost_connections"]:
        say(
            f"{found['lost_connections']} connections were lost, {found['repeated']:,} messages "
            "were sent again"
        )
    if found["problem"]:
        say(f"not all was taken: {found['problem']}")


def verify(arguments: argparse.Namespace) -> int:
    """Exit code 1 if a reading is lost, doubled or wrong.

    Raises:
        GemelError: there is no such ledger, or the server cannot be asked.
    """
    ledger = read_ledger(Path(arguments.ledger))
    client = Client(arguments.data, arguments.url, arguments.token)
    verdict = Verifier(ledger, client.call).run()
    if arguments.json:
        as_json(verdict.as_json())
    else:
        say(f"{ledger.messages:,} messages with {verdict.acknowledged:,} readings acknowledged")
        say(f"lost {verdict.lost:,}, doubled {verdict.doubled:,}, wrong {verdict.wrong:,}")
        say(f"{verdict.unacknowledged:,} more are there that the ledger does not vouch for")
        for example in verdict.examples:
            say(f"  {example}")
    return 0 if verdict.is_right else 1
