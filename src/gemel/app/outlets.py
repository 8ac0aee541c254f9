"""Connectors as a way out: what is asked of a twin goes where its readings come from.

A connector that writes (`core.ports.Writer`) knows places: topics and names. Which twin and which
property a place is of, bindings say, as they do for what comes in. Everything here is asked of
them anew when they or the places change, and nothing of it is stored.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from gemel.app.signals import Signal, sent_names
from gemel.app.ways import FLOAT_STEP, converted, is_number
from gemel.commands.command import FAILED, SUCCEEDED, Check, Command
from gemel.core import message
from gemel.core.clock import SECOND
from gemel.core.document import Edit
from gemel.core.errors import InvalidInput, TwinInvalid
from gemel.core.message import Outcome
from gemel.core.ports import Writer
from gemel.core.units import symbol
from gemel.ingest.topics import Binding, BindingIndex, device_id, is_ours
from gemel.twins.graph import EditContext, Graph

if TYPE_CHECKING:
    from gemel.app.platform import Platform

log = logging.getLogger("gemel.commands")
WITHIN = 60 * SECOND
"""The time in which a reading is to agree, where settings say nothing."""
COMPARED = frozenset({"boolean", "string", "float", "double"})
"""Schemas whose values are held against what was asked; whole numbers beside."""
Names = Mapping[str, str]
Places = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Source:
    """A topic of a connector on which values of a twin come."""

    connector: str
    writer: Writer
    topic: str
    names: Mapping[str, str]
    """Each with the unit in which the connector says that its values are."""
    binding: Binding | None

    def name_of(self, path: str, others: Names) -> str | None:
        """The name under which values of a property come; None if it is not of here.

        Args:
            path: of the property.
            others: by path, the names that are not those of their properties.
        """
        fields = self.binding.fields if self.binding is not None else {}
        for name, field in fields.items():
            if field.property == path and name in self.names:
                return name
        name = others.get(path, path)
        is_mapped = name in fields or (self.binding is not None and self.binding.only)
        return name if name in self.names and not is_mapped else None

    def path_of(self, name: str, sent: Names) -> str:
        """The property that a name means, if the model has it."""
        field = self.binding.fields.get(name) if self.binding is not None else None
        return sent.get(name, name) if field is None else field.property

    def unit_of(self, name: str) -> str:
        """The unit of the source's values; "" if it is the property's own."""
        field = self.binding.fields.get(name) if self.binding is not None else None
        bound = "" if field is None else field.unit
        return bound or self.names.get(name, "")


@dataclass(frozen=True, slots=True)
class Target:
    """A place that is written, and the property that it stands for."""

    source: Source
    name: str
    path: str
    signal: Signal | None
    """None for what is called rather than set."""

    @property
    def words(self) -> str:
        return f"connector '{self.source.connector}', {self.source.topic}/{self.name}"

    def value_of(self, value: Any, unit: str) -> Any:
        """What is sent for a value in a unit ("": the property's own), as it will stand there.

        Raises:
            TwinInvalid: the place cannot take it, and why.
        """
        own = symbol(self.signal.unit) if self.signal is not None and self.signal.unit else ""
        try:
            sent = converted(value, unit or own, self.source.unit_of(self.name) or own)
            return self.source.writer.check(self.source.topic, self.name, sent)
        except InvalidInput as error:
            raise TwinInvalid(f"{self.words}: {error.message}", hint=error.hint) from error


@dataclass(frozen=True, slots=True)
class _Known:
    """The sources of one connector by twin, and what they were made of."""

    writer: Writer
    places: Places
    bindings: BindingIndex
    by_twin: Mapping[str, list[Source]]


class Outlets:
    """See `ways.Way`; `tell` does the same for desired values."""

    is_answered = True

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._known: dict[str, _Known] = {}
        self._busy: set[str] = set()
        """Twins to which a command is on its way."""

    # ---- where things go -----------------------------------------------------------------

    def _of(self, connector: str, writer: Writer) -> Mapping[str, list[Source]]:
        places, bindings = writer.places(), self._platform.ingest_stage.bindings
        known = self._known.get(connector)
        if (
            known is None
            or known.writer is not writer
            or known.places is not places
            or known.bindings is not bindings
        ):
            found = _by_twin(connector, writer, places, bindings)
            known = self._known[connector] = _Known(writer, places, bindings, found)
        return known.by_twin

    def by_connector(self) -> Iterator[tuple[str, Writer, Collection[str]]]:
        """Each connector that writes, with the twins that it has places of."""
        for name, writer in self._platform.connections.writers.items():
            yield name, writer, self._of(name, writer).keys()

    def forget(self, connectors: Collection[str]) -> None:
        """Lets go of what is known of connectors that are not among these."""
        for name in [one for one in self._known if one not in connectors]:
            del self._known[name]

    def _sources(self, twin: str) -> list[Source]:
        return [
            source
            for name, writer in self._platform.connections.writers.items()
            for source in self._of(name, writer).get(twin, ())
        ]

    def _named(self, twin: str) -> tuple[Mapping[str, Signal], Names]:
        """The signals of a twin, and the names under which values of some of them come."""
        model = self._platform.catalogue.model_of(twin)
        if model is None:
            return {}, {}
        signals = self._platform.catalogue.signals.of(model)
        return signals, sent_names(model, signals)

    def place_of(self, twin: str, path: str) -> Target | None:
        """Where values of a property are written; None if no connector has it."""
        sources = self._sources(twin)
        if not sources:
            return None
        signals, sent = self._named(twin)
        others = {one: name for name, one in sent.items()}
        for source in sources:
            name = source.name_of(path, others)
            if name is not None:
                return Target(source, name, path, signals.get(path))
        return None

    def _commanded(self, twin: str, command: str) -> Target | None:
        """What a command sets or calls: named by a binding, else of the command's own name."""
        for source in self._sources(twin):
            name = source.binding.commands.get(command) if source.binding is not None else None
            if name is not None:
                signals, sent = self._named(twin)
                path = source.path_of(name, sent)
                return Target(source, name, path, signals.get(path))
        return self.place_of(twin, command)

    def _target(self, twin: str, command: str) -> Target:
        found = self._commanded(twin, command)
        if found is None:
            places = [f"{one.topic} (connector '{one.connector}')" for one in self._sources(twin)]
            raise TwinInvalid(
                f"there is nothing on {', '.join(places) or 'any connector'} that the command "
                f"'{command}' to '{twin}' could set or call",
                hint="name it in a binding of the topic: commands: {" + command + ": NAME}",
            )
        return found

    # ---- commands ------------------------------------------------------------------------

    def has(self, twin: str, command: str) -> bool:
        """Also where it stands for nothing there, unless a device listens for it."""
        if not self._sources(twin):
            return False
        if self._commanded(twin, command) is not None:
            return True
        return not self._platform.listeners(f"devices/{twin}/commands/{command}/x")

    def is_there(self, twin: str, command: str) -> bool:
        if twin in self._busy:
            return False
        found = self._commanded(twin, command)
        sources = self._sources(twin) if found is None else [found.source]
        return any(source.writer.is_ready() for source in sources)

    def checked(self, twin: str, command: str, arguments: Any, unit: str) -> Check | None:
        target = self._target(twin, command)
        held = target.value_of(arguments, unit)
        signal = target.signal
        asked = True if held is None else held
        if signal is None or not _is_compared(signal, asked):
            return None
        own = symbol(signal.unit) if signal.unit else ""
        asked = converted(asked, target.source.unit_of(target.name) or own, own)
        is_rounded = signal.schema.kind in ("float", "double") and is_number(asked)
        return Check(target.path, asked, abs(asked) * FLOAT_STEP if is_rounded else 0.0, WITHIN)

    def shown(self, twin: str, command: str, arguments: Any, unit: str) -> tuple[str, str]:
        target = self._target(twin, command)
        value = target.value_of(arguments, unit)
        return f"{target.source.topic}/{target.name}", orjson.dumps(value).decode()

    def send(self, command: Command, unit: str) -> None:
        self._busy.add(command.twin)
        self._platform.start_task(self._send(command, unit))

    async def _send(self, command: Command, unit: str) -> None:
        dispatch = self._platform.reactions.dispatch
        path = ""
        try:
            try:
                target = self._target(command.twin, command.command)
                value, path = target.value_of(command.arguments, unit), target.path
            except InvalidInput as error:
                outcome = Outcome(message.REFUSED, str(error))
            else:
                outcome = await write(target, value)
            await self._platform.edit(
                lambda _, context: (self._after(command.id, outcome, context.now), None),
                why="answer",
            )
            if outcome.is_read:
                await self._platform.edit(
                    lambda graph, context: self._held(command.id, path, graph, context),
                    why="confirm",
                )
        finally:
            self._busy.discard(command.twin)
            dispatch.send_due()

    def _after(self, key: str, outcome: Outcome, now: int) -> list[Edit]:
        """What is known of a command once it was written, or was not."""
        book = self._platform.reactions.dispatch.book
        if outcome.state == message.UNSURE:
            return book.unsure(key, now, outcome.said)
        if outcome.state == message.TAKEN:
            return book.delivered(key, now, outcome.said)
        status = SUCCEEDED if outcome.state == message.DONE else FAILED
        return book.answered(key, status, outcome.result, outcome.said, now)

    def _held(self, key: str, path: str, _: Graph, context: EditContext) -> tuple[list[Edit], None]:
        """Holds what was read behind the write against what was asked."""
        book = self._platform.reactions.dispatch.book
        command = book.get(key)
        if command.check is None or command.check.path != path:
            return [], None
        found = self._platform.measured_value_of(command.twin)(path) or (None, 0)
        return book.reading(command.twin, path, found, context.now, context.now), None


async def write(target: Target, value: Any) -> Outcome:
    """Writes a value to its place; what a connector should not raise is an outcome too."""
    try:
        return await target.source.writer.write(target.source.topic, target.name, value)
    except Exception as error:
        log.exception("%s could not be written", target.words)
        said = f"{target.words}: {error or type(error).__name__}; whether it was done is not known"
        return Outcome(message.UNSURE, said)


def _by_twin(
    connector: str, writer: Writer, places: Places, bindings: BindingIndex
) -> dict[str, list[Source]]:
    found: dict[str, list[Source]] = {}
    for topic, names in places.items():
        bound = bindings.find(topic)
        of = topic.split("/")[1] if is_ours(topic) else topic
        binding, twin = (bound[0], bound[1]) if bound else (None, device_id(of))
        found.setdefault(twin, []).append(Source(connector, writer, topic, names, binding))
    return found


def _is_compared(signal: Signal, asked: Any) -> bool:
    """Whether a value as it was asked for and as it comes back can be held against each other."""
    if isinstance(asked, dict | list):
        return False
    return signal.schema.kind in COMPARED or is_number(asked)
