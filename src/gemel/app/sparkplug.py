"""Gemel as a Sparkplug host: who is there, births that must be asked for, commands to nodes."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from gemel.app.signals import sent_names
from gemel.app.ways import FLOAT_STEP, converted, is_number
from gemel.commands.command import Check, Command
from gemel.core.access import Principal
from gemel.core.clock import SECOND, to_iso
from gemel.core.document import Edit, Json
from gemel.core.errors import Conflict, GemelError, InvalidInput, NotFound, TwinInvalid
from gemel.core.units import symbol
from gemel.ingest.decode import Route
from gemel.ingest.sparkplug import asking
from gemel.ingest.sparkplug.host import Nodes, place_of
from gemel.ingest.sparkplug.session import (
    BORN,
    DIED,
    PREFIX,
    STATE,
    STATED,
    TOLD,
    WANTED,
    Device,
    Known,
    Session,
    Sign,
    session_of,
)
from gemel.ingest.sparkplug.values import A_FLOAT, MILLISECOND

if TYPE_CHECKING:
    from gemel.app.platform import Platform

log = logging.getLogger("gemel.sparkplug")
KIND = "sparkplug"
WITHIN = 60 * SECOND


@dataclass(frozen=True, slots=True)
class Target:
    """A device that commands can be sent to."""

    session: Session
    device: Device
    route: Route
    names: Mapping[str, str]
    """Names under which values come that are not those of their properties."""

    def path(self, known: Known) -> str:
        """The property that a metric means."""
        name, _ = place_of(self.route, known)
        return self.names.get(name, name)

    def metric(self, path: str) -> tuple[Known, str] | None:
        """The metric that a property means, and the unit in which it is sent."""
        for known in self.device.by_name.values():
            if self.path(known) == path:
                return known, place_of(self.route, known)[1]
        return None

    def commanded(self, command: str) -> tuple[Known, str] | None:
        """The metric that a command sets: named by the binding, else of the command's name."""
        binding = self.route.binding
        name = binding.commands.get(command) if binding is not None else None
        if name is None:
            return self.metric(command)
        known = self.device.by_name.get(name)
        return None if known is None else (known, place_of(self.route, known)[1])


class Sparkplug:
    """The edge nodes of an installation, and what we say to them."""

    is_answered = False

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._twins: dict[str, tuple[str, str]] = {}
        """Twin to the key of its node and its device, once it was born."""
        self._changed: set[str] = set()
        self.since = 0
        """When we went online (ns); 0 while we are not."""
        self._denied: Principal | None = None
        """Who said that we are offline, until it is told otherwise."""

    @property
    def nodes(self) -> Nodes:
        return self._platform.ingest_stage.nodes

    @property
    def host(self) -> str:
        return self._platform.config.sparkplug_host

    # ---- start and end -------------------------------------------------------------------

    def load(self) -> None:
        """Takes over the numbers of metrics that nodes told of before a restart."""
        sessions = []
        for doc in self._platform.catalogue.plain[KIND].values():
            try:
                sessions.append(session_of(doc))
            except InvalidInput as error:
                log.error("%s (%s)", error, error.hint)
        self.nodes.restore(sessions)

    def online(self) -> None:
        """Once devices can be reached: says that this host is there."""
        self.since = self._platform.clock()
        self._state(is_online=True)

    def offline(self) -> None:
        """Before the listeners close: says that this host goes."""
        if self.since:
            self._state(is_online=False)
        self.since = 0

    def _state(self, *, is_online: bool) -> None:
        if self.host:
            payload = state_payload(self.since, is_online=is_online)
            self._platform.publish(STATE + self.host, payload, True)

    def save(self) -> None:
        """Stores the numbers that changed: data of after a restart can then be read."""
        stored = self._platform.catalogue.plain[KIND]
        now = self._platform.clock()
        edits = []
        for key in self._changed:
            session = self.nodes.sessions.get(key)
            doc = session.document() if session is not None else None
            if doc is not None and doc != stored.get(key):
                edits.append(Edit(KIND, key, doc, now, "gemel", "a birth"))
        self._changed.clear()
        if edits:
            self._platform.start_task(self._platform.edit(lambda _, __: (edits, None)))

    # ---- what nodes told -----------------------------------------------------------------

    def follow(self, signs: Iterable[Sign]) -> None:
        """What nodes told besides readings is durable and counts."""
        for sign in signs:
            if sign.kind == STATED:
                self._stated(sign)
                continue
            session = sign.session
            assert session is not None
            found = [session.devices[name] for name in sign.devices if name in session.devices]
            twins = [device.twin for device in found]
            if sign.kind == DIED:
                self._platform.presence.died(twins, sign.at)
            elif sign.kind == BORN:
                self._platform.presence.born(twins, sign.at)
                self._twins |= {device.twin: (session.key, device.name) for device in found}
                self._platform.desired.tell_nodes(twins)
            elif sign.kind == TOLD:
                self._changed.add(session.key)
            elif sign.kind == WANTED:
                self._ask_if_due(session, sign.at)

    def tick(self, now: int) -> None:
        """Once a second: births that are still to be asked for, and what changed."""
        for session in self.nodes.sessions.values():
            if session.wanted:
                self._ask_if_due(session, now)
        if self._changed:
            self.save()
        if self._denied is not None:
            who, self._denied = self._denied, None
            self._deny(who)

    def _ask_if_due(self, session: Session, now: int) -> None:
        if session.is_due(now) and self._ask(session):
            log.info("a birth of '%s' is asked for: %s", session.key, session.wanted)
            session.ask(now)

    def _ask(self, session: Session) -> bool:
        now = self._platform.clock() // MILLISECOND
        return self._publish(session, "NCMD", "", asking.rebirth(now))

    def _stated(self, sign: Sign) -> None:
        """Who says that we are offline is told otherwise, as two hosts of one name may do."""
        message = sign.message
        if message is None or not self.host or message.topic != STATE + self.host:
            return
        if self.since and not _is_online(message.payload):
            self._denied = message.who

    def _deny(self, who: Principal) -> None:
        """After what was said has gone to all: who hears both believes the later."""
        log.warning(
            "%s said that the Sparkplug host '%s' is offline: is there another of this name?",
            who.name,
            self.host,
        )
        if not self._platform.connections.state_again(who):
            self._state(is_online=True)

    # ---- to nodes ------------------------------------------------------------------------

    def _publish(self, session: Session, kind: str, device: str, payload: bytes) -> bool:
        """Sends to a node the way it came; whether that is possible now."""
        if not self.host or session.who is None:
            return False
        topic = f"{PREFIX}{session.group}/{kind}/{session.node}" + (f"/{device}" if device else "")
        sent = self._platform.connections.send(session.who, topic, payload)
        if sent is None:
            return self._platform.publish(topic, payload, False, 0, 0) > 0
        return sent

    def target(self, twin: str) -> Target | None:
        """Where commands to a twin go; None unless it was born as a part of an edge node."""
        key, name = self._twins.get(twin, ("", ""))
        session = self.nodes.sessions.get(key)
        device = session.devices.get(name) if session is not None else None
        if session is None or device is None or device.twin != twin:
            return None
        found, route = self.nodes.source_of(session.group, session.node, name)
        model = self._platform.catalogue.model_of(twin)
        if found != twin or model is None:
            return None
        names = sent_names(model, self._platform.catalogue.signals.of(model))
        return Target(session, device, route, names)

    def has(self, twin: str, command: str) -> bool:
        """See `ways.Way`: whether a twin was born as a part of an edge node."""
        return self.target(twin) is not None

    def is_there(self, twin: str, command: str = "") -> bool:
        """Whether commands reach a twin now."""
        target = self.target(twin)
        if target is None:
            return False
        who = target.session.who
        reach = self._platform.connections.reaches(who) if who is not None else False
        return bool(self.host and reach and target.session.is_alive and target.device.is_alive)

    def checked(self, twin: str, command: str, arguments: Any, unit: str) -> Check | None:
        """The reading that confirms a command where its settings name none.

        Raises:
            TwinInvalid: the device has no metric for it, or one that cannot hold the value.
        """
        target = self.target(twin)
        if target is None:
            return None
        known, _ = self._encoded(target, command, arguments, unit)
        path = target.path(known)
        catalogue = self._platform.catalogue
        signal = catalogue.signals.of(catalogue.require_twin(twin)).get(path)
        asked = True if arguments is None else arguments
        if signal is None or isinstance(asked, dict | list):
            return None
        if signal.unit:
            asked = converted(asked, unit, symbol(signal.unit))
        slack = abs(asked) * FLOAT_STEP if known.datatype == A_FLOAT and is_number(asked) else 0.0
        return Check(path, asked, slack, WITHIN)

    def _encoded(
        self, target: Target, command: str, arguments: Any, unit: str
    ) -> tuple[Known, bytes]:
        found = target.commanded(command)
        where = f"'{target.device.twin}' (Sparkplug {target.session.key})"
        if found is None:
            raise TwinInvalid(
                f"{where} has no metric '{command}' to which the command could be sent",
                hint="name the metric in a binding: commands: {" + command + ": METRIC}",
            )
        known, to_unit = found
        value = True if arguments is None else arguments
        try:
            value = converted(value, unit, to_unit)
            now = self._platform.clock() // MILLISECOND
            return known, asking.metric(known, value, now)
        except InvalidInput as error:
            raise TwinInvalid(
                f"{where}, metric '{known.name}': {error.message}", hint=error.hint
            ) from error

    def send(self, command: Command, unit: str) -> None:
        """Sends a command as a metric to its node, once."""
        target = self.target(command.twin)
        if target is None:
            return
        try:
            _, encoded = self._encoded(target, command.command, command.arguments, unit)
        except GemelError as error:
            log.warning("a command is not sent: %s", error)
            return
        self._send(target, [encoded])

    def shown(self, twin: str, command: str, arguments: Any, unit: str) -> tuple[str, str]:
        """The topic and, as JSON, the metric that a command would be sent as."""
        target = self.target(twin)
        assert target is not None
        known, _ = self._encoded(target, command, arguments, unit)
        kind = "DCMD" if target.device.name else "NCMD"
        topic = "/".join(
            filter(None, (PREFIX[:-1], target.session.group, kind, target.session.node))
        )
        topic += f"/{target.device.name}" if target.device.name else ""
        said = {"metric": known.name, "alias": known.alias, "value": arguments}
        return topic, orjson.dumps(said).decode()

    def tell(self, twin: str, wishes: Json) -> None:
        """Asks a device for values of its properties; those without a metric stay as they are."""
        target = self.target(twin)
        if target is None or not wishes or not self.is_there(twin):
            return
        now = self._platform.clock() // MILLISECOND
        metrics = []
        for path, value in wishes.items():
            found = target.metric(path)
            if found is None:
                continue
            known, unit = found
            own = self._platform.catalogue.unit_of(twin, path)
            try:
                metrics.append(asking.metric(known, converted(value, own, unit), now))
            except InvalidInput as error:
                log.warning("'%s' is not told %s = %s: %s", twin, path, value, error)
        if metrics:
            self._send(target, metrics)

    def _send(self, target: Target, metrics: list[bytes]) -> bool:
        payload = asking.payload(metrics, self._platform.clock() // MILLISECOND)
        kind = "DCMD" if target.device.name else "NCMD"
        return self._publish(target.session, kind, target.device.name, payload)

    # ---- for people ----------------------------------------------------------------------

    def listing(self) -> Json:
        """Every edge node as it is known."""
        nodes = [self._node(s) for _, s in sorted(self.nodes.sessions.items())]
        return {"host": self.host, "online": bool(self.since and self.host), "value": nodes}

    def rebirth(self, group: str, node: str) -> Json:
        """Asks a node to tell of itself again.

        Raises:
            NotFound: no such node was heard of.
            Conflict: it cannot be reached now.
        """
        session = self.nodes.sessions.get(f"{group}/{node}")
        if session is None:
            raise NotFound(
                f"there is no edge node '{group}/{node}'"[:300], hint="GET /sparkplug lists them"
            )
        if not self._ask(session):
            raise Conflict(
                f"the edge node '{session.key}' cannot be reached now",
                hint="it must be connected and listen to NCMD; its connector needs sparkplug = true"
                if self.host
                else "set sparkplug_host: without a name Gemel only listens",
            )
        session.ask(self._platform.clock())
        return self._node(session)

    def _node(self, session: Session) -> Json:
        state = "alive" if session.is_alive else "dead" if session.is_dead else "unknown"
        return {
            "group": session.group,
            "node": session.node,
            "state": state,
            "isSure": session.is_sure,
            "via": session.who.name if session.who is not None else "",
            "seq": session.seq,
            "bdSeq": session.bd_seq,
            "lastSeen": to_iso(session.last_seen) if session.last_seen else None,
            "births": session.births,
            "gaps": session.gaps,
            "lateDeaths": session.late_deaths,
            "requests": session.requests,
            "devices": [
                {
                    "name": device.name,
                    "twin": device.twin,
                    "isAlive": device.is_alive,
                    "metrics": len(device.by_name),
                }
                for device in session.devices.values()
            ],
        }


def state_payload(since: int, *, is_online: bool) -> bytes:
    """What a host says of itself on `spBv1.0/STATE/HOST`."""
    return orjson.dumps({"online": is_online, "timestamp": since // MILLISECOND})


def _is_online(payload: bytes) -> bool:
    try:
        found = orjson.loads(payload)
    except ValueError:
        return False
    return isinstance(found, dict) and found.get("online") is True
