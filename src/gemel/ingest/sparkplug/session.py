"""Edge nodes as they told of themselves: births, deaths, the order of their messages.

The rules of Sparkplug without I/O and without a clock. A session that is not `is_sure` has numbers
(aliases) that may be outdated: a message was lost, or we were started anew. What it sends is taken
and called uncertain until the birth that is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gemel.core.access import Principal
from gemel.core.clock import SECOND
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.core.message import Message
from gemel.ingest.senml import Problem
from gemel.ingest.sparkplug.values import name_of
from gemel.ingest.sparkplug.wire import Metric, Payload

NAMESPACE = "spBv1.0"
PREFIX = NAMESPACE + "/"
STATE = PREFIX + "STATE/"
OF_NODE = frozenset({"NBIRTH", "NDEATH", "NDATA"})
OF_DEVICE = frozenset({"DBIRTH", "DDEATH", "DDATA"})
FROM_HOSTS = frozenset({"NCMD", "DCMD", "STATE"})
BD_SEQ = "bdSeq"
REBIRTH = "Node Control/Rebirth"
CONTROL = ("Node Control/", "Device Control/")
"""Names of metrics that steer the node itself: they are no telemetry."""
MOST_NODES = 10_000
MOST_DEVICES = 1_000
"""Of one node."""
MOST_KNOWN = 1_000_000
"""Metrics of all nodes together."""
SPACING = 10 * SECOND
"""Between two requests for a birth to one node."""
RETRY = 60 * SECOND
"""Until a node that did not answer is asked again, if it still sends."""
WRAP = 256


@dataclass(frozen=True, slots=True)
class Address:
    """What a topic says."""

    group: str
    node: str
    device: str
    """"" for the node itself."""
    kind: str

    @property
    def key(self) -> str:
        return f"{self.group}/{self.node}"

    @property
    def twin(self) -> str:
        """The device's name where no binding gives another."""
        return ".".join(filter(None, (self.group, self.node, self.device)))

    @property
    def topic(self) -> str:
        """Where its data come: by this topic bindings know it."""
        if self.device:
            return f"{PREFIX}{self.group}/DDATA/{self.node}/{self.device}"
        return f"{PREFIX}{self.group}/NDATA/{self.node}"


def is_from_host(topic: str) -> bool:
    """Whether it is a command to a node, or the state of a host."""
    levels = topic.split("/", 3)
    return len(levels) > 2 and levels[2] in FROM_HOSTS


def address_of(topic: str) -> Address:
    """Reads a topic of the namespace.

    Raises:
        Problem: it is none that Sparkplug knows.
    """
    levels = topic.split("/")
    kind = levels[2] if len(levels) > 3 else ""
    if all(levels) and len(levels) == (4 if kind in OF_NODE else 5) and levels[0] == NAMESPACE:
        if kind in OF_NODE:
            return Address(levels[1], levels[3], "", kind)
        if kind in OF_DEVICE:
            return Address(levels[1], levels[3], levels[4], kind)
    raise Problem(
        f"no topic of Sparkplug: {PREFIX}GROUP/NBIRTH, NDATA or NDEATH/NODE, "
        f"or {PREFIX}GROUP/DBIRTH, DDATA or DDEATH/NODE/DEVICE"
    )


@dataclass(frozen=True, slots=True)
class Known:
    """A metric as a birth told of it."""

    name: str
    alias: int
    """-1 without."""
    datatype: int
    unit: str

    @property
    def path(self) -> str:
        """The property it means where no binding says otherwise."""
        return self.name.replace("/", ".")

    def document(self) -> list[Any]:
        return [self.name, self.alias, self.datatype, self.unit]


@dataclass(slots=True)
class Device:
    """What a node said of itself (under "") or of one of its devices."""

    name: str
    twin: str = ""
    is_alive: bool = False
    by_name: dict[str, Known] = field(default_factory=dict)
    by_alias: dict[int, Known] = field(default_factory=dict)

    def learn(self, metrics: Iterable[Known]) -> None:
        self.by_name = {metric.name: metric for metric in metrics}
        self.by_alias = {m.alias: m for m in self.by_name.values() if m.alias >= 0}


class Session:
    """One edge node."""

    def __init__(self, group: str, node: str) -> None:
        self.group = group
        self.node = node
        self.devices: dict[str, Device] = {}
        self.who: Principal | None = None
        """In whose name it sends: commands go back the same way."""
        self.is_alive = False
        self.is_dead = False
        """Whether it died, and no birth was seen since."""
        self.is_sure = False
        self.seq = -1
        """Of the last message; -1 where any may follow."""
        self.bd_seq = -1
        self.last_seen = 0
        self.births = self.gaps = self.late_deaths = self.requests = 0
        self.wanted = ""
        """Why a birth is to be asked for; "" if none is."""
        self.asked = 0
        """When a birth was last asked for (ns)."""
        self._is_waiting = False

    @property
    def key(self) -> str:
        return f"{self.group}/{self.node}"

    def device(self, name: str) -> Device:
        """The device of a name, made if need be.

        Raises:
            Problem: there are too many.
        """
        found = self.devices.get(name)
        if found is None:
            if len(self.devices) > MOST_DEVICES:
                raise Problem(f"'{self.key}' has more than {MOST_DEVICES} devices")
            found = self.devices[name] = Device(name)
        return found

    # ---- births and deaths ---------------------------------------------------------------

    def born(self, payload: Payload, metrics: list[Known]) -> list[Device]:
        """The node tells of itself; returns devices of before, which are to tell again."""
        self.bd_seq = bd_seq_of(payload)
        before = [device for device in self.devices.values() if device.name and device.is_alive]
        for device in before:
            device.is_alive = False
        own = self.device("")
        own.learn(metrics)
        own.is_alive = self.is_alive = self.is_sure = True
        self.is_dead = False
        self.seq = payload.seq
        self.births += 1
        self.wanted, self._is_waiting = "", False
        return before

    def died(self, payload: Payload) -> list[Device]:
        """The node, or its broker for it, tells that it is gone; who is gone with it.

        A death of a session before this one comes late and says nothing of this one. One of a
        session whose birth was not seen is believed.
        """
        said = bd_seq_of(payload)
        behind = (self.bd_seq - said) % WRAP
        if said >= 0 and self.bd_seq >= 0 and 0 < behind < WRAP // 2:
            self.late_deaths += 1
            return []
        gone = [device for device in self.devices.values() if device.is_alive]
        for device in gone:
            device.is_alive = False
        self.is_alive, self.is_dead = False, True
        self.seq = -1
        return gone

    def follow(self, seq: int, now: int) -> None:
        """Holds the number of a message against that of the one before.

        Raises:
            Problem: it has none.
        """
        if not 0 <= seq < WRAP:
            raise Problem("it has no seq from 0 to 255, without which no loss can be seen")
        before, self.seq = self.seq, seq
        if before < 0 or seq == (before + 1) % WRAP or seq == before:
            return
        self.gaps += 1
        self.is_sure = False
        self.want(f"seq {seq} came after {before}", now)

    # ---- asking for a birth --------------------------------------------------------------

    def want(self, why: str, now: int) -> None:
        """Notes that a birth is needed; until it comes, or for a minute, one request is enough."""
        if not self._is_waiting or now >= self.asked + RETRY:
            self.wanted = self.wanted or why

    def is_due(self, now: int) -> bool:
        return bool(self.wanted) and now >= self.asked + SPACING

    def ask(self, now: int) -> None:
        """Call when the birth was asked for."""
        self.wanted, self._is_waiting, self.asked = "", True, now
        self.requests += 1

    # ---- documents -----------------------------------------------------------------------

    def document(self) -> Json:
        """What must outlive a restart: the numbers of metrics."""
        devices = {
            name: [metric.document() for metric in device.by_name.values()]
            for name, device in self.devices.items()
        }
        return {"group": self.group, "node": self.node, "devices": devices}


BORN, DIED, STATED, TOLD, WANTED = "born", "died", "stated", "told", "wanted"


class Sign(NamedTuple):
    """What a message means for others, once it is taken in."""

    kind: str
    """`BORN`, `DIED` (of devices), `TOLD` (metrics changed), `WANTED` (a birth), `STATED`."""
    session: Session | None
    devices: tuple[str, ...] = ()
    """By their names in the session."""
    at: int = 0
    """When it was received (ns)."""
    message: Message | None = None
    """Of `STATED`: what was said of the state of a host."""


def session_of(doc: Json) -> Session:
    """A session as it was; a birth is asked for when it sends.

    Raises:
        InvalidInput: the document is damaged.
    """
    try:
        found = Session(doc["group"], doc["node"])
        for name, metrics in doc["devices"].items():
            device = found.device(name)
            device.learn(Known(str(m[0]), int(m[1]), int(m[2]), str(m[3])) for m in metrics)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, Problem) as error:
        raise InvalidInput(
            f"the document of the Sparkplug node '{doc.get('node', '')}' is damaged: {error!r}",
            hint="it is made again by the node's next birth",
        ) from error
    return found


def bd_seq_of(payload: Payload) -> int:
    """The number of the node's connection; -1 without."""
    return next((int(m.value) for m in payload.metrics if _is_bd_seq(m)), -1)


def _is_bd_seq(metric: Metric) -> bool:
    return metric.name == BD_SEQ and type(metric.value) is int


def told(payload: Payload) -> list[Known]:
    """The metrics of a birth; those that steer the node are among them.

    Raises:
        Problem: it is no birth that could be relied on; the text says why.
    """
    if payload.is_wrapped:
        raise Problem("a compressed payload is not taken: let the node send it plain")
    if not 0 <= payload.seq < WRAP:
        raise Problem("a birth without a seq from 0 to 255")
    found: list[Known] = []
    names: set[str] = set()
    aliases: dict[int, str] = {}
    for metric in payload.metrics:
        known = Known(metric.name, metric.alias, metric.datatype, metric.unit)
        if not known.name:
            raise Problem(f"a birth with a metric without a name (alias {known.alias})")
        if known.path in names:
            raise Problem(f"a birth with the metric '{known.name[:100]}' twice")
        other = aliases.get(known.alias) if known.alias >= 0 else None
        if other is not None:
            raise Problem(
                f"a birth with the alias {known.alias} for '{other[:100]}' and '{known.name[:100]}'"
            )
        if not 0 < known.datatype < 35:
            said = name_of(known.datatype) if known.datatype else "no datatype"
            raise Problem(f"a birth with {said} for '{known.name[:100]}'")
        names.add(known.path)
        aliases[known.alias] = known.name
        found.append(known)
    return found
