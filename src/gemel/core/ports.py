"""The small interfaces between the inside and the world; every implementation passes one suite."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from gemel.core.access import Principal
from gemel.core.cloud_event import CloudEvent, Fate
from gemel.core.document import Document, Edit, Encoded, Json, Version
from gemel.core.message import LastValue, Message, Outcome, Samples


class Documents(Protocol):
    """Stores documents; `commit` is all or nothing and durable when it returns."""

    def commit(self, edits: Sequence[Edit]) -> None: ...

    def load(self, kind: str) -> Iterator[Document]: ...

    def load_encoded(self, kind: str) -> Iterator[Encoded]:
        """Edits of a kind in their order, of very many documents: none of them is decoded.

        The newest of each is there, older ones may be; None is a deletion.
        """
        ...

    def get(self, kind: str, key: str) -> Document | None: ...

    def versions(self, kind: str, key: str) -> list[Version]: ...

    def newest(self) -> int:
        """The number of the last edit; 0 before the first."""
        ...

    def edited(self, kind: str, after: int) -> set[str]:
        """The keys of a kind that edits behind a number name, by whichever process."""
        ...

    def close(self) -> None: ...


class Host(Protocol):
    """What a protocol server asks of the platform. All calls are on the event loop's thread."""

    def authenticate(self, name: str, secret: str) -> Principal | None:
        """The principal behind a user name and token, or None."""
        ...

    def may_publish(self, who: Principal, topic: str) -> bool: ...

    def may_subscribe(self, who: Principal, topic_filter: str) -> bool: ...

    def may_receive(self, who: Principal, topic: str) -> bool:
        """Asked for each (subscriber, topic) once and cached by the server."""
        ...

    def accept(self, messages: Sequence[Message], done: Callable[[Exception | None], None]) -> None:
        """Takes messages in; `done` is called on the loop once they are durable, or with an error.

        Messages of one call become durable together; calls become durable in order.
        """
        ...

    def is_urgent(self, topic: str) -> bool:
        """Whether messages on this topic go before telemetry that waits, and are never shed."""
        ...

    def lost(self, messages: Sequence[Message], cause: str) -> None:
        """QoS 0 messages that will not be taken in.

        `cause`: "behind" (shed because too much waited) or "refused" (they could not be stored).
        """
        ...

    def connected(self, who: Principal, client_id: str) -> None: ...

    def disconnected(self, who: Principal, client_id: str, cause: str) -> None:
        """`cause`: "goodbye", "lost", "timeout", "taken-over" or "refused"."""
        ...


class Intake(Protocol):
    """What a connector asks of the platform. All calls are on the event loop's thread."""

    def accept(
        self, messages: Sequence[Message | Samples], done: Callable[[Exception | None], None]
    ) -> None:
        """As `Host.accept`."""
        ...

    def heard(self, topic: str) -> int:
        """When anything durable last came for the device of a topic (ns); 0 if nothing ever did."""
        ...

    def missed(self, topics: Iterable[str], first: int, last: int, cause: str) -> None:
        """Values of these topics that changed between two times (ns) and were not had.

        `cause`: "overflow" (a queue at the source was full) or "disconnected".
        """
        ...


class Connector(Protocol):
    """A way to a source that Gemel goes to; it tries for good until it is closed.

    How it is it says by itself, as (state, why): "connecting", "connected", or another word with
    what is wrong.
    """

    @property
    def accepted(self) -> int:
        """What was taken in and is durable."""
        ...

    @property
    def refused(self) -> int:
        """What the platform could not make durable; it is tried again."""
        ...

    async def start(self) -> None:
        """Begins to connect, and does not wait for it."""
        ...

    async def close(self) -> None: ...

    def facts(self) -> Json:
        """What there is to know beyond its state, for people."""
        ...


@runtime_checkable
class Writer(Protocol):
    """What a connector is, beside, through which commands and desired values go out.

    A place is a topic and a name, those under which its values come; what is called rather than
    set has such a place too. All calls are on the event loop's thread.
    """

    def places(self) -> Mapping[str, Mapping[str, str]]:
        """The names that are known, by topic; another mapping whenever it has changed.

        Each with the unit of its values as the source says it with them, "" if it says none. They
        stay known while the connection is broken.
        """
        ...

    def is_ready(self) -> bool:
        """Whether what is written now leaves now."""
        ...

    def check(self, topic: str, name: str, value: Any) -> Any:
        """The value as it will stand there, held against what is known of its place.

        None is a command without arguments: a place that holds a value takes it for true.

        Raises:
            InvalidInput: it cannot be written, or not this: its type, its range.
        """
        ...

    async def write(self, topic: str, name: str, value: Any) -> Outcome:
        """Writes once, and never again by itself. Whatever happens is the outcome, not an error."""
        ...


class EventSender(Protocol):
    """A way to one place outside that is told what happens.

    What keeps it from being told while `send` waits, it says by itself.
    """

    most: int
    """Events that it takes at once."""

    async def send(self, events: Sequence[CloudEvent]) -> Sequence[Fate]:
        """Sends events in their order; returns when it is known what became of each."""
        ...

    async def close(self) -> None: ...


class Showing(Host, Protocol):
    """What a protocol server asks beside, where devices and programs ask for the state of twins."""

    def takes(self, topic: str) -> bool:
        """Whether what is sent to this topic is kept: telemetry, answers, what a binding maps."""
        ...

    def values(self, who: Principal, twin: str) -> list[LastValue]:
        """The last values of a twin that a principal may see.

        Raises:
            NotFound: there is no such twin, or not for this principal.
            Forbidden: it may not read it.
        """
        ...

    def desired(self, twin: str) -> dict[str, object]:
        """What a device is still to do: names to values."""
        ...

    def watch(self, twin: str, is_watched: bool) -> None: ...

    def changed(self) -> set[str]:
        """The watched twins with a new value since the last call, and those that are gone."""
        ...


class MqttSessions(Protocol):
    """Keeps what MQTT sessions must not forget over a restart (durable when `commit` returns)."""

    def load(self) -> Iterable[tuple[str, str, bytes | None]]:
        """All rows as (table, key, value); None for a value that is not what was written."""
        ...

    def commit(self, rows: Sequence[tuple[str, str, bytes | None]]) -> None:
        """Writes (table, key, value); a value of None deletes the row."""
        ...


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """What a store says of an object without giving it."""

    name: str
    bytes: int
    modified: int
    """When it was stored (ns since 1970 UTC), by the clock of the store."""


class Objects(Protocol):
    """Files by name at a place: a folder, a bucket of S3, a container of Azure Blob Storage.

    Names have `/` between their parts. Calls wait for the store and may come from any thread;
    a name has one writer at a time. What a store refuses is a `GemelError` that names the place.
    """

    place: str
    """As the user wrote it, without a slash at its end."""

    def put(self, name: str, pieces: Iterable[bytes], *, replace: bool = True) -> int:
        """Stores an object, whole or not at all, and tells its bytes; memory does not grow with it.

        What `pieces` raises comes out, and nothing is stored.

        Raises:
            Conflict: there is one of this name, and it is not to be replaced.
        """
        ...

    def get(self, name: str) -> Iterator[bytes]:
        """The bytes of an object in pieces.

        Raises:
            NotFound: there is none of this name.
        """
        ...

    def list(self, folder: str) -> Iterator[ObjectFacts]:
        """All objects whose names begin with `folder` and a slash, in any order."""
        ...

    def delete(self, names: Iterable[str]) -> None:
        """Takes objects away; those that are not there are gone already."""
        ...
